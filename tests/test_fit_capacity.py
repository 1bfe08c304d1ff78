"""The fit of agents who come and go: what it writes is read back, and what it tries is bounded."""

import numpy as np
import pytest

from twin.history.fit.away import SeenAway
from twin.history.fit.capacity import Availability, fit_capacity
from twin.history.fit.waits import Waits, gap, unlike
from twin.scenario.sections.people import Away


@pytest.mark.parametrize("hourly", [0.0001234, 0.5, 15_423.0, 123_456.0])
def test_rates_of_any_size_are_read_back(hourly):
    written = Availability(0.5, hourly, hourly, hourly, np.ones(24)).away()
    assert Away.model_validate(written).returns * 3600 == pytest.approx(hourly, rel=1e-3)


def test_rates_say_that_they_are_not_identified_one_by_one():
    found = Availability(0.5, 8.0, 13.0, 20.0, np.ones(24)).estimates("agents.all.away", 120)
    assert [one.key.rpartition(".")[2] for one in found] == [*Away.model_fields]
    for one in found:
        assert np.isnan([one.low, one.high]).all()
        assert "not identified one by one: no interval" in str(one)
        assert "n 120" in str(one)
        # They were fitted to what was seen: figures do not rest on an assumption by them.
        assert not one.assumed


def test_a_search_without_waits_to_go_by_stays_within_bounds():
    # Nobody ever waits, whatever the agents do: the search gains without end.
    none = Waits(np.full(100, 9), np.zeros(100), np.ones(100, dtype=bool))
    tried = []

    def play(availability, replications):
        if availability is None:
            return [none]
        tried.append(availability)
        # Better, the sooner they return and the more rarely they leave.
        wait_s = np.full(100, 10 * availability.while_idle / availability.returns)
        return [Waits(none.hour, wait_s, none.served)] * len(replications)

    fit_capacity(none, play)
    rates = np.array([[a.while_idle, a.returns, a.returns_per_queued] for a in tried])
    assert rates.max() <= 3600 * (1 + 1e-9)
    assert rates.min() >= (1 - 1e-9) / 720
    assert rates[:, 1].max() > 1000


def waits(seconds, served=None):
    seconds = np.asarray(seconds, dtype=float)
    served = np.ones(len(seconds), dtype=bool) if served is None else served
    return Waits(np.full(len(seconds), 9), seconds, served)


def test_quantiles_tell_waits_apart_that_have_the_same_tail():
    """Half of the customers wait a second less: nothing beside the longest, much to that half."""
    luck = np.random.default_rng(1)
    seen, again = (waits(np.sort(luck.exponential(8.0, 4000))) for _ in range(2))
    shorter = np.sort(again.wait_s)
    shorter[:2000] *= 0.4
    other = waits(shorter)
    assert unlike(seen, seen) == 0
    assert unlike(seen, other) > 5 * unlike(seen, again)
    assert gap(seen, other).loss < 5 * gap(seen, again).loss


def test_those_who_gave_up_count_and_nobody_served_is_no_fit():
    seen = waits(np.arange(1.0, 101.0))
    some = waits(np.arange(1.0, 101.0), np.arange(100) % 10 > 0)
    assert unlike(seen, some) == pytest.approx(0.3, abs=0.02)
    assert unlike(seen, waits([1.0], np.zeros(1, dtype=bool))) == np.inf


HOURS = np.full(2000, 9)


def left_and_returned(availability, replications):
    """Waits of agents who return by themselves, or the sooner the more wait, by a formula.

    By itself a wait is exponential; a queue that calls makes the longest ones shorter.
    """
    if availability is None:
        return [Waits(HOURS, np.zeros(2000), np.ones(2000, dtype=bool)) for _ in replications]
    found = []
    for k in replications:
        u = np.random.default_rng([3, k]).exponential(size=2000)
        rate, queued = availability.returns / 3600, availability.returns_per_queued / 3600
        wait_s = u / (rate + 0.2 * queued) / (1 + 2 * queued * u)
        found.append(Waits(HOURS, wait_s, np.ones(2000, dtype=bool)))
    return found


@pytest.mark.parametrize(
    ("returns", "queued"), [(450.0, 0.0), (0.0, 240.0)], ids=["by themselves", "called"]
)
def test_a_stretch_finds_the_plain_way_by_which_who_is_away_returns(returns, queued):
    """Seen while somebody waits, returns look like both: the search finds the edge."""
    way = Availability(0.01, 1e5, returns, queued, np.ones(24))
    (seen,) = left_and_returned(way, [77])
    direct = SeenAway(
        0.01, 500, returns=270.0, returns_per_queued=60.0, returned=300, away_hours=1.0
    )
    found = fit_capacity(seen, left_and_returned, direct=direct, idle=[100.0, 1e4]).availability
    most, least = ("returns", "returns_per_queued")[:: 1 if returns else -1]
    assert getattr(found, most) == pytest.approx(max(returns, queued), rel=0.05)
    # It does without the other, and what was seen of leaving stays.
    assert getattr(found, least) == pytest.approx(0.01 * getattr(found, most))
    assert found.after_touch == pytest.approx(0.01)


def test_a_stretch_of_agents_who_return_both_ways_is_fitted_by_both():
    both = Availability(0.01, 1e5, 300.0, 700.0, np.ones(24))
    (seen,) = left_and_returned(both, [77])
    direct = SeenAway(
        0.01, 500, returns=300.0, returns_per_queued=700.0, returned=300, away_hours=1.0
    )
    fit = fit_capacity(seen, left_and_returned, direct=direct, idle=[100.0, 1e4])
    # No plain way fits as well.
    assert fit.availability.returns == pytest.approx(300.0, rel=0.3)
    assert fit.availability.returns_per_queued == pytest.approx(700.0, rel=0.3)
    (played,) = left_and_returned(fit.availability, [5])
    assert unlike(seen, played) < 0.04
