"""The machine's work taken out block by block: rows that are final, tickets that are over.

A run in blocks gives the tables of a run in one piece to the last bit. Only rows that may still
change, or have their place behind others to come, and tickets that are under way, are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from twin.demand.blocks import DemandInBlocks
from twin.demand.luck import Ints
from twin.desk.compiled.columns import FREE, KIND, LEDGER, TICKET_OF, WAKE, Array, joined
from twin.desk.compiled.state import State
from twin.desk.rows import TIMELINE, Rows
from twin.desk.ticket_table import OUTCOMES
from twin.records.tables import OPEN


class Taker(Protocol):
    """A place for what was played."""

    def come(self, demand: DemandInBlocks) -> None:
        """Take the tickets of a block, as they come."""

    def over(self, numbers: Ints, tickets: Mapping[str, Array]) -> None:
        """Take tickets that are over: numbers, rising, and columns `OUTCOMES`."""

    def rows(self, table: str, rows: Array) -> None:
        """Take rows of a table of the ledger that follow those taken before."""


class Blocks:
    """A run in blocks.

    Parameters
    ----------
    state : State
        Of the first block.
    demand : DemandInBlocks
    taker : Taker
    """

    def __init__(self, state: State, demand: DemandInBlocks, taker: Taker) -> None:
        self._state, self._demand, self._taker = state, demand, taker
        self._open: Ints = np.zeros(0, np.int64)
        kind = Rows(*TIMELINE).dtype
        # Rows of the timeline with their place behind others: of arrivals, which are the first of
        # their moment, and all others.
        self._arrivals, self._later = np.empty(0, kind), np.empty(0, kind)
        state.numbers["more"] = True
        # Those of the ledger are rows of arrivals of the first block alone.
        state.numbers["timeline"] = 0
        self._came()

    def _came(self) -> None:
        """The tickets of a block come."""
        demand = self._demand
        numbers = np.arange(demand.numbers.start, demand.numbers.stop)
        self._open = np.concatenate([self._open, numbers])
        rows = np.zeros(len(numbers), self._arrivals.dtype)
        rows["ticket"], rows["when"] = numbers, np.maximum(demand.arrived_s, 0.0)
        rows["status"] = OPEN
        self._arrivals = joined(self._arrivals, rows)
        self._taker.come(demand)

    def go_on(self) -> None:
        """Give out what is final, and let the next block come, if there is one."""
        state, tickets = self._state, self._state.table("tickets")
        live = self._live()
        waiting = live[tickets["waits"][live] != 0]
        # Who waits may have left by now: that is written when somebody looks for them.
        final_s = min(
            float(state.numbers["now"]), tickets["deadline_s"][waiting].min(initial=np.inf)
        )
        self._give_out(final_s, self._unfinished(), live)
        if self._demand.next(live):
            state.come()
            self._came()
        else:
            state.numbers["more"] = False

    def end(self) -> None:
        """Give out all that is left, at the end of the run."""
        self._give_out(np.inf, None, np.zeros(0, np.int64))

    def _give_out(self, final_s: float, row: int | None, live: Ints) -> None:
        """Give out rows: of visits those before a row, of the timeline those before a moment."""
        state, taker = self._state, self._taker
        for name in LEDGER:
            rows = state.take(name, row if name == "visits" else None)
            if name == "visits" and row is not None:
                # Where their rows are now.
                state.table("tickets")["row"][live] -= row
            if name == "timeline":
                rows = self._in_order(rows, final_s)
            if len(rows):
                taker.rows(name, rows)
        is_over = ~np.isin(self._open, live, assume_unique=True)
        over = self._open[is_over]
        # Column by column: whole rows are much longer.
        tickets = state.table("tickets")
        taker.over(over, {name: tickets[name][over] for name, _ in OUTCOMES})
        self._open = self._open[~is_over]

    def _in_order(self, rows: Array, final_s: float) -> Array:
        """Rows of the timeline before a moment, in order of time; those after it are kept."""
        parts = self._arrivals, joined(self._later, rows)
        ready = [part["when"] < final_s for part in parts]
        self._arrivals, self._later = (
            part.compress(~now) for part, now in zip(parts, ready, strict=True)
        )
        found = joined(*(part.compress(now) for part, now in zip(parts, ready, strict=True)))
        return found.take(np.argsort(found["when"].copy(), kind="stable"))

    def _unfinished(self) -> int | None:
        """The first row of visits that may still change, as its work may stop; None: none may."""
        state, tickets = self._state, self._state.table("tickets")
        found: list[int] = []
        for team in state.table("teams"):
            i = int(team["last"]) if team["stops"] else -1
            while i >= 0:
                found.append(int(tickets["row"][i]))
                i = int(tickets["before"][i])
        return min(found, default=None)

    def _live(self) -> Ints:
        """Numbers of the tickets that something may still happen to, or be read of."""
        state, tickets = self._state, self._state.table("tickets")
        events = state.used("events")["who"]
        kind = events >> KIND
        whose = [events[(kind != FREE) & (kind != WAKE)], *(
            state.used(name)["who"] for name in ("patience_ends", "expiries")
        )]  # fmt: skip
        found = [who & TICKET_OF for who in whose]
        found.append(self._open[tickets["waits"][self._open] != 0])
        queue: list[int] = []
        for provider in state.table("providers"):
            i = int(provider["first_call"])
            while i >= 0:
                queue.append(i)
                i = int(tickets["next_call"][i])
        return np.unique(np.concatenate([*found, np.array(queue, np.int64)]))
