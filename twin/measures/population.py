"""Population of a run's key figures, and the sums that they are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.measures.counted import Counted
from twin.measures.promises import ROUNDING_S, Floats, Mask, promise_kept
from twin.measures.rows import TEXT_GROUPS, PoolTime, Row, Rows
from twin.measures.run_levels import Levels, RunLevels
from twin.measures.totals import Key, Totals, ratio
from twin.scenario.calendars import staffing
from twin.scenario.clock import WEEK_S
from twin.scenario.model import PRIORITIES

if TYPE_CHECKING:
    from twin.records.arrays import Arrays

# A column made here.
_TEXT_GROUP = "group of the text"


@dataclass(frozen=True)
class Population(Counted):
    """A run as the key figures see it.

    Tickets that arrived at or after warm-up, with all their visits, calls and ratings; levels from
    the end of warm-up to the horizon.

    Attributes
    ----------
    log : RunLog
        Of the run, or of a part of its tickets: then `totals` add parts up, and `levels` are those
        of the whole run.
    scenario : Scenario
    totals : Totals, optional
    levels : Levels, optional
    """

    totals: Totals = field(default_factory=Totals)
    levels: Levels | None = None

    @property
    def total_usd(self) -> float:
        """Price of model calls and of the agents' paid time together."""
        return self.model_usd + self.human_usd

    @property
    def model_usd(self) -> float:
        """Price of their model calls; missing if any price is unknown."""
        usd = self.totals.of(("model calls",), lambda: self.ended_calls["cost_usd"].sum())
        return float(usd)

    @cached_property
    def human_usd(self) -> float:
        """Price of the agents' paid time; missing if a pool that works has no cost."""
        priced = ((self.area("paid", name), p.cost) for name, p in self.scenario.agents.items())
        return math.fsum(
            paid / 3600.0 * (np.nan if cost is None else cost) for paid, cost in priced if paid
        )

    def roster_usd(self, weeks: float) -> float:
        """Price of so many weeks of the roster, less that of the shifts in the time measured.

        0 for whole weeks, which are what they are, holidays and all. A roster by date has no usual
        week: it is paid as in the time measured.
        """
        if weeks >= 1 and abs(weeks - round(weeks)) < ROUNDING_S:
            return 0.0
        week = self.scenario.model_copy(update={"horizon": WEEK_S})
        more = 0.0
        for p in self.pools:
            pool = self.scenario.agents[p.pool]
            usual_s = float(staffing(pool, week).integral(np.array([week.horizon]))[0])
            hours = (usual_s * weeks - p.staffed) / 3600.0
            if hours and pool.roster is None:
                more += hours * (np.nan if pool.cost is None else pool.cost)
        return more

    @cached_property
    def by_priority(self) -> dict[str, Mask]:
        """The priorities that occur, each with its tickets."""
        masks = {name: self.tickets.among("priority", [name]) for name in PRIORITIES}
        return self._occurring("priority", masks)

    def _occurring(self, column: str, masks: Mapping[str, Mask]) -> dict[str, Mask]:
        """Those that occur, of tickets that are counted."""
        occurs = self.totals.occurs
        return {name: mask for name, mask in masks.items() if occurs((column, name), mask)}

    @cached_property
    def count(self) -> float:
        """Number of tickets that are counted."""
        return self.totals.of_run(("tickets",), lambda: float(len(self.tickets)))

    @cached_property
    def by_channel(self) -> dict[str, Mask]:
        """The channels that occur, each with its tickets; none on a desk without channels."""
        codes, names = self.tickets.codes("channel")
        return self._occurring("channel", {str(n): codes == k for k, n in enumerate(names)})

    @cached_property
    def _text_group(self) -> npt.NDArray[np.int64] | None:
        """Group of the text of each ticket of the log, warm-up included.

        None where no answer hangs on a text: without texts or assistant, and on backend "profile",
        whose answers are drawn ticket by ticket.
        """
        assistant = self.scenario.assistant
        if assistant.role == "off" or assistant.backend == "profile":
            return None
        text = self._all["text_id"]
        has, lacks = (
            self.totals.occurs((name,), mask)
            for name, mask in (("a text", text >= 0), ("no text", text < 0))
        )
        return text % TEXT_GROUPS if has and not lacks else None

    @cached_property
    def texts(self) -> int:
        """Number of distinct texts of the tickets; 0 without texts."""
        if self._text_group is None:
            return 0
        return self.totals.different(("texts",), self.tickets["text_id"])

    def row(
        self,
        over: Any,
        under: Any = None,
        *,
        of: Arrays | None = None,
        group: str = "",
        key: Key | None = None,
    ) -> Row:
        """Sums over things that belong to tickets.

        Parameters
        ----------
        over, under : array, shape (n,)
            What is added up to the numerator and to the denominator; by default all count 1 in the
            denominator.
        of : Arrays, optional
            Table with a row for each of them and a column ticket_id; by default the tickets.
        group : str
        key : tuple of str, optional
            Name of these sums among those of the figure; by default the group.
        """
        over = np.asarray(over, dtype=np.float64)
        under = np.ones(len(over)) if under is None else np.asarray(under, dtype=np.float64)
        key = (group,) if key is None else key
        total = self.totals.of(("sums", *key), lambda: np.array([over.sum(), under.sum()]))
        if self._text_group is None:
            return Row(group, float(total[0]), float(total[1]))

        def by_text() -> Floats:
            where = self._groups_of(of)
            return np.stack([np.bincount(where, part, TEXT_GROUPS) for part in (over, under)])

        parts = self.totals.of(("by text", *key), by_text)
        return Row(group, float(total[0]), float(total[1]), total[:, None] - parts)

    def quantile(
        self, values: Floats, q: float, tickets: Mask, group: str = "", key: Key | None = None
    ) -> Row:
        """The quantile at `q` of the values of some tickets, which are those of the group."""
        of = None if self._text_group is None else self._groups_of(None)
        key = (group,) if key is None else key
        ranked = self.totals.in_order(key, values, tickets, of)
        if not len(ranked):
            return Row(group, 0.0, 0.0)
        left_out = None if of is None else np.stack(ranked.without_each(q))
        return Row(group, ranked.quantile(q), 1.0, left_out)

    def flow(
        self, total: float, length: float, weights: Floats, of: Arrays, group: str = ""
    ) -> Row:
        """A total over time or staff, of which parts belong to tickets.

        Parameters
        ----------
        total, length : float
            Numerator and denominator.
        weights : array of float, shape (n,)
            The parts of the total, or what they are proportional to.
        of : Arrays
            Table with a row for each part and a column ticket_id.
        group : str

        Notes
        -----
        Without some texts as many tickets would come, with the other texts: so what is left of the
        total is scaled up by the tickets that are left out.
        """
        if self._text_group is None:
            return Row(group, total, length)
        whole = self.totals.of(("parts", group), weights.sum)
        by_text = self.totals.of(
            ("parts by text", group),
            lambda: np.bincount(self._groups_of(of), weights, TEXT_GROUPS),
        )
        came = self.totals.of(
            ("tickets by text", group),
            lambda: np.bincount(self._groups_of(None), minlength=TEXT_GROUPS),
        )
        count = self.count
        if not whole:
            return Row(group, total, length)
        parts, tickets = ratio(by_text, whole), ratio(came, count)
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.where(tickets < 1, total * (1 - parts) / (1 - tickets), 0.0)
        return Row(group, total, length, np.stack([left, np.full(TEXT_GROUPS, length)]))

    def over_flow(self, total: float, flow: Row) -> Row:
        """A fixed total over a flow."""
        texts = None if flow.texts is None else np.stack([np.full(TEXT_GROUPS, total),
                                                          flow.texts[0]])  # fmt: skip
        return Row(flow.group, total, flow.numerator, texts)

    def by(self, column: str, over: Any, under: Any = None, *, of: Arrays | None = None) -> Rows:
        """Sums over things that belong to tickets, as `row`: in all, and by a column of tickets."""
        over = np.asarray(over, dtype=np.float64)
        under = np.ones(len(over)) if under is None else np.asarray(under, dtype=np.float64)
        codes, names = self.tickets.codes(column) if of is None else self._all.codes(column)
        if of is not None:
            codes = codes[self._rows_of(of)]
        rows = [self.row(over, under, of=of, key=(column, ""))]
        for k, name in enumerate(names):
            here, key = codes == k, (column, str(name))
            if self.totals.occurs((self.totals.figure, *key), here):
                parts = np.where(here, over, 0.0), np.where(here, under, 0.0)
                rows.append(self.row(*parts, of=of, group=str(name), key=key))
        return rows

    def _groups_of(self, table: Arrays | None) -> npt.NDArray[np.int64]:
        of_ticket = self._text_group
        assert of_ticket is not None
        table = self.tickets if table is None else table
        return table.made(_TEXT_GROUP, lambda: of_ticket[self._rows_of(table)])

    def split(self, values: Floats, q: float | None = None) -> Rows:
        """Mean or quantile of values that are not missing: in all, by priority and by channel."""
        there = ~np.isnan(values)
        groups: dict[str, tuple[Key, Mask]] = {"": (("",), there)}
        for kind, of in (("priority", self.by_priority), ("channel", self.by_channel)):
            groups |= {name: ((kind, name), there & mask) for name, mask in of.items()}
        if q is not None:
            return [self.quantile(values, q, mask, name, key)
                    for name, (key, mask) in groups.items()]  # fmt: skip
        return [
            self.row(np.where(mask, values, 0.0), mask, group=name, key=key)
            for name, (key, mask) in groups.items()
        ]

    def within(
        self,
        done_s: Floats,
        targets: Mapping[Any, float],
        begun_s: Floats | None = None,
        paused_s: Floats | float = 0.0,
        by_channel: Mapping[str, float] | None = None,
    ) -> Rows:
        """Share of tickets that reached a moment within their target, by priority and by channel.

        Parameters
        ----------
        done_s : array of float, shape (tickets,)
            Missing where it was not reached: missed if abandoned or past the target, else left out.
        targets : mapping of priority to seconds
            Priorities without one are left out.
        begun_s : array of float, shape (tickets,), optional
            Moment from which it is promised; by default the arrival. Missing: nothing is promised.
        paused_s : float or array of float, shape (tickets,)
            Time that does not count.
        by_channel : mapping of channel to seconds, optional
            Targets that go before those of a priority.
        """
        horizon_s = self.log.horizon_s
        kept = promise_kept(
            self.tickets, done_s, targets, self.scenario, horizon_s, begun_s, paused_s, by_channel
        )
        shown = ("", *targets, *self.by_channel)
        return [row for row in self.split(kept) if row.group in shown]

    @cached_property
    def over_time(self) -> Levels:
        """Levels of the whole run."""
        return RunLevels(self.log, self.scenario) if self.levels is None else self.levels

    def area(self, kind: str, pool: str = "") -> float:
        """Area under a level between warm-up and horizon; see `RunLevels.level`."""
        return self.over_time.area(kind, pool, self.start_s, self.log.horizon_s)

    @cached_property
    def pools(self) -> list[PoolTime]:
        """Agent-seconds by pool."""
        found = []
        for name in self.scenario.agents:
            staffed, used, paid = (self.area(kind, name) for kind in ("staffed", "used", "paid"))
            away_s = self.area("away", name) if self.over_time.has("away", name) else 0.0
            found.append(PoolTime(name, staffed, used, paid, away_s))
        return found
