"""Desks whose load changes by the hour, against equations solved over time."""

import numpy as np
import pytest
from days import desk
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.measures import levels
from twin.scenario.model import from_data

H = 3600.0


def exponential(mean):
    return {"distribution": "exponential", "mean": mean}


def agree(found, expected, least=0.0):
    """Means over replications (first axis) are those expected, as far as their spread tells.

    What is rare may not have happened at all: then its spread is at least what theory says.
    """
    spread = np.maximum(found.std(axis=0, ddof=1), least)
    apart = (found.mean(axis=0) - expected) / spread * np.sqrt(len(found))
    assert np.abs(apart).max() < 5, apart.round(1)
    # Not only none too far off: on average they are as near as luck alone puts them.
    assert np.sqrt((apart**2).mean()) < 1.5


def test_returns_through_a_delay_follow_the_fluid_equations():
    """Erlang-R with agents without end (Yom-Tov and Mandelbaum 2014): offered load over a day.

    Busy agents R1 and customers who will return R2 change by R1' = lambda + R2 / delay - R1 / s
    and R2' = p R1 / s - R2 / delay, exactly in the mean.
    """
    weights = np.array(
        [1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 12, 9, 8, 9, 11, 12, 10, 7, 5, 4, 3, 2, 1, 1]
    )
    rate, chance, work, away = 20.0, 0.6, 0.5, 2.0  # by the hour, in hours
    again = {"waiting": {"chance": chance, "delay": exponential("2h")}, "most": 1000}
    scenario = from_data(
        desk(
            {"kind": "hourly", "rate": f"{rate}/h", "week": {"hours": weights.tolist()}},
            agents={"all": {"heads": 2000, "handle_time": exponential("30min")}},
            touches=again,
        )
    )
    come = rate * weights / weights.mean()

    def change(hour, state):
        busy, returning, _ = state
        inflow = come[min(int(hour), 23)]
        done = busy / work
        return [inflow + returning / away - done, chance * done - returning / away, busy]

    total = [0.0]
    state = [0.0, 0.0, 0.0]
    for hour in range(24):
        # Hour by hour, as the rate jumps.
        state = solve_ivp(change, (hour, hour + 1 - 1e-12), state, rtol=1e-8, atol=1e-8).y[:, -1]
        total.append(state[2])
    offered = np.diff(total)
    # The peak comes after that of arrivals: 14 an hour weigh most at 9, agents are busiest later.
    assert offered.argmax() > weights.argmax()
    found = []
    for k in range(30):
        log = simulate(scenario, draw(scenario, k))
        table = levels.levels(log, scenario, H)
        found.append(table.loc[table["level"] == "busy", "mean"].to_numpy())
    agree(np.array(found), offered)


# Three types of tickets, two groups of agents, three periods of two hours.
TYPES, GROUPS = ("A", "B", "C"), ("first", "second")
SKILLS = {"first": ("A", "B"), "second": ("B", "C")}
HEADS, MEAN_H = (2, 1), (10 / 60, 15 / 60)
# Tickets an hour by period and type.
COME = np.array([[4.0, 2.0, 1.0], [9.0, 6.0, 4.0], [3.0, 1.0, 5.0]])
HOURS = 6


def multi_skill():
    """The desk: each queue has one place."""
    by_hour = np.zeros((24, 3))
    by_hour[:HOURS] = np.repeat(COME, 2, axis=0)
    total = by_hour.sum(axis=1)
    shares = by_hour / np.maximum(total, 1)[:, None]
    shares[HOURS:] = 1.0
    agents = {
        name: {"heads": heads, "skills": [*SKILLS[name]], "handle_time": exponential(mean)}
        for name, heads, mean in zip(GROUPS, HEADS, ("10min", "15min"), strict=True)
    }
    week = {"hours": total.tolist()}
    return from_data(
        desk(
            {"kind": "hourly", "rate": f"{total.mean()}/h", "week": week},
            agents=agents,
            queue={"capacity": 1},
            horizon=f"{HOURS}h",
            tickets={
                "category_mix": dict.fromkeys(TYPES, 1),
                "category_hours": dict(zip(TYPES, shares.T.tolist(), strict=True)),
            },
        )
    )


def moves(state, come):
    """Next states of the chain and their rates: busy agents by group, and who waits, in order."""
    busy, waiting = state[:2], state[2]
    for kind, rate in zip(TYPES, come, strict=True):
        free = [g for g in (0, 1) if kind in SKILLS[GROUPS[g]] and busy[g] < HEADS[g]]
        if free:
            yield (*(n + (g == free[0]) for g, n in enumerate(busy)), waiting), rate
        elif kind not in waiting:
            yield (*busy, waiting + kind), rate
    for g in (0, 1):
        able = [kind for kind in waiting if kind in SKILLS[GROUPS[g]]]
        rate = busy[g] / MEAN_H[g]
        if able:
            yield (*busy, waiting.replace(able[0], "", 1)), rate
        elif busy[g]:
            yield (*(n - (k == g) for k, n in enumerate(busy)), waiting), rate


def chain():
    """Hourly means by the chain: blocked shares and numbers waiting by type, busy by group."""
    states = [(0, 0, "")]
    for state in states:
        states += [there for there, _ in dict(moves(state, COME[0])).items() if there not in states]
    number = {state: k for k, state in enumerate(states)}
    size = len(states)
    waits = np.array([[kind in waiting for kind in TYPES] for *_, waiting in states], dtype=float)
    full = np.array([
        [
            kind in waiting and all(
                busy[g] == HEADS[g] for g in (0, 1) if kind in SKILLS[GROUPS[g]]
            )
            for kind in TYPES
        ]
        for *busy, waiting in states
    ], dtype=float)  # fmt: skip
    values = np.hstack([full, waits, np.array([state[:2] for state in states], dtype=float)])
    chance, found = np.eye(size)[0], []
    for hour in range(HOURS):
        flow = np.zeros((size, size))
        for state in states:
            for there, rate in moves(state, COME[hour // 2]):
                flow[number[state], number[there]] += rate
                flow[number[state], number[state]] -= rate
        # The integral of exp(flow t) over an hour stands beside exp(flow) itself.
        both = expm(np.block([[flow, np.eye(size)], [np.zeros((size, 2 * size))]]))
        found.append(chance @ both[:size, size:] @ values)
        chance = chance @ both[:size, :size]
    assert chance.sum() == pytest.approx(1)
    return np.array(found)


def by_hour_and_type(log, scenario):
    """The same figures of a run; of blocked ones the number, as shares need all replications."""
    visits, kinds = log.visits, log.tickets["category_true"].to_numpy()
    kinds = kinds[visits["ticket_id"].to_numpy() - 1]
    edges = np.arange(HOURS + 1) * H
    blocked, waiting = [], []
    for kind in TYPES:
        own = visits[kinds == kind]
        out = own.loc[own["end"] == "blocked", "queued_s"]
        blocked.append(np.histogram(out, edges)[0])
        stays = own[own["end"] != "blocked"]
        left = stays["started_s"].fillna(scenario.horizon).to_numpy()
        overlap = np.minimum(left[:, None], edges[1:]) - np.maximum(
            stays["queued_s"].to_numpy()[:, None], edges[:-1]
        )
        waiting.append(np.maximum(overlap, 0).sum(axis=0) / H)
    busy = [np.diff(levels.busy(log, name).integral(edges)) / H for name in GROUPS]
    return np.column_stack([*blocked, *waiting, *busy])


@pytest.mark.parametrize("runs", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_three_types_two_groups_and_three_periods_are_the_chain_by_hour_and_type(runs):
    """In the style of SSJ's and ContactCenters' examples, small enough to be solved exactly."""
    scenario, expected = multi_skill(), chain()
    # Hours differ, and so do types: 0.1 to 4 of ten are turned away.
    assert expected[:, :3].min() < 0.02
    assert expected[:, :3].max() > 0.3
    # Numbers that are turned away: those who come in the hour, times the share of it that is full.
    expected[:, :3] *= np.repeat(COME, 2, axis=0)
    found = np.array([
        by_hour_and_type(simulate(scenario, draw(scenario, k)), scenario) for k in range(runs)
    ])  # fmt: skip
    # Counts spread at least as their mean does, waits of minutes a fifth as much.
    least = np.sqrt(expected) * ([1.0] * 3 + [0.2] * 3 + [0.0] * 2)
    agree(found.reshape(runs, -1), expected.ravel(), least.ravel())
