"""Forecasts of arrivals: bands that hold, days that say nothing, and the scenario that plays them.

How often bands hold, over many planted histories, is measured in `tests/test_forecast_study.py`.
"""

import json
import math
import re
from datetime import date, timedelta

import numpy as np
import pytest
from exports import DAY, HOUR, at, write_csv
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_arrivals import START, daily, planted
from scipy import stats
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.common.errors import Fault, ScenarioError
from twin.demand.arrivals import expected
from twin.experiments.versions import as_played, notes, read, sentence
from twin.history.fidelity import rungs
from twin.history.forecast.edges import cut_short, edges
from twin.history.forecast.held import Held, held_on
from twin.history.forecast.level import fit_level
from twin.history.forecast.written import VERSIONS
from twin.report.forecast import page
from twin.stats.nested import ASSUMED, DATA, FORECAST, parts

DESK = {
    "horizon": "1d",
    "arrivals": {"rate": "1/h"},
    "agents": {"all": {"heads": 2, "handle_time": "5min", "cost": 20}},
    "customers": {"survey_rate": 0.0},
}
DESK_FILE = """
question = "How is it now?"
horizon = "7d"
[arrivals]
rate = "1/h"
[agents.all]
heads = 2
handle_time = "5min"
"""


def events(path, each, odd=(), missing=(), zone="UTC", last_hour=17):
    """An export of tickets: `each` on a working day, a tenth on odd days, none on missing ones."""
    rng = np.random.default_rng(6)
    rows, case = [], 0
    for day, mean in enumerate(each):
        weekend = day % 7 >= 5
        number = 0 if weekend or day in missing else rng.poisson(mean)
        number = number // 10 if day in odd else number
        for second in np.sort(rng.uniform(8 * HOUR, last_hour * HOUR, number)):
            begin = day * DAY + second
            rows.append({"case": case, "activity": "New", "time": at(begin)})
            rows.append({"case": case, "activity": "Resolved", "time": at(begin + 600)})
            case += 1
    return write_csv(path, rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six weeks of 40 tickets a working day, in a history; one holiday, two days without data."""
    home = tmp_path_factory.mktemp("ahead")
    file = events(home / "log.csv", [40.0] * 40, odd={23}, missing={8, 9})
    twin.read_history(file, zone="UTC").save(home / "history")
    (home / "desk.toml").write_text(DESK_FILE)
    return home


@pytest.fixture(scope="module")
def history(folder):
    from twin.history.desk_history import open_history

    return open_history(folder / "history")


@pytest.fixture(scope="module")
def found(history):
    return twin.forecast(history, ahead=14)


# The bands


def test_of_a_level_that_never_moves_the_band_is_that_of_poisson():
    rng = np.random.default_rng(1)
    fit = fit_level(daily(rng.poisson(100.0, 7 * 40)))
    drawn = fit.paths(7, 4000, rng).counts(rng).sum(axis=1)
    low, high = np.quantile(drawn, (0.1, 0.9))
    wide = high - low
    alone = stats.poisson.ppf(0.9, 700) - stats.poisson.ppf(0.1, 700)
    assert abs(drawn.mean() - 700) < 25
    # Wider than chance alone, as the level and its steps are not known for sure; not by much.
    assert alone < wide < 1.6 * alone


def test_bands_hold_on_planted_histories():
    held = np.array([in_bands(number, 4, 14) for number in range(40)])
    for share, column in ((0.8, 0), (0.95, 1)):
        # Of totals within 2.5 standard errors; days of one history miss together, and count more.
        error = 2.5 * (share * (1 - share) / len(held)) ** 0.5
        assert share - error <= held[:, 2 + column].mean()
        assert share - 0.04 <= held[:, column].mean() <= share + 0.09
    # Chance alone, at the mean of the history, is far too sure of what comes.
    naive = [naive_holds(number, 4, 14) for number in range(40)]
    assert np.mean(naive) < 0.6


def in_bands(number, weeks, ahead):
    """Shares of days ahead in the bands of 80 and 95 %, and whether the total is in them."""
    counts, _ = planted(number, weeks, ahead)
    rng = np.random.default_rng(number)
    fit = fit_level(daily(counts[: 7 * weeks]))
    drawn, after = fit.paths(ahead, 1000, rng).counts(rng), counts[7 * weeks :]
    shares = []
    for ways, seen in ((drawn, after), (drawn.sum(axis=1, keepdims=True), [after.sum()])):
        low95, low80, high80, high95 = np.quantile(ways, (0.025, 0.1, 0.9, 0.975), axis=0)
        shares.append(np.mean((seen >= low80) & (seen <= high80)))
        shares.append(np.mean((seen >= low95) & (seen <= high95)))
    return shares


def naive_holds(number, weeks, ahead):
    """True if the total ahead is in the 80 % band of Poisson at the mean of the history."""
    counts, _ = planted(number, weeks, ahead)
    mean = counts[: 7 * weeks].mean() * ahead
    low, high = stats.poisson.ppf((0.1, 0.9), mean)
    return low <= counts[7 * weeks :].sum() <= high


def test_growth_goes_on():
    days = np.arange(7 * 12)
    rng = np.random.default_rng(3)
    fit = fit_level(daily(rng.poisson(200 * 1.05 ** (days / 7))))
    assert fit.growth == pytest.approx(0.05, abs=0.01)
    mean = fit.paths(28, 500, rng).mean
    assert mean[:, 21:].sum() / mean[:, :7].sum() == pytest.approx(1.05**3, rel=0.04)


def test_over_dispersion_and_weekdays_are_found():
    rng = np.random.default_rng(4)
    week = np.array([1.4, 1.2, 1.0, 1.0, 1.0, 0.2, 0.1])
    rate = 60 * week[np.arange(7 * 26) % 7]
    fit = fit_level(daily(rng.poisson(rng.gamma(rate / 4, 4))))
    assert 3 < fit.dispersion < 8
    assert fit.by_weekday() == pytest.approx(60 * week, rel=0.25)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(0, 3000), min_size=14, max_size=35),
    st.integers(1, 14),
    st.integers(0, 99),
)
def test_whatever_came_bands_are_numbers_in_order(counts, ahead, seed):
    if not sum(counts):
        counts[0] = 1
    rng = np.random.default_rng(seed)
    drawn = fit_level(daily(np.array(counts, dtype=float))).paths(ahead, 200, rng)
    assert np.isfinite(drawn.mean).all()
    assert (drawn.mean >= 0).all()
    assert (drawn.counts(rng) >= 0).all()


def test_days_without_data_are_not_days_without_tickets():
    rng = np.random.default_rng(5)
    counts = rng.poisson(50.0, 42).astype(float)
    kept = np.ones(42, dtype=bool)
    kept[[10, 11, 12, 30, 31]] = False
    with_gaps = fit_level(daily(counts, kept=kept)).by_weekday().mean()
    zeros = fit_level(daily(np.where(kept, counts, 0.0))).by_weekday().mean()
    assert with_gaps == pytest.approx(50, rel=0.05)
    assert abs(zeros - 50) > abs(with_gaps - 50)


# A history


def test_a_weekday_that_may_only_be_quiet_is_said(folder, found, tmp_path):
    assert not any("to be closed" in line for line in found.said)
    few = twin.read_history(events(tmp_path / "few.csv", [4.0] * 21), zone="UTC")
    ahead = twin.forecast(few, ahead=7)
    (saturday,) = (line for line in ahead.said if "Saturday" in line)
    assert saturday.startswith("Nobody came on the ")
    by_day = ahead.by_day().set_index("day")
    assert by_day.loc[[day for day in ahead.days if day.weekday() == 5], "high95"].eq(0).all()


def test_weeks_and_days_of_a_history(found):
    assert found.days[0] == START + timedelta(days=39)
    assert [day.weekday() for day in found.days[:3]] == [4, 5, 6]
    days, weeks = found.by_day(), found.by_week()
    closed = [day.weekday() >= 5 for day in found.days]
    assert (days.loc[closed, "high95"] == 0).all()
    assert (days.loc[~np.array(closed), "expected"].between(30, 52)).all()
    assert list(weeks["days"]) == [7, 7, 14]
    for low, high in (("low95", "low80"), ("low80", "high80"), ("high80", "high95")):
        assert (weeks[low] < weeks[high]).all()
    assert weeks["expected"].iloc[:2].sum() == pytest.approx(weeks["expected"].iloc[2])
    # The holiday and the days without data are left out, and said.
    assert found.unusual == (START + timedelta(days=23),)
    assert set(found.missing) == {START + timedelta(days=8), START + timedelta(days=9)}
    assert any("season" in line for line in found.said)


def test_holidays_are_as_those_before_or_as_stated(history):
    monday = START + timedelta(days=42)
    named = twin.forecast(history, 14, {monday: math.nan}).by_day().set_index("day")
    assert named.loc[monday, "holiday"]
    assert named.loc[monday, "expected"] == pytest.approx(4, abs=2)
    stated = twin.forecast(history, 14, {monday: 0.5}).by_day().set_index("day")
    assert stated.loc[monday, "expected"] == pytest.approx(20, abs=3)
    assert stated.loc[monday + timedelta(days=1), "expected"] == pytest.approx(40, abs=10)


def test_the_same_history_gives_the_same_forecast(history, found):
    again = twin.forecast(history, ahead=14)
    assert again.by_day().equals(found.by_day())
    other = twin.forecast(history, ahead=14, seed=5)
    assert not other.by_day().equals(found.by_day())


@pytest.mark.parametrize(
    ("ahead", "holidays", "said"),
    [
        (100, {}, r"is 100 days, and the history holds 37 whole days .*1d to 74d"),
        (0, {}, "1d to 74d"),
        (14, {date(2027, 1, 1): 0.5}, "is not among the days ahead"),
        (14, {START + timedelta(days=42): -0.5}, "from 0 to 100"),
    ],
)
def test_what_cannot_be_forecast_is_said(history, ahead, holidays, said):
    with pytest.raises(ScenarioError, match=said):
        twin.forecast(history, ahead, holidays)


def test_too_short_a_history_and_no_holiday_to_learn_from(tmp_path):
    file = events(tmp_path / "log.csv", [40.0] * 12)
    with pytest.raises(ScenarioError, match=r"holds 11 whole days with data; .* at least 14"):
        twin.forecast(twin.read_history(file, zone="UTC"), 7)
    file = events(tmp_path / "log.csv", [40.0] * 19)
    short = twin.read_history(file, zone="UTC")
    with pytest.raises(ScenarioError, match=r"no day with far fewer .*--holiday 2026-03-23=20%"):
        twin.forecast(short, 7, {START + timedelta(days=21): math.nan})


# The edges


def test_ramps_at_the_edges_are_told_and_sound_ones_are_not():
    rng = np.random.default_rng(8)
    counts = rng.poisson(60.0, 56).astype(float)
    late, early = counts.copy(), counts.copy()
    late[-7:] = rng.poisson(15, 7)
    early[:7] = rng.poisson(15, 7)
    (said,) = edges(daily(late))
    assert f"--until {START + timedelta(days=49)}" in said
    (said,) = edges(daily(early))
    assert f"--since {START + timedelta(days=7)}" in said
    assert edges(daily(counts)) == []
    told = [len(edges(daily(planted(k, 6, 0)[0]))) for k in range(20)]
    assert sum(told) <= 1


def test_a_last_day_that_was_cut_short_is_not_known(tmp_path):
    rng = np.random.default_rng(9)
    table = rng.poisson(3.0, (21, 24)).astype(float)
    table[:, :8] = 0
    whole = type(daily([1.0]))(tuple(START + timedelta(days=k) for k in range(21)), table)
    assert not cut_short(whole)
    cut = table.copy()
    cut[-1, 11:] = 0
    assert cut_short(type(whole)(whole.days, cut))


# The back-test of a history itself


def test_the_back_test_counts_what_bands_held():
    rng = np.random.default_rng(10)
    steady = held_on(daily(rng.poisson(80.0, 70)), 14)
    assert (steady.ahead, steady.origins, steady.days) == (14, 7, 98)
    assert steady.totals95 >= 6
    assert steady.warning == ""
    assert str(held_on(daily(rng.poisson(80.0, 16)), 14)).endswith("from what was before.")
    wild = Held(14, 12, 168, 60, 80, 12, 1, 2, apart=6)
    assert "too narrow" in wild.warning


# Versions: what a run plays


@pytest.fixture(scope="module")
def written(folder, found):
    return twin.write_forecast(found, folder / "desk.toml", folder / "ahead.toml")


def test_a_run_gets_the_arrivals_of_the_band(written, found):
    desk = twin.load(written)
    assert desk.start == found.days[0]
    assert expected(desk).between(0, desk.horizon) == pytest.approx(
        found.by_week()["expected"].iloc[-1], rel=0.005
    )
    totals = np.array([
        len(twin.draw(as_played(desk, k), k).arrived_s) for k in range(2 * VERSIONS)
    ])  # fmt: skip
    whole = found.by_week().iloc[-1]
    assert totals.mean() == pytest.approx(whole["expected"], rel=0.03)
    spread = found.counts.sum(axis=1).std()
    assert totals.std(ddof=1) == pytest.approx(spread, rel=0.25)
    inside = ((totals >= whole["low80"]) & (totals <= whole["high80"])).mean()
    assert 0.68 <= inside <= 0.92
    # Days, too, weekends closed.
    assert expected(desk).between(DAY, 3 * DAY) == 0


def test_the_interval_of_a_run_is_split(written):
    results = twin.run(twin.load(written), replications=20)
    row = results.summary().query("kpi == 'arrivals' and group == ''").iloc[0]
    assert row["forecast"] > row["luck"] > 0
    assert row["data"] == row["assumed"] == 0
    assert "each two replications: 50 versions of the arrivals ahead." in sentence(
        twin.load(written)
    )


def test_the_first_versions_are_spread_over_all(written):
    number = next(one for one in read(written.parent / "ahead-data/forecast.json"))
    sizes = np.array([sum(one) for one in number.versions])
    first = np.sort(sizes[:10])
    quantiles = np.quantile(sizes, (np.arange(10) + 0.5) / 10)
    assert first == pytest.approx(quantiles, rel=0.04)


def test_a_scenario_measures_from_a_day_on(folder, found):
    first = found.days[5]
    path = twin.write_forecast(found, folder / "desk.toml", folder / "later.toml", first)
    desk = twin.load(path)
    assert desk.start == found.days[0]
    assert desk.warm_up == 5 * DAY
    assert desk.horizon == 14 * DAY
    with pytest.raises(ScenarioError, match=r"from.*not among the days ahead"):
        twin.write_forecast(found, folder / "desk.toml", folder / "no.toml", date(2030, 1, 1))
    assert not (folder / "no.toml").exists()


def test_what_cannot_be_written_is_refused(folder, found, written):
    with pytest.raises(ScenarioError, match="is there already"):
        twin.write_forecast(found, folder / "desk.toml", written)
    with pytest.raises(ScenarioError, match="is the desk itself"):
        twin.write_forecast(found, folder / "desk.toml", folder / "desk.toml")
    trace = folder / "trace.toml"
    (folder / "t.csv").write_text("timestamp\n10\n")
    text = DESK_FILE.replace('rate = "1/h"', 'kind = "trace"\ntrace = "t.csv"')
    trace.write_text(text)
    with pytest.raises(ScenarioError, match="recorded arrivals"):
        twin.write_forecast(found, trace, folder / "other.toml")
    elsewhere = folder / "rome.toml"
    elsewhere.write_text(f'time_zone = "Europe/Rome"\n{DESK_FILE}')
    with pytest.raises(ScenarioError, match="not that of the history, UTC"):
        twin.write_forecast(found, elsewhere, folder / "other.toml")
    assert not (folder / "other.toml").exists()
    twin.write_forecast(found, folder / "desk.toml", written, replace_old=True)


def test_what_cannot_be_played_does_not_take_the_place_of_what_can(
    folder, found, written, monkeypatch
):
    before = as_played(twin.load(written), 0)

    def refuse(_):
        raise ScenarioError("x", [Fault("", "cannot be played")])

    monkeypatch.setattr("twin.history.forecast.written.check", refuse)
    with pytest.raises(ScenarioError, match="cannot be played"):
        twin.write_forecast(found, folder / "desk.toml", written, replace_old=True)
    assert as_played(twin.load(written), 0) == before


def test_a_what_if_keeps_the_forecast_and_a_set_number_is_as_set(written):
    desk = twin.load(written, {"arrivals.scale": 1.3})
    plain = twin.load(written)
    more = [as_played(desk, k).arrivals for k in (0, 2)]
    as_it_is = [as_played(plain, k).arrivals for k in (0, 2)]
    assert [one.day_factors for one in more] == [one.day_factors for one in as_it_is]
    assert more[0].day_factors != more[1].day_factors
    assert notes(desk) == []
    flat = twin.load(written, {"arrivals.day_factors": [1.0] * 14})
    assert as_played(flat, 0).arrivals.day_factors == [1.0] * 14


def test_history_forecast_and_assumptions_are_told_apart():
    rng, number, groups = np.random.default_rng(3), 400, 12
    data = np.repeat(rng.normal(size=(number, groups)), 8, axis=1)
    ahead = np.repeat(0.7 * rng.normal(size=(number, 2 * groups)), 4, axis=1)
    assumed = np.repeat(0.5 * rng.normal(size=(number, 4 * groups)), 2, axis=1)
    values = data + ahead + assumed + 0.2 * rng.normal(size=(number, 8 * groups))
    split = parts(values, np.arange(8 * groups), [DATA, FORECAST, ASSUMED])
    assert split.data.mean() == pytest.approx(1.0, rel=0.08)
    assert split.forecast.mean() == pytest.approx(0.49, rel=0.08)
    assert split.assumed.mean() == pytest.approx(0.25, rel=0.08)
    luck = (1 + 0.49 / 2 + 0.25 / 4 + 0.04 / 8) / groups
    assert split.luck.mean() == pytest.approx(luck, rel=0.08)


def test_draws_of_a_forecast_are_within_a_version_of_the_history(written, tmp_path):
    from twin.common.files import write_sealed

    desk = twin.load(written)
    rows = [{"key": ["agents", "all", "handle_time", "value"], "calibrated": "300s",
             "versions": ["200s", "300s", "400s"]}]  # fmt: skip
    key = ["agents", "all", "handle_time"]
    plain = desk.as_data()["agents"]["all"]["handle_time"]
    if isinstance(plain, str):
        rows[0] |= {"key": key, "calibrated": plain}
    else:
        rows[0] |= {"key": [*key, "value"], "calibrated": plain["value"]}
    write_sealed(tmp_path / "versions.json", {"numbers": rows})
    both = desk.vary({
        "uncertainty.file": str(tmp_path / "versions.json"),
        "uncertainty.assumed": {"arrivals.scale": [0.9, 1.1]},
    })  # fmt: skip
    played = [as_played(both, k) for k in range(16)]
    scales = [one.arrivals.scale for one in played]
    factors = [tuple(one.arrivals.day_factors) for one in played]
    times = [str(one.agents["all"].handle_time) for one in played]
    for values, each in ((scales, 2), (factors, 4), (times, 8)):
        runs = [values[k : k + each] for k in range(0, 16, each)]
        assert all(len(set(run)) == 1 for run in runs)
        assert len({run[0] for run in runs}) == len(runs)


# Factors of days


def test_factors_of_days_are_of_local_days():
    # The clocks go forward on 29 March: that day has 23 hours.
    desk = twin.from_data({
        **DESK, "start": "2026-03-28", "time_zone": "Europe/London", "horizon": "71h",
        "arrivals": {"rate": "10/h", "day_factors": [1, 2, 0.5]},
    })  # fmt: skip
    number = expected(desk)
    assert number.between(0, DAY) == pytest.approx(240)
    assert number.between(DAY, DAY + 23 * HOUR) == pytest.approx(460)
    assert number.between(DAY + 23 * HOUR, 71 * HOUR) == pytest.approx(120)
    at_s = twin.draw(desk, 0).arrived_s
    assert abs(((at_s >= DAY) & (at_s < DAY + 23 * HOUR)).sum() - 460) < 5 * 460**0.5


def test_a_run_longer_than_its_factors_is_a_fault():
    data = {**DESK, "horizon": "3d", "arrivals": {"rate": "10/h", "day_factors": [1, 2]}}
    with pytest.raises(ScenarioError, match="factors of 2 days, and the run has 3"):
        twin.check(twin.from_data(data))
    assert expected(twin.from_data({**data, "horizon": "2d"})).between(0, 2 * DAY) == 720


def test_other_days_of_a_scenario_have_their_own_factors():
    desk = twin.from_data({
        **DESK, "start": "2026-03-02", "horizon": "4d",
        "arrivals": {"rate": "10/h", "day_factors": [1, 2, 3, 4]},
    })  # fmt: skip
    first = desk.start.toordinal()
    moved = rungs.at(desk, [first + 2, first + 4], "moved")
    assert moved.arrivals.day_factors == [3, 4, 1]


# The command


def twin_forecast(*arguments):
    return CliRunner().invoke(app, ["forecast", *map(str, arguments)])


def test_the_command_tells_weeks_and_writes_page_and_scenario(folder):
    to, path = folder / "december.toml", folder / "page.html"
    done = twin_forecast(folder / "history", "--ahead", "14d", "--desk", folder / "desk.toml",
                         "--out", to, "--page", path, "--holiday", "2026-04-13=20%")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert re.search(r"2026-04-10 to 2026-04-16 +\d+ +\d+ to \d+ +\d+ to \d+", done.output)
    assert "all 14 days" in done.output
    assert "Back-test, " in done.output
    desk = twin.load(to)
    assert desk.arrivals.day_factors[3] < 0.4
    text = path.read_text()
    assert "Content-Security-Policy" in text
    assert "<script" not in text
    assert not re.search(r'(?:src|href)="(?!#|data:)', text)
    again = twin_forecast(folder / "history", "--ahead", "14d", "--desk", folder / "desk.toml",
                          "--out", to, "--page", path)  # fmt: skip
    assert again.exit_code == 2
    assert "--replace" in again.output


def test_the_command_as_json(folder):
    done = twin_forecast(folder / "history", "--ahead", "7d", "--json", "--page",
                         folder / "j.html")  # fmt: skip
    told = json.loads(done.output)
    assert len(told["days"]) == 7
    assert told["weeks"][0]["low80"] < told["weeks"][0]["high80"]
    assert told["back_test"]["origins"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--ahead", "36h"], "--ahead: must be whole days"),
        (["--ahead", "x"], "--ahead: must be a number above 0"),
        (["--holiday", "Friday"], '--holiday: must be a day such as "2026-12-25"'),
        (["--holiday", "2026-04-13=lots"], "--holiday: its share must be"),
        (["--out", "x.toml"], "--desk: is missing"),
        (["--desk", "desk.toml"], "--out: is missing"),
        (["--from", "2026-04-13"], "--from: there is no scenario"),
        (["--from", "soon", "--desk", "d.toml", "--out", "x.toml"], "--from: must be a day"),
    ],
)
def test_the_command_says_what_is_wrong(folder, arguments, said):
    done = twin_forecast(folder / "history", *arguments)
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


def test_texts_of_others_are_escaped(found, tmp_path):
    text = page(found, tmp_path / "<b>history</b>", tmp_path / "<i>d</i>.toml")
    assert "<b>history" not in text
    assert "<i>d" not in text
