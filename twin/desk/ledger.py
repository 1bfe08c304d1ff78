"""What a run writes down while it runs: columns that only grow, turned into tables at the end.

Typed arrays, because a float in a list costs 32 bytes and in an array 8. A row a visit is written
when the visit begins, since its end is known then; a hand-over mends it.
"""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.assistant.protocol import OUTCOMES, Written
from twin.demand import Demand
from twin.desk.kernel import Clock
from twin.records import (
    ACTIVITIES,
    DONE,
    HANDED_OVER,
    HANDLE,
    IN_PROGRESS,
    LEFT,
    STATUSES,
    STEPS,
    STILL_OPEN,
    VISIT_ENDS,
    WORKERS,
    RunLog,
    codes,
    frame,
)
from twin.scenario import PRIORITIES

NAN = float("nan")


def _columns(types: str, *names: str) -> dict[str, array[Any]]:
    return {name: array(code) for name, code in zip(names, types, strict=True)}


def _full(code: str, n: int, value: float) -> array[Any]:
    return array(code, [value if code == "d" else int(value)]) * n


class Ledger:
    """Records a run; one object for one run.

    Parameters
    ----------
    clock : Clock
    demand : Demand
    horizon_s : float
    """

    def __init__(self, clock: Clock, demand: Demand, horizon_s: float) -> None:
        self._clock = clock
        self._demand = demand
        self._horizon_s = horizon_s
        n = len(demand)
        # A value a ticket.
        self.category = _full("h", n, -1)
        self.confidence = _full("d", n, NAN)
        self.categorized_by = _full("b", n, -1)
        self.responded_s = _full("d", n, NAN)
        self.resolved_s = _full("d", n, NAN)
        self.resolved_by = _full("b", n, -1)
        self.solved = _full("b", n, -1)
        self.quality = _full("d", n, NAN)
        self.answer = _full("i", n, -1)
        self.transfers = _full("h", n, 0)
        self.reopens = _full("h", n, 0)
        self.latest = _full("b", n, -1)
        # Rows: the timeline,
        self._when = array("d")
        self._whose = array("i")
        self._what = array("b")
        # visits to agents, model calls and ratings.
        self._visit = _columns(
            "ibbdddb", "ticket", "pool", "activity", "queued", "started", "ended", "end"
        )
        self._call = _columns(
            "ibbbddddhhiib", "ticket", "step", "model", "version", "asked", "started", "ended",
            "quota", "attempts", "limited", "tokens_in", "tokens_out", "outcome",
        )  # fmt: skip
        self._rating = _columns(
            "idbbbi", "ticket", "when", "rating", "model", "version", "feedback"
        )
        # Bound once: the four of a visit and the three of a status are the run's hottest lines.
        self._add_when = self._when.append
        self._add_whose = self._whose.append
        self._add_what = self._what.append
        self._add_visit = tuple(column.append for column in self._visit.values())
        self._add_call = tuple(column.append for column in self._call.values())

    def status(self, ticket: int, status: int) -> None:
        """The ticket's status changes now."""
        self._add_when(self._clock.now)
        self._add_whose(ticket)
        self._add_what(status)
        self.latest[ticket] = status

    def status_at(self, ticket: int, status: int, moment: float) -> None:
        """The ticket's status changes at a moment known now; after the horizon it never does."""
        if moment < self._horizon_s:
            self._add_when(moment)
            self._add_whose(ticket)
            self._add_what(status)
            self.latest[ticket] = status

    def responded(self, ticket: int) -> None:
        """The customer hears from the desk now; only the first time counts."""
        if self.responded_s[ticket] != self.responded_s[ticket]:
            self.responded_s[ticket] = self._clock.now

    def picked_up(
        self, ticket: int, pool: int, activity: int, queued_s: float, ended_s: float, fresh: bool
    ) -> int:
        """An agent takes the ticket now and will be done at `ended_s`; returns the row's number."""
        ticket_, pool_, activity_, queued_, started_, ended_, end_ = self._add_visit
        ticket_(ticket)
        pool_(pool)
        activity_(activity)
        queued_(queued_s)
        started_(self._clock.now)
        ended_(ended_s)
        end_(DONE)
        if activity == HANDLE and fresh:
            self.status(ticket, IN_PROGRESS)
            self.responded(ticket)
        return len(self._visit["ticket"]) - 1

    def handed_over(self, row: int) -> None:
        """The agent of a visit leaves it now, unfinished."""
        self._visit["ended"][row] = self._clock.now
        self._visit["end"][row] = HANDED_OVER

    def never_served(self, ticket: int, activity: int, queued_s: float, left_s: float) -> None:
        """A visit that ended in the queue: the customer left, or the run ended (`left_s` NaN)."""
        end = LEFT if left_s == left_s else STILL_OPEN
        row = (ticket, -1, activity, queued_s, NAN, left_s, end)
        for add, value in zip(self._add_visit, row, strict=True):
            add(value)

    def call(
        self,
        ticket: int,
        step: int,
        model: int,
        version: int,
        asked_s: float,
        started_s: float,
        quota_s: float,
        attempts: int,
        limited: int,
        tokens_in: int,
        tokens_out: int,
        outcome: int,
    ) -> None:
        """A model call ends now."""
        (t, s, m, v, asked, started, ended, quota, tries, lim, tin, tout, out) = self._add_call
        t(ticket)
        s(step)
        m(model)
        v(version)
        asked(asked_s)
        started(started_s)
        ended(self._clock.now)
        quota(quota_s)
        tries(attempts)
        lim(limited)
        tin(tokens_in)
        tout(tokens_out)
        out(outcome)

    def rated(self, ticket: int, rating: int, model: int, version: int, feedback: int) -> None:
        """The customer rates now."""
        row = (ticket, self._clock.now, rating, model, version, feedback)
        for column, value in zip(self._rating.values(), row, strict=True):
            column.append(value)

    def log(
        self,
        pools: list[str],
        models: list[Any],
        versions: list[str],
        comments: list[str],
        written: list[Written],
        notes: list[str],
    ) -> RunLog:
        """All of it as tables.

        Parameters
        ----------
        pools, models, versions, comments : list
            What the codes in the columns stand for; a model has a name and `cost_usd`.
        written : list of Written
            What `answer` points at.
        """
        answers = pd.DataFrame(
            {
                "text": pd.Series([w.text for w in written], dtype="str"),
                "articles": pd.Series([",".join(w.articles) for w in written], dtype="str"),
            }
        )
        return RunLog(
            horizon_s=self._horizon_s,
            tickets=self._tickets(),
            timeline=self._timeline(),
            visits=self._visits(pools),
            calls=self._calls(models, versions),
            ratings=self._ratings([m.name for m in models], versions, comments),
            answers=answers,
            texts=self._demand.texts,
            notes=tuple(notes),
        )

    def _tickets(self) -> pd.DataFrame:
        demand = self._demand
        solved = _numbers(self.solved).astype(float)
        solved[solved < 0] = NAN
        return frame(
            "tickets",
            {
                "ticket_id": np.arange(1, len(demand) + 1, dtype=np.int32),
                "arrived_s": demand.arrived_s,
                "text_id": demand.text,
                "category_true": codes(demand.category, demand.categories),
                "priority": codes(demand.priority, PRIORITIES),
                "category": codes(_numbers(self.category), demand.categories),
                "confidence": _numbers(self.confidence),
                "categorized_by": codes(_numbers(self.categorized_by), WORKERS),
                "responded_s": _numbers(self.responded_s),
                "resolved_s": _numbers(self.resolved_s),
                "resolved_by": codes(_numbers(self.resolved_by), WORKERS),
                "solved": solved,
                "quality": _numbers(self.quality),
                "answer_id": _numbers(self.answer),
                "transfers": _numbers(self.transfers),
                "reopens": _numbers(self.reopens),
                "status": codes(_numbers(self.latest), STATUSES),
            },
        )

    def _timeline(self) -> pd.DataFrame:
        when, whose, what = _numbers(self._when), _numbers(self._whose), _numbers(self._what)
        # Leaving and closing are written down when they are known, not when they happen.
        order = np.argsort(when, kind="stable")
        return frame(
            "timeline",
            {
                "ticket_id": whose[order] + np.int32(1),
                "time_s": when[order],
                "status": codes(what[order], STATUSES),
            },
        )

    def _visits(self, pools: list[str]) -> pd.DataFrame:
        row = {name: _numbers(column) for name, column in self._visit.items()}
        ended = row["ended"].copy()
        end = row["end"].copy()
        # The run stops before what happens at the horizon itself.
        running = ended >= self._horizon_s
        ended[running] = NAN
        end[running] = STILL_OPEN
        return frame(
            "visits",
            {
                "ticket_id": row["ticket"] + np.int32(1),
                "pool": codes(row["pool"], pools),
                "activity": codes(row["activity"], ACTIVITIES),
                "queued_s": row["queued"],
                "started_s": row["started"],
                "ended_s": ended,
                "end": codes(end, VISIT_ENDS),
            },
        )

    def _calls(self, models: list[Any], versions: list[str]) -> pd.DataFrame:
        row = {name: _numbers(column) for name, column in self._call.items()}
        cost = np.full(len(row["ticket"]), NAN)
        for k, model in enumerate(models):
            here = row["model"] == k
            if here.any():
                cost[here] = model.cost_usd(row["tokens_in"][here], row["tokens_out"][here])
        return frame(
            "calls",
            {
                "ticket_id": row["ticket"] + np.int32(1),
                "step": codes(row["step"], STEPS),
                "model": codes(row["model"], [m.name for m in models]),
                "prompt_version": codes(row["version"], versions),
                "asked_s": row["asked"],
                "started_s": row["started"],
                "ended_s": row["ended"],
                "quota_wait_s": row["quota"],
                "attempts": row["attempts"],
                "rate_limited": row["limited"],
                "prompt_tokens": row["tokens_in"],
                "completion_tokens": row["tokens_out"],
                "cost_usd": cost,
                "outcome": codes(row["outcome"], OUTCOMES),
            },
        )

    def _ratings(self, models: list[str], versions: list[str], comments: list[str]) -> pd.DataFrame:
        row = {name: _numbers(column) for name, column in self._rating.items()}
        return frame(
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


def _numbers(column: array[Any]) -> npt.NDArray[Any]:
    """The column as an array that shares its memory."""
    return (
        np.frombuffer(column, dtype=column.typecode)
        if len(column)
        else np.empty(0, column.typecode)
    )
