"""Arrivals at the rate that was asked for, and recorded ones as they were recorded."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from strategies import CATEGORIES, DATA

from twin.common.errors import ScenarioError
from twin.demand.arrivals import load_steps, rate_steps
from twin.demand.tickets import category_names, draw
from twin.scenario.model import PRIORITIES, from_data

DAY = 86400.0
PEOPLE = {"all": {"heads": 1, "handle_time": "5min"}}
SHAPE = {"hours": [0, 1, 2, 3] * 6, "days": [2, 1, 1, 1, 1, 0.5, 0]}


def desk(arrivals, **more):
    return from_data({"agents": PEOPLE, "arrivals": arrivals, **more})


def mean_rate(scenario, replication=0):
    """Mean of the arrival rate over the run, an hour."""
    rate = rate_steps(scenario, scenario.seed, replication).times(load_steps(scenario))
    return float((np.diff(rate.edges) * rate.values).sum() / scenario.horizon * 3600)


def test_poisson_arrivals_are_exponential_at_their_rate():
    times = draw(desk({"rate": "60/h"}, horizon="400h")).arrived_s
    assert len(times) == pytest.approx(24_000, abs=4 * np.sqrt(24_000))
    assert stats.kstest(np.diff(times, prepend=0), stats.expon(scale=60).cdf).pvalue > 0.01
    assert (np.diff(times) > 0).all()
    assert times[-1] < 400 * 3600


def test_constant_arrivals_are_evenly_spaced_and_end_before_the_horizon():
    times = draw(desk({"kind": "constant", "rate": "7/h"}, horizon="3h")).arrived_s
    assert times == pytest.approx(np.arange(1, 21) * 3600 / 7)
    double = draw(desk({"kind": "constant", "rate": "7/h", "scale": 2.0}, horizon="3h")).arrived_s
    assert double[1::2] == pytest.approx(times)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_an_hourly_week_has_the_mean_rate_and_the_shape_of_its_weights(scale):
    week = desk({"kind": "hourly", "rate": "80/h", "week": SHAPE, "scale": scale}, horizon="1w")
    assert mean_rate(week) == pytest.approx(80 * scale)
    rate = rate_steps(week, 1, 0)
    at = np.arange(168) * 3600.0
    shape = rate.at(at)
    weights = np.array(week.arrivals.week.weights)
    assert shape / shape.sum() == pytest.approx(weights / weights.sum())
    hours = np.bincount((draw(week).arrived_s // 3600).astype(int), minlength=168)
    assert (hours[weights == 0] == 0).all()
    expected = weights / weights.mean() * 80 * scale
    assert (np.abs(hours - expected) < 5 * np.sqrt(expected) + 1e-9).all()


def test_the_week_starts_on_its_own_weekday_and_local_hour():
    only_monday_nine = {"hours": [0] * 9 + [1] + [0] * 158}
    arrivals = {"kind": "hourly", "rate": "5/h", "week": only_monday_nine}
    # 2026-01-08 is a Thursday; the next Monday is four days on.
    times = draw(desk(arrivals, horizon="1w", start="2026-01-08")).arrived_s / 3600
    assert len(times)
    assert ((times >= 4 * 24 + 9) & (times < 4 * 24 + 10)).all()
    # The clocks go forward on Sunday 2026-03-29: nine o'clock on Monday comes an hour early.
    zone = {"time_zone": "Europe/London", "start": "2026-03-28"}
    times = draw(desk(arrivals, horizon="1w", **zone)).arrived_s / 3600
    assert ((times >= 2 * 24 + 8) & (times < 2 * 24 + 9)).all()


def test_busy_days_have_mean_one_and_the_cv_that_was_asked_for():
    long = desk({"rate": "10/h", "busyness": {"cv": 0.4}}, horizon="20000d")
    factor = rate_steps(long, 1, 0).at(np.arange(20_000) * DAY) * 360
    assert factor.mean() == pytest.approx(1, abs=0.012)
    assert factor.std() == pytest.approx(0.4, rel=0.03)
    assert stats.kstest(factor, stats.gamma(6.25, scale=0.16).cdf).pvalue > 0.01


def test_busy_days_make_counts_more_variable_than_poisson():
    years = desk({"rate": "2/h", "busyness": {"cv": 0.2}}, horizon="3000d")
    days = np.bincount((draw(years).arrived_s // DAY).astype(int), minlength=3000)
    # Variance of a Poisson count with a gamma factor: mean + (mean x cv)^2.
    assert days.var() / days.mean() == pytest.approx(1 + 48 * 0.04, rel=0.1)
    plain = desk({"rate": "2/h"}, horizon="3000d")
    days = np.bincount((draw(plain).arrived_s // DAY).astype(int), minlength=3000)
    assert days.var() / days.mean() == pytest.approx(1, abs=0.1)


PARTS = {"part_cv": 0.5, "part": "3h", "correlation": 0.6}


def gamma_correlation(cv, score_correlation):
    """Correlation of two gamma factors whose normal scores correlate, by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    factor = stats.gamma(1 / cv**2, scale=cv**2).isf
    second = score_correlation * nodes[:, None] + np.sqrt(1 - score_correlation**2) * nodes
    mean = weights @ (factor(stats.norm.sf(nodes))[:, None] * factor(stats.norm.sf(second)))
    return (mean @ weights - 1) / cv**2


def test_parts_of_a_day_have_mean_one_their_cv_and_go_with_the_next():
    long = desk({"rate": "10/h", "busyness": PARTS}, horizon="5000d")
    factor = rate_steps(long, 1, 0).at(np.arange(40_000) * 3 * 3600.0) * 360
    assert factor.mean() == pytest.approx(1, abs=0.02)
    assert factor.std() == pytest.approx(0.5, rel=0.03)
    assert stats.kstest(factor[::20], stats.gamma(4, scale=0.25).cdf).pvalue > 0.01
    for gap, score in ((1, 0.6), (2, 0.36), (8, 0.6**8)):
        found = np.corrcoef(factor[:-gap], factor[gap:])[0, 1]
        assert found == pytest.approx(gamma_correlation(0.5, score), abs=0.03)


def test_parts_come_on_top_of_their_day():
    both, days, parts = (
        rate_steps(desk({"rate": "10/h", "busyness": busyness}, horizon="30d"), 1, 2)
        for busyness in ({"cv": 0.3, **PARTS}, {"cv": 0.3}, PARTS)
    )
    at = np.arange(30 * 24) * 3600.0
    assert both.at(at) * 360 == pytest.approx(days.at(at) * 360 * parts.at(at) * 360)
    # The first days of a longer run are the same.
    longer = rate_steps(desk({"rate": "10/h", "busyness": PARTS}, horizon="60d"), 1, 2)
    assert (longer.at(at) == parts.at(at)).all()
    # Independent parts, and another replication, are others.
    alone = desk({"rate": "10/h", "busyness": {**PARTS, "correlation": 0.0}}, horizon="5000d")
    factor = rate_steps(alone, 1, 0).at(np.arange(40_000) * 3 * 3600.0)
    assert abs(np.corrcoef(factor[:-1], factor[1:])[0, 1]) < 0.02
    assert (rate_steps(alone, 1, 1).at(at) != rate_steps(alone, 1, 0).at(at)).mean() > 0.99


def test_parts_go_by_the_local_clock():
    # The hour from 1 to 2 comes twice: both belong to one part.
    zone = {"start": "2026-10-25", "time_zone": "Europe/London", "horizon": "1d"}
    busyness = {"part_cv": 0.5, "part": "1h"}
    rate = rate_steps(desk({"rate": "10/h", "busyness": busyness}, **zone), 1, 0)
    hours = rate.at(np.arange(24) * 3600.0)
    assert hours[1] == hours[2]
    assert len(set(hours)) == 23


def test_counts_of_parts_are_as_variable_as_the_formula_says():
    busyness = {"part_cv": 0.4, "part": "1h", "correlation": 0.5}
    years = draw(desk({"rate": "8/h", "busyness": busyness}, horizon="2000d"))
    hours = np.bincount((years.arrived_s // 3600).astype(int), minlength=48_000)
    # Variance of a Poisson count with a gamma factor, and covariance with the next one.
    assert hours.var() == pytest.approx(8 + 64 * 0.16, rel=0.04)
    found = np.cov(hours[:-1], hours[1:])[0, 1]
    assert found == pytest.approx(64 * 0.16 * gamma_correlation(0.4, 0.5), rel=0.06)


@pytest.mark.parametrize(
    ("busyness", "reason"),
    [
        ({}, "give cv .* part_cv .* or both"),
        ({"cv": 0.2, "correlation": 0.1}, "part and correlation belong to parts of a day"),
        ({"part_cv": 0.2, "part": "5h"}, "part must be 1h, 2h, 3h, 4h, 6h, 8h or 12h"),
        ({"part_cv": 0.2, "part": "30min"}, "part must be 1h"),
        ({"part_cv": 0.2, "correlation": 1.0}, "arrivals.busyness.correlation"),
        ({"part_cv": 4.0}, "arrivals.busyness.part_cv"),
    ],
)
def test_busyness_that_cannot_be_is_a_fault(busyness, reason):
    with pytest.raises(ScenarioError, match=reason):
        desk({"rate": "1/h", "busyness": busyness})


def test_hours_given_the_days_total_are_as_uneven_as_on_real_desks():
    week = {"hours": [0.0] * 7 + [1.0] * 17}

    def found(**busyness):
        plan = desk({"kind": "hourly", "rate": "61/h", "week": week, "busyness": busyness},
                    horizon="400d")  # fmt: skip
        hours = np.bincount((draw(plan).arrived_s // 3600).astype(int), minlength=400 * 24)
        return dispersion(hours.reshape(400, 24)[:, 7:])

    # About 86 an hour. Chance alone makes 1, also where days differ; parts of a day make 2 to 4.
    assert found(cv=0.2) == pytest.approx(1, abs=0.1)
    assert found(cv=0.2, part_cv=0.12) == pytest.approx(2, abs=0.25)
    assert found(cv=0.2, part_cv=0.2) == pytest.approx(4, abs=0.4)


BANK = Path(__file__).parents[1] / "data" / "bank_january.csv.gz"


def dispersion(counts):
    """Spread of counts by day and hour given the day's total, over that of Poisson counts."""
    share = counts.sum(axis=0) / counts.sum()
    expected = counts.sum(axis=1, keepdims=True) * share
    freedom = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    return float(((counts - expected) ** 2 / expected).sum() / freedom)


@pytest.mark.skipif(not BANK.is_file(), reason="the log of a bank's calls is not here")
def test_parts_of_a_day_are_as_busy_as_on_a_real_desk():
    times = pd.to_datetime(pd.read_csv(BANK, usecols=["entered"])["entered"])
    # Sundays to Thursdays from 7:00 to 24:00: 19 days, 86 calls an hour.
    real = pd.crosstab(times.dt.date, times.dt.hour)
    real = real[pd.to_datetime(real.index).day_of_week.isin([6, 0, 1, 2, 3])]
    real = real.reindex(columns=range(7, 24), fill_value=0).to_numpy()
    assert dispersion(real) == pytest.approx(4.3, abs=0.1)
    week = {"hours": [0.0] * 7 + real.sum(axis=0).tolist()}
    arrivals = {"kind": "hourly", "rate": f"{real.sum() / 19}/24h", "week": week}

    def simulated(busyness):
        plan = desk({**arrivals, "busyness": busyness}, horizon="19d")
        found = []
        for k in range(12):
            hours = np.bincount((draw(plan, k).arrived_s // 3600).astype(int), minlength=19 * 24)
            found.append(dispersion(hours.reshape(19, 24)[:, 7:]))
        return np.mean(found)

    # A factor a day leaves the hours of a day as even as chance does; parts of it do not.
    assert simulated({"cv": 0.2}) == pytest.approx(1, abs=0.1)
    assert simulated({"cv": 0.2, "part_cv": 0.2, "correlation": 0.35}) == pytest.approx(
        dispersion(real), rel=0.15
    )


def test_growth_raises_the_load_day_by_day():
    grown = load_steps(desk({"rate": "1/h", "growth": 0.1, "scale": 2.0}, horizon="15d"))
    assert grown.edges.tolist() == [k * DAY for k in range(16)]
    assert grown.values == pytest.approx(2 * 1.1 ** (np.arange(15) / 7))
    assert grown.at(np.array([7.5 * DAY])) == pytest.approx(2.2)
    falling = load_steps(desk({"rate": "1/h", "growth": -0.5}, horizon="15d"))
    assert falling.at(np.array([14.5 * DAY])) == pytest.approx(0.25)


@pytest.mark.parametrize("growth", [-0.3, 0.3])
def test_a_desk_that_grows_keeps_its_customers(growth):
    plain = draw(desk({"rate": "20/h"}, horizon="42d"))
    grown = draw(desk({"rate": "20/h", "growth": growth}, horizon="42d"))
    few, many = (plain, grown) if growth > 0 else (grown, plain)
    among = np.isin(many.arrived_s, few.arrived_s)
    assert among.sum() == len(few)
    weeks = np.bincount((grown.arrived_s // (7 * DAY)).astype(int))
    mean = 3360 * (1 + growth) ** np.arange(6) * ((1 + growth) ** (np.arange(7) / 7)).mean()
    assert weeks == pytest.approx(mean, abs=5 * np.sqrt(mean.max()))


def test_growth_of_evenly_spaced_tickets_is_their_rate():
    times = draw(desk({"kind": "constant", "rate": "7/d", "growth": 1.0}, horizon="8d")).arrived_s
    days = np.bincount((times // DAY).astype(int))
    total = np.cumsum(7 * 2 ** (np.arange(8) / 7))
    assert np.abs(np.cumsum(days) - total).max() <= 1


def test_growth_that_a_run_is_too_long_for_is_a_fault():
    with pytest.raises(ScenarioError, match=r"arrivals.growth: grows to over 1,000 times its size"):
        desk({"rate": "1/h", "growth": 1.0}, horizon="70d")
    with pytest.raises(ScenarioError, match=r"arrivals.growth: grows .* 5.22e\+03 weeks"):
        desk({"rate": "1/h", "growth": 9.0}, horizon="36525d")
    with pytest.raises(ScenarioError, match="growth, busyness, bursts and surges do not apply"):
        desk({"kind": "trace", "trace": str(DATA / "trace.csv"), "growth": 0.1})


def test_bursts_keep_the_mean_rate_in_the_long_run():
    bursts = {"factor": 8.0, "mean_quiet": "2h", "mean_burst": "30min"}
    long = desk({"rate": "30/h", "bursts": bursts}, horizon="2000d")
    assert mean_rate(long) == pytest.approx(30, rel=0.03)
    rate = rate_steps(long, 1, 0)
    edges, rates = rate.edges, rate.values
    low, high = np.unique(rates.round(12))
    assert high / low == pytest.approx(8)
    lengths = np.diff(edges)
    in_burst = rates > (low + high) / 2
    assert lengths[in_burst].mean() == pytest.approx(1800, rel=0.05)
    assert lengths[~in_burst].mean() == pytest.approx(7200, rel=0.05)
    # A short run starts in a burst as often as a long one is in one.
    share = np.mean([mean_rate(long.vary({"horizon": "1s"}), k) > 30 for k in range(800)])
    assert share == pytest.approx(0.2, abs=0.05)


def test_surges_multiply_the_rate_in_their_window():
    surges = [
        {"start": "0s", "length": "1h", "factor": 3.0},
        {"start": "2h", "length": "2h", "factor": 0.0},
        {"start": "3h30min", "length": "3h", "factor": 2.0},
    ]
    busy = desk({"rate": "36/h", "surges": surges}, horizon="8h")
    rate = rate_steps(busy, 1, 0).times(load_steps(busy))
    assert (rate.edges / 3600).tolist() == [0, 1, 2, 3.5, 4, 6.5, 8]
    assert rate.values * 3600 == pytest.approx([108, 36, 0, 0, 72, 36])
    hours = np.bincount(
        (draw(desk({"rate": "3600/h", "surges": surges}, horizon="8h")).arrived_s // 3600).astype(
            int
        )
    )
    assert hours[:4] / 3600 == pytest.approx([3, 1, 0, 0], abs=0.1)


def test_a_rate_of_nothing_and_a_load_of_nothing_bring_no_tickets():
    assert len(draw(desk({"rate": "0/h"}))) == 0
    assert len(draw(desk({"rate": "40/h", "scale": 0.0}))) == 0
    week = {"kind": "hourly", "rate": "40/h", "week": {"days": [0, 0, 0, 0, 0, 0, 1]}}
    assert len(draw(desk(week, horizon="5d"))) == 0


def test_an_absurd_load_is_a_fault_of_the_scenario():
    with pytest.raises(ScenarioError, match=r"arrivals.rate: about 6.05e\+08 tickets"):
        draw(desk({"rate": "1000/s"}, horizon="1w"))
    surges = [{"start": f"{k}min", "length": "1s", "factor": 1000} for k in (0, 0)]
    with pytest.raises(ScenarioError, match=r"arrivals.surges: 1,000,000 times the load takes"):
        draw(desk({"rate": "10/h", "surges": surges}, horizon="1w"))


def test_an_absurd_load_of_a_trace_is_a_fault_too(monkeypatch):
    monkeypatch.setattr("twin.demand.arrivals.MAX_TICKETS", 100)
    assert len(draw(traced(scale=1.5))) > 60
    with pytest.raises(ScenarioError, match=r"arrivals.scale: about 120 tickets"):
        draw(traced(scale=2.0))


# Recorded traces

TRACE = pd.read_csv(DATA / "trace.csv")
RECORDED_S = (pd.to_datetime(TRACE["timestamp"]) - pd.Timestamp("2026-01-05")).dt.total_seconds()


def traced(path=DATA / "trace.csv", scale=1.0, **more):
    return desk({"kind": "trace", "trace": str(path), "scale": scale}, **{"horizon": "1d", **more})


def test_a_trace_is_played_as_it_was_recorded():
    demand = draw(traced())
    assert (demand.arrived_s == RECORDED_S).all()
    assert [demand.texts[k] for k in demand.text] == TRACE["text"].tolist()
    assert [demand.categories[k] for k in demand.category] == TRACE["category"].tolist()
    assert [PRIORITIES[k] for k in demand.priority] == TRACE["priority"].tolist()
    # In every replication the same.
    assert (draw(traced(), 5).arrived_s == demand.arrived_s).all()


def test_a_trace_scaled_to_nothing_is_empty_and_keeps_its_categories():
    demand = draw(traced(scale=0.0))
    assert len(demand) == 0
    assert demand.categories == CATEGORIES == category_names(traced())


def test_half_a_trace_is_some_of_its_rows():
    kept = [draw(traced(scale=0.5), k) for k in range(200)]
    assert np.mean([len(demand) for demand in kept]) == pytest.approx(30, abs=1.5)
    for demand in kept:
        assert set(demand.arrived_s) <= set(RECORDED_S)
        assert demand.categories == CATEGORIES
        texts = dict(zip(RECORDED_S, TRACE["text"], strict=True))
        assert [demand.texts[k] for k in demand.text] == [texts[t] for t in demand.arrived_s]


def test_more_than_a_whole_trace_repeats_rows_before_the_next():
    counts = []
    for k in range(100):
        demand = draw(traced(scale=2.3), k)
        assert (np.diff(demand.arrived_s) >= 0).all()
        assert demand.arrived_s[-1] < DAY
        # The recorded moments are all there; copies lie between a row and the next.
        assert set(RECORDED_S) <= set(demand.arrived_s)
        row = np.searchsorted(RECORDED_S, demand.arrived_s, side="right") - 1
        copies = np.bincount(row, minlength=60)
        assert set(copies) <= {2, 3}
        assert [demand.texts[c] for c in demand.text] == TRACE["text"].to_numpy()[row].tolist()
        counts.append(len(demand))
    assert np.mean(counts) == pytest.approx(60 * 2.3, abs=1.5)


def test_only_what_lies_in_the_run_is_played():
    demand = draw(traced(start="2026-01-05", horizon="1h"))
    assert len(demand) == (RECORDED_S < 3600).sum()
    with pytest.raises(ScenarioError, match="no timestamp lies in the run"):
        draw(traced(start="2026-02-01"))


def write(tmp_path, text):
    path = tmp_path / "times.csv"
    path.write_text(text)
    return path


def test_times_are_local_unless_they_say_otherwise(tmp_path):
    path = write(tmp_path, "timestamp\n2026-07-01 09:00\n2026-07-01 10:30:15.5\n")
    where = {"start": "2026-07-01", "time_zone": "America/New_York"}
    assert draw(traced(path, **where)).arrived_s.tolist() == [9 * 3600, 10.5 * 3600 + 15.5]
    path = write(tmp_path, "timestamp\n2026-07-01T09:00:00Z\n2026-07-01T10:00:00Z\n")
    assert draw(traced(path, **where)).arrived_s.tolist() == [5 * 3600, 6 * 3600]


@pytest.mark.parametrize(
    ("offset", "summer"), [("+01:00", "+02:00"), ("+00:00", "+01:00")], ids=["Berlin", "London"]
)
def test_offsets_that_change_with_the_clocks_are_understood(tmp_path, offset, summer):
    rows = [f"2026-03-28T12:00:00{offset}", f"2026-03-30T12:00:00{summer}"]
    path = write(tmp_path, "timestamp\n" + "\n".join(rows) + "\n")
    zone = {"+01:00": "Europe/Berlin", "+00:00": "Europe/London"}[offset]
    demand = draw(traced(path, start="2026-03-28", time_zone=zone, horizon="3d"))
    assert (demand.arrived_s / 3600).tolist() == [12, 2 * 24 + 11]


def test_no_ticket_is_lost_when_the_clocks_change(tmp_path):
    # 01:30 comes twice on that day, and says not which; 01:30 in March does not come at all.
    path = write(tmp_path, "timestamp\n2026-10-25 00:30\n2026-10-25 01:30\n2026-10-25 03:00\n")
    london = {"time_zone": "Europe/London"}
    assert len(draw(traced(path, start="2026-10-25", **london))) == 3
    path = write(tmp_path, "timestamp\n2026-03-29 00:30\n2026-03-29 01:30\n2026-03-29 03:00\n")
    assert len(draw(traced(path, start="2026-03-29", **london))) == 3


@pytest.mark.parametrize("missing", ["", "NaN"])
def test_a_row_without_a_moment_is_not_dropped_in_silence(tmp_path, missing):
    path = write(tmp_path, f"timestamp,category\n2026-01-05 09:00,A\n{missing},B\n")
    with pytest.raises(ScenarioError, match="row 2 has no timestamp"):
        draw(traced(path))
    pd.DataFrame({"timestamp": [100.0, None]}).to_parquet(tmp_path / "times.parquet")
    with pytest.raises(ScenarioError, match="row 2 has no timestamp"):
        draw(traced(tmp_path / "times.parquet"))


def test_names_that_are_numbers_are_names(tmp_path):
    path = write(tmp_path, "timestamp,category,text\n100,2,17\n200,1,18\n")
    demand = draw(traced(path))
    assert demand.categories == ("1", "2")
    assert demand.category.tolist() == [1, 0]
    assert demand.texts == ("17", "18")


def test_a_null_of_parquet_is_a_blank_of_csv(tmp_path):
    frame = pd.DataFrame({"timestamp": [100.0, 200.0], "category": ["A", None]})
    frame.to_parquet(tmp_path / "times.parquet")
    # Neither makes a category without a name.
    with pytest.raises(ScenarioError, match="line 3, row 2 has no category"):
        draw(traced(write(tmp_path, frame.to_csv(index=False))))
    with pytest.raises(ScenarioError, match="row 2 has no category"):
        draw(traced(tmp_path / "times.parquet"))


def test_numbers_are_seconds_and_need_no_order(tmp_path):
    path = write(tmp_path, "timestamp,category\n300,B\n100.5,A\n300,A\n-5,A\n90000,C\n")
    demand = draw(traced(path))
    assert demand.arrived_s.tolist() == [100.5, 300, 300]
    assert [demand.categories[k] for k in demand.category] == ["A", "B", "A"]
    frame = pd.DataFrame({"timestamp": pd.to_datetime(["2026-01-05 01:00", "2026-01-05 00:30"])})
    parquet = tmp_path / "times.parquet"
    frame.to_parquet(parquet)
    assert draw(traced(parquet)).arrived_s.tolist() == [1800, 3600]


def test_a_trace_of_times_alone_takes_texts_from_the_corpus(tmp_path):
    path = write(tmp_path, "timestamp\n10\n20\n30\n")
    demand = draw(traced(path, tickets={"corpus": str(DATA / "corpus.csv")}))
    assert (demand.corpus.category[demand.text] == demand.category).all()
    assert draw(traced(path)).categories == ("General",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("when\n1\n", "no column timestamp; it has: when"),
        ("timestamp\nyesterday\n", "numbers of seconds or ISO times"),
        ("timestamp,priority\n1,hgih\n", 'line 2, row 1: unknown priority "hgih"; allowed: urgent'),
        ("", "not a readable CSV"),
    ],
)
def test_a_bad_trace_says_what_is_wrong(tmp_path, text, reason):
    with pytest.raises(ScenarioError, match=reason):
        draw(traced(write(tmp_path, text)))
