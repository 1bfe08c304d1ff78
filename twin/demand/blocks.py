"""Demand in blocks of tickets, of which only those still under way are kept.

Luck belongs to the ticket, so a block has the same tickets, with the same luck, as if all were
drawn at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.common.pages import Pages
from twin.demand.arrivals import (
    Arrived,
    Part,
    check_number,
    expected,
    in_order,
    joined,
    layer_parts,
    load_steps,
    mass,
    rate_steps,
)
from twin.demand.luck import Ints, Places, view
from twin.demand.tickets import Demand, draw, draw_arrived
from twin.scenario.model import Scenario

# So many tickets tell how often each text comes; more take memory.
SOME = 500_000


class DemandInBlocks(Demand):
    """Demand of a run whose tickets come in blocks: it is always the block that came last.

    Columns of the desk have room for all tickets, and values for those that are under way.

    Parameters
    ----------
    blocks : iterator of Demand
        None of them is empty.
    most : int
        No more tickets come.
    """

    def __init__(self, blocks: Iterator[Demand], most: int) -> None:
        own = vars(self)
        own["_blocks"], own["_most"] = blocks, most
        own["_pages"], own["_dos"] = [], []
        block = next(blocks)
        own["_past"] = block.at(slice(0, 0)), np.zeros(0, np.int64)
        own["_block"] = block, slice(0, len(block))
        self._turn(own["_block"])

    def _turn(self, to: tuple[Demand, Any]) -> None:
        """Be these tickets, with these numbers."""
        vars(self).update(vars(to[0]))
        vars(self)["_numbers"] = to[1]

    @property
    def comes_in_blocks(self) -> bool:
        """True."""
        return True

    @property
    def numbers(self) -> Any:
        """Numbers of the tickets that are here."""
        return vars(self)["_numbers"]

    @property
    def most(self) -> int:
        """No more tickets come."""
        return int(vars(self)["_most"])

    @property
    def come(self) -> int:
        """Tickets of all blocks so far."""
        return int(vars(self)["_block"][1].stop)

    def room(self, kind: npt.DTypeLike) -> npt.NDArray[Any]:
        """Room for a column of the desk, with zeros."""
        pages = Pages(self.most, kind)
        vars(self)["_pages"].append(pages)
        return pages.array

    def as_they_come(self, do: Callable[[], None]) -> None:
        """Do something for the tickets under way, for this block and for those that come."""
        own = vars(self)
        here = own["_now"] if "_now" in own else own["_block"]
        for part in (own["_past"], own["_block"]):
            if len(part[0]):
                own["_now"] = part
                self._turn(part)
                do()
        own["_now"] = here
        self._turn(here)
        # What it asked for itself comes before it.
        own["_dos"].append(do)

    def column(self, make: Callable[[], npt.NDArray[Any]]) -> memoryview:
        """A column of the desk, by the numbers of tickets."""
        rooms: list[npt.NDArray[Any]] = []

        def fill() -> None:
            values = make()
            if not rooms:
                rooms.append(self.room(values.dtype))
            rooms[0][self.numbers] = values

        self.as_they_come(fill)
        if not rooms:
            # Nobody comes at all.
            rooms.append(self.room(make().dtype))
        return view(rooms[0])

    def next(self, live: Ints) -> bool:
        """Turn to the next block; False if there is none.

        Parameters
        ----------
        live : array of int, shape (n,)
            Numbers of the tickets that are still under way, rising: the memory of all others is
            given back.
        """
        own = vars(self)
        (past, numbers), (block, of_block) = own["_past"], own["_block"]
        self._give_back(numbers, live, of_block)
        kept = [
            past.at(np.isin(numbers, live)),
            block.at(live[live >= of_block.start] - of_block.start),
        ]
        own["_past"] = _together(*kept), live
        block = next(own["_blocks"], None)
        if block is None:
            return False
        own["_block"] = block, slice(of_block.stop, of_block.stop + len(block))
        own["_now"] = own["_block"]
        self._turn(own["_block"])
        for do in own["_dos"]:
            do()
        return True

    def _give_back(self, before: Ints, live: Ints, block: slice) -> None:
        """Give back what lies between tickets that are under way, where it was not yet."""
        edges = np.concatenate([[-1], live, [block.stop]])
        known = np.concatenate([[-1], before, [block.start]])
        new = ~np.isin(edges[:-1], known) | ~np.isin(edges[1:], known)
        # A gap between neighbours of before that lost nobody is no new one.
        place = np.searchsorted(known, edges)
        new |= np.diff(place) != 1
        starts, stops = edges[:-1][new] + 1, edges[1:][new]
        for pages in vars(self)["_pages"]:
            wide = (stops - starts) * pages.array.dtype.itemsize >= 4096
            for start, stop in zip(starts[wide].tolist(), stops[wide].tolist(), strict=True):
                pages.give_back(start, stop)


def _together(one: Demand, other: Demand) -> Demand:
    """The tickets of both."""
    joined_ = other.at(slice(None))
    for name in ("arrived_s", "category", "priority", "text", "channel"):
        if getattr(other, name) is not None:
            both = np.concatenate([getattr(one, name), getattr(other, name)])
            vars(joined_)[name] = both
    vars(joined_)["places"] = Places(
        np.concatenate([one.places.layer, other.places.layer]),
        np.concatenate([one.places.row, other.places.row]),
    )
    return joined_


def in_blocks(demand: Demand, size: int) -> DemandInBlocks:
    """Tickets that are drawn already, in blocks of so many.

    Parameters
    ----------
    demand : Demand
    size : int
        Above 0; the tickets of the opening backlog come with the first block.
    """
    n, first = len(demand), len(demand.opening)

    def blocks() -> Iterator[Demand]:
        stop = min(n, first + size)
        opening = demand.at(slice(0, stop))
        vars(opening)["opening"] = demand.opening
        yield opening
        for start in range(stop, n, size):
            yield demand.at(slice(start, start + size))

    return DemandInBlocks(blocks(), n)


def draw_in_blocks(scenario: Scenario, replication: int, size: int) -> DemandInBlocks:
    """Draw a replication in blocks of about `size` tickets: the same ones as `draw`.

    Tickets of a trace, and those that come evenly spaced, are drawn at once. Raises as `draw`.
    """
    if scenario.arrivals.kind in ("trace", "constant"):
        return in_blocks(draw(scenario, replication), size)
    arrived, most = arrive_in_blocks(scenario, scenario.seed, replication, size)

    def blocks() -> Iterator[Demand]:
        none = Arrived(np.zeros(0), Places(np.zeros(0, np.int32), np.zeros(0, np.int32)))
        yield draw_arrived(scenario, replication, next(arrived, none))
        for one in arrived:
            yield draw_arrived(scenario, replication, one, opens=False)

    flow = blocks()
    return DemandInBlocks(
        flow, most + (scenario.backlog is not None) * _opening(scenario, replication)
    )


def _opening(scenario: Scenario, replication: int) -> int:
    """Tickets of the opening backlog."""
    none = Arrived(np.zeros(0), Places(np.zeros(0, np.int32), np.zeros(0, np.int32)))
    return len(draw_arrived(scenario, replication, none))


def arrive_in_blocks(
    scenario: Scenario, seed: int, replication: int, size: int
) -> tuple[Iterator[Arrived], int]:
    """Draw arrivals in blocks of about `size` tickets, and tell a number that is never exceeded.

    Raises
    ------
    ScenarioError
        If the number of tickets is absurdly large.
    """
    rate, load = rate_steps(scenario, seed, replication), load_steps(scenario)
    total, layers = float(mass(rate.times(load))[-1]), math.ceil(load.values.max())
    check_number(total, "arrivals.rate", scenario)
    # Ten standard deviations more than are expected.
    most = int(total + 10 * math.sqrt(total) + 100)
    part = max(1, size // max(1, layers))
    drawn = [layer_parts(rate, load, seed, replication, layer, part) for layer in range(layers)]
    return _merged(drawn, size), most


def _merged(layers: list[Iterator[Part]], size: int) -> Iterator[Arrived]:
    """Layers in parts as one row of tickets in blocks, none of them empty."""
    waiting: list[list[Part]] = [[] for _ in layers]
    until = [-math.inf] * len(layers)
    bound = -math.inf
    while bound < math.inf:
        for k, parts in enumerate(layers):
            if until[k] == bound:
                part = next(parts, None)
                until[k] = math.inf if part is None else part[2]
                if part is not None:
                    waiting[k].append(part)
        bound = min(until, default=math.inf)
        whole = [joined(parts) for parts in waiting]
        # Who comes at the bound itself may come together with one of another layer.
        one = len(layers) == 1
        cuts = [len(m) if one else int(np.searchsorted(m, bound, side="left")) for m, _ in whole]
        if int(np.sum(cuts)) < size // 2 and bound < math.inf:
            cuts = [0] * len(cuts)
        if any(cuts):
            yield in_order((m[:k], row[:k]) for (m, row), k in zip(whole, cuts, strict=True))
        waiting = [[(m[k:], row[k:], 0.0)] for (m, row), k in zip(whole, cuts, strict=True)]


def some_tickets(scenario: Scenario) -> Demand:
    """The tickets of the first replication; of a very long one the first of them.

    Raises
    ------
    ScenarioError
        As of `twin.demand.draw`.
    """
    many = expected(scenario).between(0.0, scenario.horizon) > SOME
    if many and scenario.arrivals.kind != "trace":
        return draw_in_blocks(scenario, 0, SOME)
    return draw(scenario, 0)
