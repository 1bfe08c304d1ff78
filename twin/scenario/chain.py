"""The chances of a workflow as arrays: what is drawn from, and what a chain comes to on average."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.scenario.distributions import TimeDistribution
from twin.scenario.sections.workflow import END, START, Step, Workflow

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Delay:
    """The delay of a step.

    Attributes
    ----------
    by_age : tuple of distribution
        One for all ages, or one for each.
    clock : str
    """

    by_age: tuple[TimeDistribution, ...]
    clock: str


@dataclass(frozen=True)
class Chain:
    """A workflow in numbers; a status's number is its place in the file.

    Attributes
    ----------
    names : tuple of str
    start : array of float, shape (s,)
        Chances of the first status.
    row : array of int, shape (s + 1, s)
        By the status before (the last: none) and the status, its row of the arrays below.
    chances : array of float, shape (rows, s + 1)
        Of each next status; the last is that the ticket rests.
    delay : array of int, shape (rows, s + 1)
        Index into `delays`; -1 for none.
    delays : tuple of Delay
    """

    names: tuple[str, ...]
    start: Floats
    row: Ints
    chances: Floats
    delay: Ints
    delays: tuple[Delay, ...]

    @classmethod
    def of(cls, workflow: Workflow) -> Chain:
        """The chain of a workflow without faults."""
        names = tuple(workflow.statuses)
        number = {name: k for k, name in enumerate(names)} | {END: len(names), START: len(names)}
        start = np.zeros(len(names))
        for name, chance in workflow.start.items():
            start[number[name]] = chance
        row = np.tile(np.arange(len(names)), (len(names) + 1, 1))
        given: list[tuple[str, dict[str, Step]]] = []
        for name, status in workflow.statuses.items():
            given.append((name, status.next))
        for name, status in workflow.statuses.items():
            for before, steps in status.after.items():
                row[number[before], number[name]] = len(given)
                given.append((name, steps))
        chances = np.zeros((len(given), len(names) + 1))
        delay = np.full(chances.shape, -1, dtype=np.int64)
        delays: list[Delay] = []
        for k, (name, steps) in enumerate(given):
            for other, step in steps.items():
                chances[k, number[other]] = step.chance
            for other in (*names, END):
                found = _delay(workflow, name, steps.get(other), other)
                if found is not None and (chances[k, number[other]] > 0 or other == END):
                    delay[k, number[other]] = len(delays)
                    delays.append(found)
        # A rest of rounding is no chance to rest.
        short = 1.0 - chances.sum(axis=1)
        chances[:, -1] += np.where(short > 1e-6, short, 0.0)
        chances /= chances.sum(axis=1, keepdims=True)
        return cls(names, start / start.sum(), row, chances, delay, tuple(delays))

    def states(self) -> tuple[Ints, Floats, Floats]:
        """The chain of (status before, status), which has no memory, without what never happens.

        Returns
        -------
        (array of int, shape (m, 2); array of float, shape (m,); array of float, shape (m, m))
            The states; their chances at the start; their chances to follow one another.
        """
        none = len(self.names)
        found = {(none, int(k)): i for i, k in enumerate(np.flatnonzero(self.start))}
        todo, moves = [*found], []
        while todo:
            before, now = todo.pop()
            for after in np.flatnonzero(self.chances[self.row[before, now], :none]).tolist():
                if (now, after) not in found:
                    found[now, after] = len(found)
                    todo.append((now, after))
                chance = float(self.chances[self.row[before, now], after])
                moves.append((found[before, now], found[now, after], chance))
        states = np.array([*found], dtype=np.int64).reshape(-1, 2)
        start, matrix = np.zeros(len(found)), np.zeros((len(found), len(found)))
        for k, (before, now) in enumerate(states.tolist()):
            start[k] = self.start[now] if before == none else 0.0
        for k, j, chance in moves:
            matrix[k, j] = chance
        return states, start, matrix

    def visits(self) -> Floats:
        """Mean number of times that a ticket is in each status, shape (s,)."""
        states, start, moves = self.states()
        often = _often(start, moves)
        return np.asarray(np.bincount(states[:, 1], often, len(self.names)), dtype=np.float64)

    def ever(self, statuses: Ints) -> float:
        """Chance that a ticket ever comes to one of some statuses."""
        states, start, moves = self.states()
        there = np.isin(states[:, 1], statuses)
        # A ticket that has come there is counted and goes no further.
        on = np.where(there[:, None], 0.0, moves)
        often = _often(start, on)
        return float(often[there].sum())


def _often(start: Floats, moves: Floats) -> Floats:
    """Mean number of visits to each state; what is missing in a row of chances is rest."""
    return np.asarray(np.linalg.solve(np.eye(len(start)) - moves.T, start), dtype=np.float64)


def _delay(workflow: Workflow, name: str, step: Step | None, other: str) -> Delay | None:
    """The delay of a step: its own, that of the status's usual step, or the status's."""
    status = workflow.statuses[name]
    sources = [one for one in (step, status.next.get(other)) if one is not None]
    clock = next((one.clock for one in sources if one.clock is not None), status.clock)
    clock = workflow.clock if clock is None else clock
    for one in sources:
        if one.delay_by_age:
            return Delay(tuple(one.delay_by_age), clock)
        if one.delay is not None:
            return Delay((one.delay,), clock)
    return None if status.delay is None else Delay((status.delay,), clock)
