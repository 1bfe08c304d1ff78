"""A desk's history as it was: its figures by week or day, its pictures and its page."""

import re

import browser
import numpy as np
import pandas as pd
import pytest
from exports import DAY, HOUR, at, write_csv
from test_history_traps import made
from test_report_browser import CONTRAST, HIDDEN, LETTERS

import twin
from twin import plots, series
from twin.cli.app import app
from twin.common.text import amount
from twin.history.periods import cut, kpis_by_period, periods
from twin.measures.sanity import sanity
from twin.report import page as pages
from twin.report.history import _gaps
from twin.report.pictures import _seen
from twin.report.source import Source
from twin.scenario.clock import local

EVIL = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Seven weeks of tickets whose category and team are markup."""
    rng = np.random.default_rng(3)
    lines = [
        {"id": r["id"], "created": at(r["created"]), "solved": at(r["solved"]),
         "first reply at": at(r["solved"] and r["created"] + (r["solved"] - r["created"]) / 3),
         "category": EVIL, "team": EVIL, "priority": ("low", "high")[k % 2],
         "rating": int(rng.integers(1, 6)) if r["solved"] else ""}
        for k, r in enumerate(made(count=900, days=49))
    ]  # fmt: skip
    return write_csv(tmp_path_factory.mktemp("export") / "t.csv", lines)


@pytest.fixture(scope="module")
def history(source):
    return twin.read_history(source, zone="UTC", since="2026-03-02")


def figure(frame, kpi):
    rows = frame[(frame["kpi"] == kpi) & (frame["group"] == "")]
    return rows.iloc[0]


def test_weeks_take_the_place_of_replications(history):
    assert history.periods == "weeks"
    summary = twin.summarize(history.kpis)
    whole = twin.measure(history.log, history.desk)
    # Whole weeks, less the last hours: what they add up to is the whole history's.
    weeks = int(history.kpis["replication"].nunique())
    assert weeks in (6, 7)
    arrivals = history.log.tickets["arrived_s"].between(0, weeks * 7 * DAY, inclusive="left").sum()
    assert figure(summary, "arrivals")["value"] * weeks == pytest.approx(arrivals)
    for kpi in ("resolution_mean", "first_response_mean", "backlog", "csat", "throughput"):
        row = figure(summary, kpi)
        assert row["low"] < row["value"] < row["high"]
        assert row["value"] == pytest.approx(figure(whole, kpi)["value"], rel=0.1), kpi
    assert np.isnan(figure(summary, "occupancy")["value"])


def test_a_stretch_of_a_history_adds_up_by_itself(history):
    whole = history.log
    for start in (0.0, 3.3 * DAY, 40.5 * DAY):
        part = cut(whole, start, start + 5 * DAY)
        assert sanity(part, history.desk)["ok"].all()
        level = series.levels_over_time(history.levels, HOUR)
        mine = level[(level["level"] == "backlog") & (level["start_s"] >= start)
                     & (level["end_s"] <= start + 5 * DAY)]  # fmt: skip
        found = twin.measure(part, history.desk.model_copy(update={"horizon": 5 * DAY}))
        assert figure(found, "backlog")["value"] == pytest.approx(mine["mean"].mean(), rel=0.02)


def test_the_parts_of_a_history_share_out_its_time_and_its_tickets(history):
    name, parts = periods(history.desk, history.log.horizon_s)
    assert name == "weeks"
    kpis = kpis_by_period(history.log, history.desk, parts)
    done = kpis[(kpis["kpi"] == "throughput") & (kpis["group"] == "")]["numerator"].sum()
    end = parts[-1].end_s
    last = history.log.tickets["resolved_s"]
    assert done == pytest.approx((last < end).sum())


def test_short_histories_go_by_days_and_very_short_ones_have_no_intervals(source):
    days = twin.read_history(source, zone="UTC", since="2026-03-02", until="2026-03-12")
    assert days.periods == "days"
    assert days.kpis["replication"].nunique() == 10
    one = twin.read_history(source, zone="UTC", since="2026-03-02", until="2026-03-02 20:00")
    assert one.periods == "history"
    assert np.isnan(figure(twin.summarize(one.kpis), "arrivals")["low"])


def test_the_week_has_the_shape_of_its_arrivals(history):
    week = series.arrivals_by_hour(history.log.tickets, history.desk)
    here = history.log.tickets["arrived_s"].ge(0).sum()
    assert (week["mean"] * week["hours"]).sum() == pytest.approx(here)
    assert week["hours"].sum() == pytest.approx(history.log.horizon_s / HOUR)
    gap = history.desk.start
    without = series.arrivals_by_hour(history.log.tickets, history.desk, [gap])
    assert week["hours"].sum() - without["hours"].sum() == pytest.approx(24)
    drawn = plots.arrivals_by_hour(week).collections[0].get_array()
    assert np.ma.filled(drawn, np.nan).ravel() == pytest.approx(week["mean"].to_numpy())


def test_plots_of_runs_draw_a_history(history):
    flows = series.throughput(history.log.tickets, history.log.horizon_s)
    assert plots.throughput(flows).lines
    curves = series.response_times(history.log.tickets, history.desk)
    assert set(curves["priority"]) == {"low", "high"}
    bare = history.log.tickets.assign(priority=pd.Categorical([None] * len(history.log.tickets)))
    assert set(series.response_times(bare, history.desk)["priority"]) == {"no priority"}


def test_lines_over_time_leave_out_days_without_data(tmp_path):
    rows = [r for r in made() if not 20 <= r["created"] / DAY < 22]
    path = write_csv(tmp_path / "t.csv", [
        {"id": r["id"], "created": at(r["created"]), "solved": at(r["solved"])} for r in rows
    ])  # fmt: skip
    history = twin.read_history(path, zone="UTC", since="2026-03-02")
    results = history.results()
    source = Source(results, results.runs[0], results.summary(), False, _gaps(history))
    flows = _seen(series.throughput(history.log.tickets, history.log.horizon_s, 12 * HOUR), source)
    blank = flows[flows["mean"].isna() & (flows["flow"] == "arrivals")]
    assert blank["start_s"].tolist() == [20 * DAY, 20.5 * DAY, 21 * DAY, 21.5 * DAY]


@pytest.fixture(scope="module")
def page(history, tmp_path_factory):
    folder = history.save(tmp_path_factory.mktemp("saved") / "history")
    with pytest.raises(SystemExit) as ended:
        app(["report", str(folder)])
    assert ended.value.code == 0
    return folder / "report.html"


def test_the_page_tells_figures_pictures_columns_and_traps(page):
    text = page.read_text(encoding="utf-8")
    plain = re.sub(r"<[^>]*>", " ", text)
    for words in ("± is the 95 % interval over", "Arrivals are those of a week",
                  "Read as a table of tickets", "guessed by its name", "conservation",
                  "Tickets an hour, by hour of arrival", "Time to resolution",
                  "the export does not tell"):  # fmt: skip
        assert words in plain, words
    assert "assumed:" not in plain
    assert EVIL not in text
    assert "<script" not in text


@pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")
def test_the_page_fits_a_screen_and_a_phone(page, tmp_path):
    with browser.Browser(tmp_path / "profile") as chromium:
        for width in (1280, 390):
            chromium.open(page, width, phone=width == 390)
            assert chromium.complaints() == []
            assert chromium.run("document.querySelectorAll('figure svg').length") >= 7
            assert chromium.run(HIDDEN) == []
            assert chromium.run("document.documentElement.scrollWidth") <= width
            smallest, cut_off = chromium.run(LETTERS)
            assert cut_off == []
            assert smallest >= 8
            assert chromium.run(CONTRAST) >= 4.5
            assert chromium.barriers() == []


def test_pictures_of_calls_end_with_the_calls_and_with_whole_intervals(tmp_path):
    """Four weeks of calls over a change of the clocks: two an hour from 8 to 18, a minute each."""
    rows = ["call,arrived,answered,ended,agent"]
    for day in pd.date_range("2026-03-16", "2026-04-12"):
        for k in range(20):
            moment = day + pd.Timedelta(minutes=8 * 60 + 30 * k)
            done = moment + pd.Timedelta(minutes=1)
            rows.append(f"{len(rows)},{moment},{moment},{done},a")
    # The last moments of the history are in a rest of seconds, behind the last whole hour.
    rows[-1] = f"{len(rows) - 1},2026-04-12 17:30:00,2026-04-12 17:30:00,2026-04-12 18:00:03,a"
    path = tmp_path / "calls.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    history = twin.read_history(path, zone="Europe/London")
    start = history.desk.midnight
    flows = series.throughput(history.log.tickets, history.log.horizon_s, 21600.0, start)
    assert flows["mean"].max() <= 2.1
    resolved = flows[flows["flow"] == "resolved"]
    assert ((resolved["end_s"] - resolved["start_s"]) * resolved["mean"]).sum() / 3600 == (
        pytest.approx(len(rows) - 1)
    )
    # Each day has the same four intervals by the clock, those after the change, too.
    came = flows[flows["flow"] == "arrivals"].assign(
        hour=[local(at_s, start).hour for at_s in flows.loc[flows["flow"] == "arrivals", "start_s"]]
    )
    assert set(came["hour"]) == {0, 6, 12, 18}
    assert came.groupby("hour")["mean"].max().round(2).to_dict() == {0: 0, 6: 1.33, 12: 2, 18: 0}
    lives = series.ticket_lives(
        history.log.timeline, [1], history.log.horizon_s, stays_resolved=False
    )
    assert lives["end_s"].max() == 60
    drawn = re.search(r"Bars of statuses, a ticket each: [^\"]*", pages.page(history))[0]
    assert f", {amount(60.0, 's')} in all" in " ".join(drawn.split())


def test_agents_on_shift_keep_their_hours_when_the_clocks_change(tmp_path):
    path = tmp_path / "calls.csv"
    rows = [f"{k},2026-{day} 09:00,2026-{day} 09:00,2026-{day} 09:05,a"
            for k, day in enumerate(f"{m:02d}-{d:02d}" for m, n in ((3, 31), (4, 12))
                                    for d in range(16 if m == 3 else 1, n + 1))]  # fmt: skip
    path.write_text("\n".join(["call,arrived,answered,ended,agent", *rows]), encoding="utf-8")
    twin.read_history(path, zone="Europe/London").save(tmp_path / "h")
    desk = tmp_path / "h" / "desk.toml"
    shifts = 'shifts = [{ start = "09:00", end = "18:00", heads = 4 }]'
    desk.write_text(desk.read_text("utf-8").replace("heads = 0", shifts), encoding="utf-8")
    history = twin.read_history(tmp_path / "h")
    start = history.desk.midnight
    found = series.levels_over_time(history.levels, 10800.0, start).query("level == 'staffed'")
    hours = [local(at_s, start).hour for at_s in found["start_s"]]
    seen = found.assign(hour=hours).iloc[:-3].groupby("hour")["mean"]
    assert seen.min().to_dict() == seen.max().to_dict()
    assert seen.max()[[9, 18]].tolist() == [4, 0]
