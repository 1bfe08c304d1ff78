"""The records of a run while it runs: columns that only grow, turned into tables at the end.

A visit's row is written when it begins, since its end is known then; a hand-over mends it, and so
does the end of a visit that shared its agent with others.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.assistant import catalogue
from twin.assistant.learning.learning import EVENTS
from twin.assistant.protocol import Written
from twin.demand.tickets import Demand
from twin.desk.call_table import call_table
from twin.desk.kernel import Clock
from twin.desk.names import Names
from twin.desk.rows import CALLS, RATINGS, STAFFING, TIMELINE, VISITS, Rows
from twin.desk.statuses import OwnStatuses
from twin.desk.ticket_table import OUTCOMES, ticket_table
from twin.records.columns import TABLES
from twin.records.tables import (
    ACTIVITIES,
    DONE,
    ESCALATED,
    HANDLE,
    IN_PROGRESS,
    OPEN,
    REVIEW,
    STATUSES,
    STILL_OPEN,
    VISIT_ENDS,
    WRAP_UP,
    Columns,
    RunLog,
    codes,
    columns_of,
)
from twin.scenario.model import OwnModel

NAN = float("nan")


def _full(code: str, n: int, value: float) -> array[Any]:
    return array(code, [value if code == "d" else int(value)]) * n


class Ledger:
    """Records a run; one object for one run.

    Parameters
    ----------
    clock : Clock
    demand : Demand
    horizon_s : float
    own : OwnStatuses, optional
        Of a desk with a workflow: then work changes no status by itself.
    """

    def __init__(
        self, clock: Clock, demand: Demand, horizon_s: float, own: OwnStatuses | None = None
    ) -> None:
        self._clock, self.demand = clock, demand
        self._horizon_s = horizon_s
        self._own = own
        n = len(demand)
        # A value a ticket.
        self.category = _full("h", n, -1)
        self.confidence = _full("d", n, NAN)
        self.categorized_by = _full("b", n, -1)
        self.responded_s = _full("d", n, NAN)
        self.resolved_s = _full("d", n, NAN)
        self.resolved_by = _full("b", n, -1)
        self.solved = _full("b", n, -1)
        # Added to the chance that the agent's answer solves; only where support changes it.
        self.solves_more: dict[int, float] = {}
        self.taken_as: dict[int, int] = {}  # Own statuses, taken as an agent takes the ticket.
        self.quality = _full("d", n, NAN)
        self.answer = _full("i", n, -1)
        self.transfers, self.reopens = _full("h", n, 0), _full("h", n, 0)
        self._timeline, self._visits = Rows(*TIMELINE), Rows(*VISITS)
        # Written by the provider, row by row.
        self.calls = self._calls = Rows(*CALLS)
        self._ratings = Rows(*RATINGS)
        # Arrivals are known: their rows are written all at once.
        received = np.zeros(n, self._timeline.dtype)
        received["ticket"] = np.arange(n)
        # Those of the opening backlog are there when the run starts.
        received["when"] = np.maximum(demand.arrived_s, 0.0)
        received["status"] = OPEN if own is None else OwnStatuses.FIRST + own.first
        self._timeline.add(received.tobytes())
        self._staffing = Rows(*STAFFING)
        self._learning = Rows("dhhbd", "when", "category", "version", "event", "evidence")
        add, pack = self._add_status, self._pack_status = self._timeline.add, self._timeline.pack

        # A closure, because it runs four times a ticket and looks up nothing on `self`.
        def status(ticket: int, status: int) -> None:
            """The ticket's status changes now."""
            add(pack(ticket, clock._now, status))

        self.status = status

    def status_at(self, ticket: int, status: int, moment: float) -> None:
        """The ticket's status changes at a moment known now; after the horizon it never does."""
        if moment < self._horizon_s:
            self._add_status(self._pack_status(ticket, moment, status))

    def responded(self, ticket: int) -> None:
        """The customer hears from the desk now; only the first time counts."""
        if self.responded_s[ticket] != self.responded_s[ticket]:
            self.responded_s[ticket] = self._clock._now

    def picked_up(
        self,
        ticket: int,
        pool: int,
        activity: int,
        queued_s: float,
        ended_s: float,
        fresh: bool,
        agent: int = 0,
    ) -> int:
        """An agent takes the ticket now and will be done at `ended_s`; returns the row's number.

        Agent 0 is not told apart from the others. An end that is not known yet is infinite.
        """
        visits, now = self._visits, self._clock._now
        visits.add(visits.pack(ticket, pool, activity, queued_s, now, ended_s, DONE, agent))
        if fresh and activity != REVIEW:
            if self._own is None:
                self.status(ticket, IN_PROGRESS)
            elif ticket in self.taken_as:
                self.status(ticket, self.taken_as.pop(ticket))
            if activity == HANDLE:
                self.responded(ticket)
        return len(visits.data) // visits.size - 1

    def wraps_up(self, ticket: int, pool: int, ended_s: float, agent: int = 0) -> int:
        """An agent who has answered the ticket now is busy with it until `ended_s`; as above."""
        visits, now = self._visits, self._clock._now
        visits.add(visits.pack(ticket, pool, WRAP_UP, NAN, now, ended_s, DONE, agent))
        return len(visits.data) // visits.size - 1

    def ended(self, row: int) -> None:
        """The agent of a visit, whose end was not known, is done with it now."""
        self._visits.mend(row, "ended", self._clock._now)

    def passed_on(self, ticket: int) -> None:
        """The ticket goes on to another pool now."""
        self.transfers[ticket] += 1
        if self._own is None:
            self.status(ticket, ESCALATED)

    def stopped(self, row: int, end: int) -> None:
        """The agent of a visit leaves it now, unfinished: HANDED_OVER or PAUSED."""
        self._visits.mend(row, "ended", self._clock._now)
        self._visits.mend(row, "end", end)

    def never_served(
        self, ticket: int, activity: int, queued_s: float, left_s: float, end: int
    ) -> None:
        """A visit that nobody began: the customer left, or the run ended (`left_s` NaN)."""
        self._visits.add(self._visits.pack(ticket, -1, activity, queued_s, NAN, left_s, end, 0))

    def rated(self, ticket: int, rating: int, model: int, version: int, feedback: int) -> None:
        """The customer rates now."""
        now = self._clock._now
        self._ratings.add(self._ratings.pack(ticket, now, rating, model, version, feedback))

    def learned(self, category: int, version: int, event: int, evidence: float) -> None:
        """The feedback loop changed or judged a prompt version now."""
        now = self._clock._now
        self._learning.add(self._learning.pack(now, category, version, event, evidence))

    def staffed(self, pool: int, moment: float, on_shift: int, away: int = 0) -> None:
        """So many agents of a pool are on shift from a moment on, and so many of them away."""
        self._staffing.add(self._staffing.pack(pool, moment, on_shift, away))

    def rows(self, table: str) -> npt.NDArray[np.void]:
        """The rows of a table so far, all but learning; they are let go."""
        rows: Rows = getattr(self, f"_{table}")
        return rows.take()

    def put(self, table: str, rows: npt.NDArray[np.void]) -> None:
        """Put rows that were written elsewhere in the place of those of a table."""
        getattr(self, f"_{table}").put(rows)

    def log(
        self,
        pools: list[str],
        names: Names,
        comments: list[str],
        notes: list[str],
        own: Mapping[str, OwnModel] | None = None,
        backend: str = "",
    ) -> RunLog:
        """All of it as tables.

        Parameters
        ----------
        pools, comments : list of str
        names : Names
            What the codes in the columns stand for.
        notes : list of str
        own : mapping of str to OwnModel, optional
            The scenario's own models, for their prices.
        backend : str
            Of the assistant.
        """
        timeline = self.table("timeline", pools, names, comments)
        return RunLog(
            horizon_s=self._horizon_s,
            tickets=self._ticket_table(timeline),
            timeline=timeline,
            visits=self.visits(pools),
            calls=self.table("calls", pools, names, comments, own),
            ratings=self.table("ratings", pools, names, comments),
            learning=self._learning_table(names.versions.items),
            answers=answer_table(tuple(names.texts.items)),
            staffing=self._staffing_table(pools),
            texts=self.demand.texts,
            notes=tuple(notes),
            backend=backend,
        )

    def table(
        self,
        name: str,
        pools: list[str],
        names: Names,
        comments: list[str],
        own: Mapping[str, OwnModel] | None = None,
    ) -> Columns:
        """A table of rows, once: they are let go with it. Parameters as in `log`."""
        models, versions = names.models.items, names.versions.items
        if name == "timeline":
            return self._timeline_table()
        if name == "visits":
            return self.visits(pools)
        if name == "calls":
            priced = [catalogue.model(one, own) for one in models]
            return call_table(self.calls.take(), priced, versions, names.replies.items)
        if name == "ratings":
            return self._rating_table(models, versions, comments)
        if name == "learning":
            return self._learning_table(versions)
        assert name == "staffing"
        return self._staffing_table(pools)

    def _ticket_table(self, timeline: Columns) -> Columns:
        demand = self.demand
        # The timeline is in order of time, so the last row of a ticket is what remains.
        latest = np.full(len(demand), -1, dtype=np.int8)
        latest[timeline["ticket_id"] - 1] = timeline["status"].codes
        became = {name: _numbers(getattr(self, name)) for name, _ in OUTCOMES}
        return ticket_table(drawn(demand), became, latest, demand.categories, demand.channels)

    def _timeline_table(self) -> Columns:
        rows = self._timeline.take()
        columns = [np.ascontiguousarray(rows[name]) for name in ("when", "ticket", "status")]
        # Leaving and closing are written down when they are known, not when they happen.
        if (columns[0][1:] < columns[0][:-1]).any():
            order = np.argsort(columns[0], kind="stable")
            columns = [column.take(order) for column in columns]
        when, ticket, status = columns
        ticket = ticket + np.int32(1)
        names = tuple[str, ...]()
        detail = np.full(len(status), -1, dtype=np.int8)
        if self._own is not None:
            # What is no status of its own, such as Abandoned, has no name of its own.
            detail, names = np.maximum(status - OwnStatuses.FIRST, -1), self._own.names
            status = np.array([*range(len(STATUSES)), *self._own.core])[status]
        named = {"status": codes(status, STATUSES), "detail": codes(detail, names)}
        return columns_of("timeline", {"ticket_id": ticket, "time_s": when, **named})

    def visits(self, pools: list[str]) -> Columns:
        """The table visits, once: its rows are let go with it."""
        row = self._visits.take()
        ended = row["ended"].copy()
        end = row["end"].copy()
        # The run stops before what happens at the horizon itself.
        running = ended >= self._horizon_s
        ended[running] = NAN
        end[running] = STILL_OPEN
        return columns_of(
            "visits",
            {
                "ticket_id": row["ticket"] + np.int32(1),
                "pool": codes(row["pool"], pools),
                "activity": codes(row["activity"], ACTIVITIES),
                "queued_s": row["queued"],
                "started_s": row["started"],
                "ended_s": ended,
                "end": codes(end, VISIT_ENDS),
                "agent": np.where(row["agent"] > 0, row["agent"], NAN),
            },
        )

    def _staffing_table(self, pools: list[str]) -> Columns:
        row = self._staffing.take()
        columns = {"pool": codes(row["pool"], pools), "time_s": row["when"]}
        return columns_of("staffing", columns | {name: row[name] for name in ("on_shift", "away")})

    def _learning_table(self, versions: list[str]) -> Columns:
        row = self._learning.take()
        if not len(row):
            # Made once: only a desk that learns has rows, and texts take long to make.
            return _no_lessons()
        columns = {
            "time_s": row["when"],
            "category": _texts(codes(row["category"], self.demand.categories)),
            "prompt_version": _texts(codes(row["version"], versions)),
            "event": _texts(codes(row["event"], EVENTS)),
            "evidence": row["evidence"],
        }
        return columns_of("learning", columns)

    def _rating_table(self, models: list[str], versions: list[str], comments: list[str]) -> Columns:
        row = self._ratings.take()
        return columns_of(
            "ratings",
            {
                "ticket_id": row["ticket"] + np.int32(1),
                "rated_s": row["when"],
                "rating": row["rating"],
                "model": codes(row["model"], models),
                "prompt_version": codes(row["version"], versions),
                "feedback": codes(row["feedback"], comments),
            },
        )


def drawn(demand: Demand) -> dict[str, npt.NDArray[Any]]:
    """Columns of tickets as they come, for `ticket_table`."""
    channel = np.full(len(demand), -1) if demand.channel is None else demand.channel
    names = ("arrived_s", "text", "category", "priority")
    return {name: getattr(demand, name) for name in names} | {"channel": channel}


@lru_cache(maxsize=8)
def answer_table(written: tuple[Written, ...]) -> Columns:
    """The table answers, of all that was written."""
    # Runs that ask alike are answered alike, and texts take long to make.
    texts = [w.text for w in written], [",".join(w.articles) for w in written]
    text, articles = (pd.Series(one, dtype="str") for one in texts)
    return columns_of("answers", {"text": text, "articles": articles})


@cache
def _no_lessons() -> Columns:
    texts = {"string": "str"}
    columns = TABLES["learning"]
    empty = {c.name: pd.Series([], dtype=texts.get(c.dtype, c.dtype)) for c in columns}
    return columns_of("learning", empty)


def _numbers(column: array[Any]) -> npt.NDArray[Any]:
    """The column as an array that shares its memory."""
    return (
        np.frombuffer(column, dtype=column.typecode)
        if len(column)
        else np.empty(0, column.typecode)
    )


def _texts(column: pd.Categorical[str]) -> pd.Series[str]:
    """A short column as plain texts, which need no categories when there are no rows."""
    return pd.Series(column).astype("str")
