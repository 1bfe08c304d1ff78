"""The fit of agents who come and go: what it writes is read back, and what it tries is bounded."""

import numpy as np
import pytest

from twin.history.fit.capacity import Availability, Waits, fit_capacity
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
