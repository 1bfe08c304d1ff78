"""Statuses that have begun before the run: what is left of a delay of which some has passed."""

import numpy as np
import pytest
from days import DAY, HOUR
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy import stats
from strategies import SETTINGS, times

from twin.common.errors import ScenarioError
from twin.demand.tickets import draw
from twin.desk.clocks import past_clock
from twin.desk.simulation import simulate
from twin.experiments.checks import check
from twin.scenario.distributions import TimeDistribution
from twin.scenario.model import from_data
from twin.scenario.residual import longer, rest

TIME = TypeAdapter(TimeDistribution)
GRID = (np.arange(4000) + 0.5) / 4000
LOGNORMAL = {"distribution": "lognormal", "mean": "10h", "cv": 1.5}
EXPONENTIAL = {"distribution": "exponential", "mean": "5h"}


def test_what_is_left_of_known_times():
    exponential = TIME.validate_python(EXPONENTIAL)
    # Without a memory, to the last bit; also where next to none last so long.
    for passed_s in (0.0, HOUR, 1000 * DAY):
        left = rest(exponential, np.full(len(GRID), passed_s), GRID)
        np.testing.assert_array_equal(left, exponential.quantile(GRID))
    uniform = TIME.validate_python({"distribution": "uniform", "low": "1h", "high": "3h"})
    left = rest(uniform, np.full(len(GRID), 2 * HOUR), GRID)
    assert left == pytest.approx(GRID * HOUR, abs=1e-6)
    # Lognormal of mean m and cv c: sigma^2 = log(1 + c^2), median m / sqrt(1 + c^2).
    known = stats.lognorm(s=np.sqrt(np.log(3.25)), scale=10 * HOUR / np.sqrt(3.25))
    for passed_s in (0.0, 2 * HOUR, 50 * HOUR):
        left = rest(TIME.validate_python(LOGNORMAL), np.full(len(GRID), passed_s), GRID)
        given_longer = known.isf((1 - GRID) * known.sf(passed_s)) - passed_s
        assert left == pytest.approx(given_longer, rel=1e-6)


@SETTINGS
@given(times(60, 40_000), st.floats(0, 60_000), st.floats(1, 60_000))
def test_chances_of_what_is_left_are_those_given_that_it_lasts(distribution, passed_s, more_s):
    """Of any family: P(rest > r) = P(X > passed + r) / P(X > passed)."""
    one = TIME.validate_python(distribution)
    at_first, later = longer(one, np.array([passed_s, passed_s + more_s]))
    # By the quantile function alone; a mixture is not monotone, and the grid as fine as it is.
    assert at_first == pytest.approx((one.quantile(GRID) > passed_s).mean(), abs=2e-3)
    left = rest(one, np.full(len(GRID), passed_s), GRID)
    assert (left >= 0).all()
    if at_first > 1e-9:
        assert (left > more_s).mean() == pytest.approx(later / at_first, abs=2e-3)


@pytest.fixture
def opened(tmp_path):
    """A desk that is known by its statuses alone, with an opening backlog and no arrivals."""

    def made(rows, statuses, columns="timestamp,status,status_since", **more):
        path = tmp_path / "open.csv"
        path.write_text("\n".join([columns, *rows]))
        workflow = {"start": {next(iter(statuses)): 1.0}, "statuses": statuses}
        workflow |= more.pop("workflow", {})
        return {"horizon": "400d", "arrivals": {"rate": "0/h"}, "agents": {},
                "customers": {"survey_rate": 0.0}, "workflow": workflow,
                "backlog": {"file": str(path)}, **more}  # fmt: skip

    return made


def waits(delay, **more):
    return {"Wait": {"counts_as": "On hold", "delay": delay, "next": {"Done": 1.0}, **more},
            "Done": {"counts_as": "Resolved"}}  # fmt: skip


def resolved(log):
    return log.tickets["resolved_s"].tolist()


def test_a_constant_delay_ends_when_the_rest_of_it_has_passed(opened, play):
    """Blank: not known, so it begins now; longer than it ever lasts: it goes on at once."""
    rows = ["-30000,Wait,-21600", "-29000,Wait,", "-28800,Wait,-28800", "-500,,"]
    assert resolved(play(opened(rows, waits("7h")))) == [HOUR, 7 * HOUR, 0.0, 7 * HOUR]
    # Times of the clock do as well as seconds.
    data = opened(["2026-01-04 12:00,Wait,2026-01-04T19:00+01:00"], waits("7h"))
    assert resolved(play(data)) == [HOUR]


def test_an_exponential_delay_does_not_change_with_the_time_spent(opened, play):
    rows = [f"-90000,Wait,-{k * 100}" for k in range(1, 300)]
    log = play(opened(rows, waits(EXPONENTIAL)))
    blank = play(opened(["-90000,Wait,"] * 299, waits(EXPONENTIAL)))
    assert resolved(log) == resolved(blank)


def test_a_lognormal_delay_is_one_of_those_that_last_so_long(opened, play):
    """Conditional distribution by scipy; as if it began now it would be far off."""
    rows = ["-300000,Wait,-72000"] * 1500
    known = stats.lognorm(s=np.sqrt(np.log(3.25)), scale=10 * HOUR / np.sqrt(3.25))

    def left(given_s):
        return 1 - known.sf(20 * HOUR + np.asarray(given_s)) / known.sf(20 * HOUR)

    found = resolved(play(opened(rows, waits(LOGNORMAL))))
    assert stats.kstest(found, left).pvalue > 0.01
    fresh = resolved(play(opened(["-300000,Wait,"] * 1500, waits(LOGNORMAL))))
    assert stats.kstest(fresh, left).pvalue < 1e-9


def test_what_follows_hangs_on_the_time_spent(opened, play):
    """Of two next statuses with exponential delays, the one of short delays has become rare."""
    statuses = {
        "Wait": {"counts_as": "On hold", "next": {
            "Quick": {"chance": 0.5, "delay": {"distribution": "exponential", "mean": "1h"}},
            "Slow": {"chance": 0.3, "delay": {"distribution": "exponential", "mean": "3h"}},
            "Never": {"chance": 0.2, "delay": "2h"}}},
        **{name: {"counts_as": "Resolved"} for name in ("Quick", "Slow", "Never")},
    }  # fmt: skip
    log = play(opened(["-90000,Wait,-7200"] * 4000, statuses))
    last = log.timeline.drop_duplicates("ticket_id", keep="last")["detail"].value_counts()
    quick, slow = 0.5 * np.exp(-2), 0.3 * np.exp(-2 / 3)
    assert last["Quick"] / 4000 == pytest.approx(quick / (quick + slow), abs=0.02)
    assert last["Quick"] + last["Slow"] == 4000
    # Who rests for ever is still there, more likely the longer.
    del statuses["Wait"]["next"]["Never"]
    log = play(opened(["-90000,Wait,-7200"] * 4000, statuses))
    share = log.tickets["status"].eq("On hold").mean()
    assert share == pytest.approx(0.2 / (0.2 + quick + slow), abs=0.02)


def test_time_is_spent_by_the_clock_of_the_delay(opened, play):
    """Since 15:00 yesterday one of three desk hours has passed: the others are over at 10:00."""
    pool = {"all": {"handle_time": "5min", "shifts": [{"start": "08:00", "end": "16:00",
                                                       "heads": 1}]}}  # fmt: skip
    rows = [f"-{30 * HOUR},Wait,-{9 * HOUR}", f"-{80 * HOUR},Wait,-{27 * HOUR}"]
    data = opened(rows, waits("3h", clock="desk hours"), agents=pool)
    # Of the other all had passed yesterday from 08:00 on, so it is over.
    assert sorted(resolved(play(data))) == [0.0, 10 * HOUR]
    # Nights count nine times: since 18:00 yesterday 6 hours have passed at 9/5 each.
    nights = ([9.0] * 6 + [1.0] * 12 + [9.0] * 6) * 7
    data = opened([f"-{30 * HOUR},Wait,-{6 * HOUR}"], waits("18h", clock="nights"),
                  workflow={"clocks": {"nights": nights}})  # fmt: skip
    assert resolved(play(data)) == pytest.approx([4 * HOUR])


def test_a_clock_of_the_past_goes_on_into_that_of_the_run(opened):
    """Also where the clocks change before it: hours of the desk are local."""
    pool = {"all": {"handle_time": "5min", "shifts": [{"days": "Mon-Fri", "start": "08:00",
                                                       "end": "16:00", "heads": 1}]}}  # fmt: skip
    scenario = from_data(opened([], waits("1h"), agents=pool, start="2026-03-30",
                                time_zone="Europe/London"))  # fmt: skip
    past = past_clock("desk hours", scenario, -9 * DAY)
    # The run starts at midnight (BST), an hour after 23:00 of Greenwich: Friday 16:00 is 55 h ago.
    assert past.between(-55 * HOUR - 1, 0.0) == 1.0
    assert past.between(-9 * DAY, 0.0) == 5 * 8 * HOUR


def test_where_agents_work_the_delay_may_be_over(opened, play):
    """Two of three hours have passed; what else it waited for is not known."""
    work = {"Wait": {"counts_as": "Open", "delay": "3h", "work": True, "next": {"Done": 1.0}},
            "Done": {"counts_as": "Resolved"}}  # fmt: skip
    agents = {"all": {"heads": 9, "handle_time": "10min"}}
    rows = [f"-{9 * HOUR},Wait,-{2 * HOUR}", f"-{8 * HOUR},Wait,-{4 * HOUR}"]
    assert resolved(play(opened(rows, work, agents=agents))) == [HOUR + 600, 600]


def test_the_age_that_counts_is_that_at_which_the_status_began(opened, play):
    step = {"chance": 1.0, "delay_by_age": ["4h", "9h"]}
    statuses = {"Wait": {"counts_as": "On hold", "next": {"Done": step}},
                "Done": {"counts_as": "Resolved"}}  # fmt: skip
    rows = [f"-{30 * HOUR},Wait,-{3 * HOUR}", f"-{5 * HOUR},Wait,-{3 * HOUR}"]
    data = opened(rows, statuses, workflow={"ages": ["10h"]})
    assert resolved(play(data)) == [6 * HOUR, HOUR]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("-60,Wait,5", "1 of its status_since lie after the start of the run"),
        ("-60,Wait,-3600", "1 of its status_since lie before its ticket arrived"),
        ("-60,Wait,soon", "line 2.*soon"),
    ],
)
def test_a_moment_that_cannot_be_is_a_fault(opened, row, reason):
    scenario = from_data(opened([row], waits("7h")))
    for use in (draw, check):
        with pytest.raises(ScenarioError, match=rf"open\.csv.*{reason}"):
            use(scenario)


def test_without_a_workflow_the_column_is_not_read(tmp_path):
    path = tmp_path / "open.csv"
    path.write_text("timestamp,status_since\n-60,whenever\n")
    pool = {"all": {"heads": 1, "handle_time": "5min"}}
    data = {"arrivals": {"rate": "0/h"}, "agents": pool, "backlog": {"file": str(path)}}
    scenario = from_data(data)
    assert simulate(scenario, draw(scenario)).tickets["resolved_s"].tolist() == [300.0]


def test_a_copy_that_starts_on_another_day_does_so_at_its_midnight():
    scenario = from_data({"arrivals": {"rate": "1/h"}, "start": "2026-01-05",
                          "agents": {"all": {"heads": 1, "handle_time": "5min"}}})  # fmt: skip
    assert f"{scenario.midnight:%d}" == "05"
    earlier = scenario.model_copy(update={"start": scenario.start.replace(day=1)})
    assert f"{earlier.midnight:%d}" == "01"
