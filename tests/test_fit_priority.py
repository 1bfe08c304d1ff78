"""Head start of customers of higher priority, out of the order in which agents took them.

`pytest -m slow -s tests/test_fit_priority.py` prints how often a planted head start lies within its
interval, and how often one is found that is not there.
"""

from datetime import date, timedelta
from heapq import heappop, heappush
from math import inf

import numpy as np
import pytest

import twin
from twin.history.fit.pairs import Pairs, pairs_of
from twin.history.fit.priority import fit_head_start
from twin.history.priorities import said_of
from twin.history.whole_days import Days
from twin.scenario.model import PRIORITIES

DAY_S, DAYS = 36_000.0, 14


def line(seed, bonus_s, share=1.0, noise_s=0.0, since=0, load=0.97, levels=(1, 3)):
    """One agent and a queue: moments, priorities and days of who waited.

    Some customers of higher priority have a head start; with noise the agent does not always take
    who is next.
    """
    rng = np.random.default_rng(seed)
    found = []
    for day in range(DAYS):
        at = day * 86_400.0 + np.cumsum(rng.exponential(200.0, int(DAY_S / 200.0)))
        level = rng.choice(2, len(at), p=np.array(levels) / sum(levels)) + 1
        has = (level == 1) & (rng.random(len(at)) < share) & (day >= since)
        key = at - bonus_s * has if bonus_s < inf else at - 1e9 * has
        key = key + rng.normal(0.0, noise_s, len(at)) if noise_s else key
        patience = rng.exponential(1200.0, len(at))
        work = rng.exponential(200.0 * load, len(at))
        waiting, free_s, k = [], at[0], 0
        while k < len(at) or waiting:
            while k < len(at) and (not waiting or at[k] <= free_s):
                free_s = max(free_s, at[k]) if not waiting else free_s
                heappush(waiting, (key[k], k))
                k += 1
            _, one = heappop(waiting)
            if at[one] + patience[one] < free_s:
                found.append((at[one], at[one] + patience[one], False, level[one], day))
                continue
            found.append((at[one], free_s, True, level[one], day))
            free_s += work[one]
    queued, until, served, level, day = (np.array(column) for column in zip(*found, strict=True))
    return pairs_of(queued, until, served, level, np.zeros(len(day), dtype=np.int64), day)


def phone_desk(seed, **routing):
    hours = [0] * 8 + [3, 5, 6, 5, 4, 4, 5, 5, 4, 3] + [0] * 6
    shift = {"days": "daily", "start": "08:00", "end": "18:00", "heads": 3}
    return twin.from_data({
        "seed": seed, "horizon": f"{DAYS}d", "routing": routing,
        "arrivals": {"kind": "hourly", "rate": "18/h", "week": {"hours": hours}},
        "tickets": {"category_mix": {"Short": 3, "Long": 1},
                    "priority_mix": {"urgent": 1, "high": 2, "normal": 6}},
        "agents": {"line": {"shifts": [shift], "handle_time": "4min"}},
        "customers": {"patience": {"distribution": "exponential", "mean": "6min"}},
    })  # fmt: skip


def of_desk(desk):
    log = twin.simulate(desk, twin.draw(desk))
    visits, tickets = log.visits, log.tickets.set_index("ticket_id")
    level = visits["ticket_id"].map(tickets["priority"].astype(str)).map(PRIORITIES.index)
    queued = visits["queued_s"].to_numpy()
    return pairs_of(
        queued,
        visits["started_s"].fillna(visits["ended_s"]).to_numpy(),
        visits["started_s"].notna().to_numpy(),
        level.to_numpy(),
        np.zeros(len(visits), dtype=np.int64),
        (queued // 86_400).astype(np.int64),
    )


def test_pairs_by_hand():
    """Normal comes at 0, high at 10 and 50; high of 10 is taken at 100, normal at 200."""
    queued, until = np.array([0.0, 10.0, 50.0, 60.0]), np.array([200.0, 100.0, 300.0, 90.0])
    served, level = np.array([True, True, True, False]), np.array([2, 1, 1, 2])
    same = np.zeros(4, dtype=np.int64)
    found = pairs_of(queued, until, served, level, same, same)
    # Taken at 100 before the normal one, who came 10 s earlier; at 200 the normal one goes first
    # though a high one came 50 s later. Who gave up at 90 was never passed by.
    assert found.lag_s.tolist() == [10.0, 50.0]
    assert found.ahead.tolist() == [1, 1]
    assert found.later_first.tolist() == [True, False]
    apart = pairs_of(queued, until, served, level, np.arange(4), same)
    assert len(apart) == 0
    assert len(pairs_of(queued, until, served, np.full(4, -1), same, same)) == 0


def test_who_overtakes_five_counts_once():
    queued = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    until = np.array([20.0, 21.0, 22.0, 23.0, 24.0, 10.0])
    level = np.array([2, 2, 2, 2, 2, 1])
    same = np.zeros(6, dtype=np.int64)
    found = pairs_of(queued, until, np.ones(6, dtype=bool), level, same, same)
    assert found.weight.tolist() == [0.2] * 5


@pytest.mark.parametrize(("key", "truth"), [("0s", 0.0), ("90s", 90.0), (None, inf)])
def test_the_order_of_a_planted_desk_is_found(key, truth):
    """Levels count: urgent is two head starts before normal."""
    found = fit_head_start(of_desk(phone_desk(3, **({} if key is None else {"wait_bonus": key}))))
    if truth in (0.0, inf):
        assert found.bonus_s == truth
    else:
        assert found.low_s <= truth <= found.high_s
        assert found.high_s - found.low_s < 5
        assert found.share > 0.98
    assert found.since is None


def test_a_share_of_them_and_the_day_from_which_on():
    found = fit_head_start(line(5, 90.0, share=0.6, since=6))
    assert found.since == 6
    assert found.share == pytest.approx(0.6, abs=0.15)
    assert found.low_s <= 90 <= found.high_s
    assert found.used_s == pytest.approx(0.6 * 90, rel=0.3)


def test_an_order_the_other_way_round_is_told_and_not_used():
    pairs = line(7, 120.0)
    found = fit_head_start(pairs.turned)
    assert found.turned
    assert found.used_s == 0
    assert fit_head_start(pairs).used_s > 60


def test_too_few_pairs_say_nothing():
    pairs = line(1, 300.0)
    few = np.flatnonzero(pairs.ahead > 0)[:20]
    found = fit_head_start(pairs.some(np.isin(np.arange(len(pairs)), few)))
    assert found.bonus_s == 0
    assert found.estimate().assumed
    nothing = np.zeros(0)
    none = Pairs(nothing, nothing.astype(int), nothing > 0, nothing.astype(int), nothing)
    assert fit_head_start(none).bonus_s == 0


def test_a_blurred_order_makes_the_head_start_assumed():
    """Agents also take by chance: its interval would hold the truth too seldom."""
    clean = [fit_head_start(line(500 + k, 90.0, 0.7)) for k in range(6)]
    blurred = [fit_head_start(line(500 + k, 90.0, 0.7, noise_s=30.0)) for k in range(6)]
    assert not any(one.blurred or one.estimate().assumed for one in clean)
    seen = [one for one in blurred if one.bonus_s > 0]
    assert len(seen) >= 4
    assert all(one.blurred and one.estimate().assumed for one in seen)
    assert str(seen[0].estimate()).startswith("assumed: about ")
    assert "went first all the same" in str(seen[0].estimate())
    dates = tuple(date(2026, 3, 2) + timedelta(days=k) for k in range(DAYS))
    days = Days(dates, 86_400.0 * np.arange(DAYS + 1), np.ones(DAYS, dtype=bool))
    assert "That is assumed" in said_of(seen[0], days)
    assert "assumed" not in said_of(clean[0], days)
    # A little chance is seen in the order of those who are alike.
    assert fit_head_start(line(500, 90.0, 0.7, noise_s=3.0)).blurred


def test_first_come_first_served_gets_no_head_start():
    """The order is kept, or agents take by chance, whatever the priority."""
    found = [fit_head_start(line(k, 0.0, noise_s=noise)) for k in range(5) for noise in (0, 120)]
    assert sum(one.bonus_s > 0 for one in found) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("noise_s", [0.0, 3.0, 10.0, 30.0, 120.0])
def test_rates(noise_s):
    number = 200
    fifo = [fit_head_start(line(10_000 + k, 0.0, noise_s=noise_s)) for k in range(number)]
    some = [fit_head_start(line(20_000 + k, 90.0, 0.7, noise_s)) for k in range(number)]
    false = np.mean([one.bonus_s > 0 for one in fifo])
    seen = [one for one in some if one.bonus_s > 0]
    sure = [one for one in seen if not one.blurred]
    inside = [one.low_s <= 90 <= one.high_s for one in sure]
    print(f"noise {noise_s}: found though not there {false:.3f}; there and found "
          f"{len(seen) / number:.3f}, of these called assumed {1 - len(sure) / len(seen):.3f}, "
          f"of the {len(sure)} others within the interval {sum(inside)}, "
          f"{np.median([one.high_s - one.low_s for one in seen]):.1f} s wide")  # fmt: skip
    assert false <= 0.05
    if not noise_s:
        assert len(sure) == len(seen)
        assert np.mean(inside) >= 0.93
    # An order by chance beside the head start blurs the step, and an interval is too narrow.
    if noise_s:
        assert len(sure) <= 0.05 * len(seen)
