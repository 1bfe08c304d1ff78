"""The cheapest setting that keeps its limits: decided by intervals, never by a few replications."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS

from twin.stats.feasibility import cheapest
from twin.stats.limits import MET, MISSED, OPEN, Limit, judge
from twin.stats.nested import DATA, Drawn

TICKETS = 500


class Desks:
    """Settings with known costs and a known share, such as of tickets given up."""

    def __init__(self, costs, shares, seed, spread=0.0):
        self.costs, self.shares, self.spread = costs, shares, spread
        self.seed = seed
        self.asked = 0

    def __call__(self, settings, begin, end):
        self.asked += len(settings) * (end - begin)
        return np.array([self.of(k, begin, end) for k in settings])

    def of(self, k, begin, end):
        rows = []
        for r in range(begin, end):
            rng = np.random.default_rng([self.seed, k, r])
            own = rng.normal(0, self.spread) if self.spread else 0.0
            rows.append([self.costs[k] + own, rng.binomial(TICKETS, self.shares[k])])
        over = np.array(rows, dtype=float).T
        return np.array([over, [np.ones(end - begin), np.full(end - begin, float(TICKETS))]])

    def start(self, n):
        return [self.of(k, 10_000, 10_000 + n)[:, 0] for k in range(len(self.costs))]


def ranks(desks, limit):
    """As a search by few replications ranks: those that look good by cost, the others after."""
    looks = [desks.of(k, 20_000, 20_003)[0, 1].sum() / 3 / TICKETS for k in range(len(desks.costs))]
    return [c if s <= limit else 1e6 + s for c, s in zip(desks.costs, looks, strict=True)]


def test_a_share_above_the_limit_in_six_replications_is_open():
    # 5.41 % in six replications of 500 tickets, at most 5 % are wanted.
    seen = judge([27, 31, 24, 30, 22, 28], [500] * 6, Limit(0.05, True, True), 0.025, 0.025)
    assert seen.value > 0.05
    assert seen.verdict == OPEN
    assert 0.003 < seen.gap < 0.005
    assert 6 < seen.more < 600
    far = judge([60, 58, 66, 71, 59, 62], [500] * 6, Limit(0.05, True, True), 0.025, 0.025)
    assert (far.verdict, far.more) == (MISSED, 0)
    good = judge([8, 12, 10, 9, 7, 11], [500] * 6, Limit(0.05, True, True), 0.025, 0.025)
    assert (good.verdict, good.gap < 0) == (MET, True)
    least = judge([490, 488, 491], [500] * 3, Limit(0.9, False, True), 0.025, 0.025)
    assert least.verdict == MET


def test_what_was_never_counted_is_missed_and_one_observation_is_open():
    assert judge([0, 0, 0], [0, 0, 0], Limit(0.5, False, True), 0.01, 0.01).verdict == MISSED
    one = judge([4, 0, 0], [5, 0, 0], Limit(0.5, False, True), 0.01, 0.01)
    assert one.verdict == OPEN
    assert math.isnan(one.more)


def test_a_cheaper_setting_is_never_dropped_for_its_luck():
    # The cheaper one keeps the limit, .0489 <= .05; its first replications say .0541 and more.
    limit = Limit(0.05, True, True)
    for seed in range(2000):
        desks = Desks([1.0, 2.0], [0.0489, 0.03], seed)
        if desks.of(0, 0, 6)[0, 1].sum() / 6 / TICKETS >= 0.0541:
            break
    found = cheapest(desks, desks.start(3), [1e6, 2.0], [limit], first=6, budget=600)
    assert found.best == 1
    assert found.near == (0,)
    assert found.replications[0] > 300
    (open_,) = found.judged[0]
    assert (open_.verdict, open_.more > 10) == (OPEN, True)
    # With more replications it is found.
    assert cheapest(desks, desks.start(3), [1e6, 2.0], [limit], first=6, budget=40_000).best == 0


def test_the_promise_holds_in_the_most_difficult_problems():
    """Shares all around the limit, so that errors are as likely as they can be."""
    wrong, undecided = 0, 0
    trials = 300
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        shares = np.sort(0.05 * (1 + rng.choice([-1, 1], 6) * rng.uniform(0.005, 0.3, 6)))[::-1]
        costs = np.arange(1.0, 7.0)
        desks = Desks(costs, shares, seed, spread=0.3)
        found = cheapest(
            desks, desks.start(3), ranks(desks, 0.05), [Limit(0.05, True, True)], 0.8,
            first=5, budget=300,
        )  # fmt: skip
        assert desks.asked == sum(found.replications) <= 300
        good = np.flatnonzero(shares <= 0.05)
        named = {found.best, *found.near}
        missed = found.best is not None and found.best not in good
        wrong += missed or (len(good) > 0 and good[0] not in named)
        undecided += found.best is None or found.best != good.min(initial=99)
    # 80 % are promised; the bounds add up errors that seldom come together.
    print(f"{trials} problems: {wrong} wrong answers, {undecided} with the best among near misses")
    assert wrong <= 0.2 * trials
    assert undecided < trials


class FromHistory(Desks):
    """The same as a history of some days shows them: all shares are off, and versions lie about."""

    def __init__(self, costs, shares, seed, off):
        super().__init__(costs, shares, seed)
        self.off = off
        self.shown = np.asarray(shares) * np.exp(np.random.default_rng([seed, 1]).normal(0, off))

    def of(self, k, begin, end):
        rows = []
        for r in range(begin, end):
            # Two replications in a row play one version.
            version = np.random.default_rng([self.seed, 2, r // 2]).normal(0, self.off)
            share = min(self.shown[k] * np.exp(version), 1.0)
            lost = np.random.default_rng([self.seed, 3, k, r]).binomial(TICKETS, share)
            rows.append([self.costs[k], lost])
        over = np.array(rows, dtype=float).T
        return np.array([over, [np.ones(end - begin), np.full(end - begin, float(TICKETS))]])

    def start(self, n):
        return [self.of(k, 0, n)[:, 0] for k in range(len(self.costs))]


def answers(sources, trials=60):
    """Share of answers that are wrong of the desk itself, and mean of the replications played."""
    wrong, played = 0, 0
    for seed in range(trials):
        rng = np.random.default_rng([seed, 9])
        shares = np.sort(0.05 * (1 + rng.choice([-1, 1], 5) * rng.uniform(0.02, 0.5, 5)))[::-1]
        desks = FromHistory(np.arange(1.0, 6.0), shares, seed, 0.2)

        def fresh(settings, begin, end, desks=desks):
            return desks(settings, 4 + begin, 4 + end)

        looks = [over.sum() / 4 / TICKETS for over in (desks.of(k, 0, 4)[0, 1] for k in range(5))]
        found = cheapest(
            fresh, desks.start(4), [c if s <= 0.05 else 1e6 + s
                                    for c, s in zip(desks.costs, looks, strict=True)],
            [Limit(0.05, True, True)], first=10, budget=400, sources=sources,
        )  # fmt: skip
        good = np.flatnonzero(shares <= 0.05)
        missed = found.best is not None and found.best not in good
        wrong += missed or (len(good) > 0 and good[0] not in {found.best, *found.near})
        played += sum(found.replications)
    return wrong / trials, played / trials


def test_the_promise_holds_of_the_desk_behind_a_history():
    wrong, played = answers((DATA,))
    alone, more = answers(())
    print(f"wrong answers {wrong:.0%} by versions, {alone:.0%} by replications alone")
    # 95 % are promised.
    assert wrong <= 0.05
    assert alone > 0.15
    # What no replication tells is not played for.
    assert played < 0.75 * more


def test_what_versions_leave_open_takes_no_replications():
    rng = np.random.default_rng(3)
    lost = rng.binomial(TICKETS, np.repeat(0.05 * np.exp(rng.normal(0, 0.3, 20)), 2))
    limit, under = Limit(0.055, True, True), np.full(40, TICKETS)
    drawn = Drawn(np.arange(40), (DATA,))
    one = judge(lost, under, limit, 0.025, 0.025, drawn)
    assert (one.verdict, one.more) == (OPEN, math.inf)
    assert one.luck < 0.2
    assert judge(lost, under, limit, 0.025, 0.025).more < 1000


@SETTINGS
@given(st.data())
def test_whatever_the_figures_the_answer_is_consistent(data):
    count = data.draw(st.integers(1, 6))
    costs = data.draw(
        st.lists(st.sampled_from([0.0, 1.0, 1.001, 2.0]), min_size=count, max_size=count)
    )
    shares = data.draw(
        st.lists(st.sampled_from([0.0, 0.04, 0.05, 0.2, 1.0]), min_size=count, max_size=count)
    )
    budget = data.draw(st.sampled_from([1, 7, 60, 200]))
    spread = data.draw(st.sampled_from([0.0, 0.2]))
    desks = Desks(costs, shares, data.draw(st.integers(0, 50)), spread)
    found = cheapest(desks, desks.start(data.draw(st.integers(1, 4))), costs,
                     [Limit(0.05, True, True)], first=3, budget=budget)  # fmt: skip
    assert sum(found.replications) == desks.asked <= budget
    assert found.best is None or found.verdicts[found.best] == MET
    assert found.best not in found.near
    for k, verdict in enumerate(found.verdicts):
        if k in found.near:
            assert verdict != MISSED
        elif k != found.best and verdict != MISSED:
            # What is left out without a look at its limits is shown to cost more.
            assert found.ahead[k][1] > 0
        assert verdict == OPEN or found.replications[k] >= 3


def test_equal_costs_are_named_and_waste_nothing():
    desks = Desks([1.0, 1.0, 3.0], [0.01, 0.01, 0.01], 1)
    found = cheapest(desks, desks.start(2), [1, 1, 3], [Limit(0.05, True, True)], first=10)
    assert found.best == 0
    assert found.near == (1,)
    assert found.ahead[1] == (0, 0, 0)
    assert sum(found.replications) < 100


class SameCustomers(Desks):
    """Costs a ticket: how many customers come is the same luck for all, and much of it."""

    def __init__(self, costs, shares, seed, skew=0.0, own=0.02):
        super().__init__(costs, shares, seed)
        self.skew, self.own = skew, own

    def of(self, k, begin, end):
        found = super().of(k, begin, end)
        for place, r in enumerate(range(begin, end)):
            came = np.random.default_rng([self.seed, 7, r]).lognormal(0, 0.3)
            own = np.random.default_rng([self.seed, 8, k, r])
            # Mean 1, and skewed the more.
            luck = own.gamma(1 / self.skew**2, self.skew**2) if self.skew else 1.0
            found[0, 0, place] = self.costs[k] * (1 + self.own * (luck - 1))
            found[1, 0, place] = came
        return found


def test_dear_settings_are_not_played_once_a_cheap_one_is_shown_to_keep_its_limits():
    shares = [0.2, 0.2, 0.04, *[0.02] * 40]
    desks = SameCustomers(1.0 + 0.1 * np.arange(43), shares, 2, skew=1.0, own=0.001)
    found = cheapest(desks, desks.start(3), desks.costs, [Limit(0.05, True, True)], first=10)
    assert found.best == 2
    assert found.near == ()
    # Played were the cheapest, and hardly another; each of the others is shown to cost more.
    assert sum(found.replications[10:]) == 0
    assert desks.asked <= 150
    assert all(low > 0 for _, low, _ in found.ahead[3:])


def test_a_setting_on_its_limit_keeps_the_others_waiting_for_no_more_than_its_share():
    desks = SameCustomers([1.0, 1.2, 1.4], [0.05, 0.03, 0.02], 4, skew=1.0)
    found = cheapest(
        desks, desks.start(3), desks.costs, [Limit(0.05, True, True)], first=10, budget=160
    )
    assert found.best == 1
    assert found.near == (0,)


def test_no_number_of_customers_hides_which_setting_costs_more():
    costs = 1 + 0.02 * np.arange(6)
    desks = SameCustomers(costs, [0.01] * 6, 5)
    found = cheapest(desks, desks.start(3), costs, [Limit(0.05, True, True)], first=10)
    # Three early replications tell 8 % from each other, though the cost of each moves by a third.
    assert (found.best, found.near, found.replications) == (0, (), (10, 10, 10, 10, 0, 0))
    early = np.array([np.divide(*one) for one in desks.start(3)])
    apart = early[4] - early[0]
    assert apart.std(ddof=1) > 0.1 * apart.mean()
    low, high = found.ahead[4][1:]
    assert 0 < low == pytest.approx(high)


@pytest.mark.parametrize(("skew", "own"), [(0.1, 0.02), (1.0, 0.002), (2.0, 0.001)])
def test_few_early_replications_rule_out_no_cheaper_setting(skew, own):
    """All keep their limits, and costs are close: that of luck in a search's own replications."""
    trials, wrong, few = 120, 0, 0
    for seed in range(trials):
        costs = 1 + np.random.default_rng([seed, 6]).choice([0.002, 0.005, 0.02, 0.06], 12).cumsum()
        desks = SameCustomers(costs, [0.01] * 12, seed, skew, own)
        early = desks.start(3)
        ranks = [np.divide(*pairs.sum(axis=-1)) for pairs in early]
        found = cheapest(desks, early, ranks, [Limit(0.05, True, True)], first=5, budget=300)
        wrong += 0 not in {found.best, *found.near}
        few += found.replications.count(0)
    print(f"skewness {2 * skew:g}: {wrong} of {trials} wrong; {few / trials:.1f} of 12 not played")
    # 5 % of answers may be wrong.
    assert wrong <= 0.05 * trials


@pytest.mark.parametrize("spread", [0.05, 0.5])
def test_costs_that_luck_moves_are_compared_by_their_interval(spread):
    desks = Desks([1.0, 1.2], [0.01, 0.01], 3, spread)
    found = cheapest(
        desks, desks.start(2), [1, 1.2], [Limit(0.05, True, True)], first=10, budget=4000
    )
    assert found.best == 0
    assert found.near == ()
