"""Assignment: the shifts of a week given to agents, within the rules of work."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linear_sum_assignment, milp

from twin.experiments.rostering.cover import Cover, Kind

Ints = npt.NDArray[np.int64]
# A shift that an agent may not have.
_NEVER = 1e6
# More agents than this are given shifts day by day only.
_MOST_WHOLE = 40
_NODES = 5_000

# Kind of the shift of each agent (row) on each day, or None.
Assigned = list[list[Kind | None]]


def assign(cover: Cover, number: Ints, agents: int) -> Assigned | None:
    """Give shifts to agents; None if it was not found how.

    Day by day first, to those with the fewest shifts so far and at times like those of the day
    before; where that gets stuck, as an integer program over the whole week.

    Parameters
    ----------
    cover : Cover
    number : array of int, shape (days, kinds)
        Shifts of each kind that start on each day.
    agents : int
    """
    found = _day_by_day(cover, number, agents)
    if found is None and agents <= _MOST_WHOLE:
        found = _whole_week(cover, number, agents)
    return found


def kept(cover: Cover, assigned: Assigned) -> bool:
    """True if every agent's week keeps the rules."""
    rules = cover.rules
    for week in assigned:
        given = [kind for kind in week if kind is not None]
        worked = int(np.sum([kind.work for kind in given], dtype=np.int64))
        if len(given) > rules.days_a_week or worked * cover.length_s > rules.hours_a_week + 1e-6:
            return False
        for place, day in enumerate(cover.days):
            following = (day + 1) % cover.cycle
            if following in cover.days and cover.cycle > 1:
                now, then = week[place], week[cover.days.index(following)]
                if now and then and then.start < cover.first_start(now.start + now.length):
                    return False
    return True


def _day_by_day(cover: Cover, number: Ints, agents: int) -> Assigned | None:
    days = range(len(cover.days))
    assigned: Assigned = [[None] * len(cover.days) for _ in range(agents)]
    for place in days:
        shifts = [k for k, many in enumerate(number[place]) for _ in range(int(many))]
        if len(shifts) > agents:
            return None
        price = np.zeros((agents, len(shifts)))
        for agent, week in enumerate(assigned):
            given = [kind for kind in week if kind is not None]
            usual = np.mean([kind.start for kind in given]) if given else None
            for column, k in enumerate(shifts):
                kind = cover.kinds[k]
                week[place] = kind
                fits = kept(cover, [week])
                week[place] = None
                far = 0.0 if usual is None else abs(kind.start - usual) / cover.a_day
                price[agent, column] = len(given) + far if fits else _NEVER
        rows, columns = linear_sum_assignment(price)
        if len(shifts) and price[rows, columns].max() >= _NEVER:
            return None
        for agent, column in zip(rows.tolist(), columns.tolist(), strict=True):
            assigned[agent][place] = cover.kinds[shifts[column]]
    return assigned


def _whole_week(cover: Cover, number: Ints, agents: int) -> Assigned | None:
    """As an integer program: x of agent, day and kind is 1 where the agent has it."""
    used = [(p, k) for p in range(len(cover.days)) for k in np.flatnonzero(number[p]).tolist()]
    width = len(used)
    one = sparse.identity(agents, format="csr")

    def each(weights: npt.NDArray[np.float64]) -> sparse.csr_array:
        return sparse.csr_array(sparse.kron(one, weights[None, :]))

    work = np.array([float(cover.kinds[k].work) for _, k in used])
    limits = [
        LinearConstraint(
            sparse.csr_array(sparse.kron(np.ones((1, agents)), sparse.identity(width))),
            *[np.array([float(number[p, k]) for p, k in used])] * 2,
        ),
        LinearConstraint(each(np.ones(width)), ub=cover.rules.days_a_week),
        LinearConstraint(each(work), ub=cover.rules.hours_a_week / cover.length_s),
    ]
    for place, day in enumerate(cover.days):
        limits.append(LinearConstraint(each(np.array([float(p == place) for p, _ in used])), ub=1))
        following = (day + 1) % cover.cycle
        if following not in cover.days or cover.cycle == 1:
            continue
        then = cover.days.index(following)
        for end in sorted({cover.kinds[k].end for p, k in used if p == place}):
            limit = cover.first_start(end)
            both = [
                float(
                    (p == place and cover.kinds[k].end >= end)
                    or (p == then and cover.kinds[k].start < limit)
                )
                for p, k in used
            ]
            limits.append(LinearConstraint(each(np.array(both)), ub=1))
    found = milp(
        np.zeros(agents * width), constraints=limits, bounds=Bounds(0, 1),
        integrality=np.ones(agents * width), options={"node_limit": _NODES},
    )  # fmt: skip
    if found.x is None:
        return None
    assigned: Assigned = [[None] * len(cover.days) for _ in range(agents)]
    for agent, row in enumerate(np.round(found.x).astype(int).reshape(agents, width)):
        for at in np.flatnonzero(row).tolist():
            place, k = used[at]
            assigned[agent][place] = cover.kinds[k]
    return assigned
