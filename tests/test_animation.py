"""Pages of `twin animate`: the window that is shown, and what is refused."""

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from exports import at, write_csv
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import SETTINGS, scenarios, workflows
from test_history_traps import made
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.report import animation, animation_data
from twin.report.animation_data import Played, of_history, of_run
from twin.report.source import Source
from twin.scenario.calendars import Staircase

DESK = {
    "name": "desk", "horizon": "3d", "start": "2026-03-02", "time_zone": "Europe/Rome",
    "arrivals": {"rate": "6/h"}, "agents": {"all": {"heads": 1, "handle_time": "5min"}},
}  # fmt: skip
EVIL = '</script><img src=x onerror="document.title=1">'


def played(data=DESK, replication=0, tables=None, **changes):
    results = twin.run(twin.from_data(data).vary(changes), replications=2, keep_logs=True)
    return of_run(Source(results, results.runs[0], results.summary()), replication)


@pytest.fixture(scope="module")
def three_days():
    return played()


def in_page(text):
    """The data that a page holds."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return json.loads(found[1])


def unpacked(text, kind):
    return np.frombuffer(base64.b64decode(text), dtype=kind)


def test_a_day_is_a_day_of_the_desk(three_days):
    assert animation_data.window([three_days], 2) == (86400.0, 172_800.0)
    assert animation_data.window([three_days]) == (0.0, 259_200.0)
    # On the day on which Rome goes to summer time there are 23 hours.
    change = played(start="2026-03-28")
    assert animation_data.window([change], 2) == (86400.0, 86400.0 + 23 * 3600.0)


@pytest.mark.parametrize("day", [0, 4, -1])
def test_a_day_that_is_not_there_is_refused(three_days, day):
    said = "no such day; day 1 is Monday 2026-03-02, and the last one is day 3, Wednesday"
    with pytest.raises(ValueError, match=said):
        animation.page([three_days], day)


def test_what_one_clock_cannot_show_is_refused(three_days):
    later = played(start="2026-03-03")
    with pytest.raises(ValueError, match="one clock cannot show both"):
        animation.page([three_days, later])


def test_too_many_tickets_are_refused_and_a_day_of_them_is_not(three_days, monkeypatch):
    monkeypatch.setattr(animation_data, "MOST_TICKETS", 350)
    with pytest.raises(ValueError, match=r"too many .* \(at most 350\); choose one day, as --day"):
        animation.page([three_days])
    assert animation.page([three_days], 2)
    monkeypatch.setattr(animation_data, "MOST_TICKETS", 50)
    with pytest.raises(ValueError, match=r"too many .* \(at most 50\)$"):
        animation.page([three_days], 2)


def test_moves_of_a_day_begin_with_what_was_there(three_days):
    """Tickets of before are in their status at midnight; those that stay over are left out."""
    data = in_page(animation.page([three_days], 3))
    (run,) = data["runs"]
    ids = unpacked(run["ids"], "<i4")[unpacked(run["ticket"], "<i4")]
    moments, codes = unpacked(run["time"], "<f8"), unpacked(run["status"], "u1")
    assert (np.diff(moments) >= 0).all()
    assert moments[0] >= 172_800.0
    assert moments[-1] <= 259_200.0
    timeline = three_days.log.timeline
    later = timeline[(timeline["time_s"] > 172_800.0) & (timeline["time_s"] <= 259_200.0)]
    timeline = timeline[timeline["time_s"] <= 172_800.0]
    last = timeline.drop_duplicates("ticket_id", keep="last").set_index("ticket_id")["status"]
    names = [data["statuses"][code]["name"] for code in codes[moments == 172_800.0]]
    found = dict(zip(ids[moments == 172_800.0].tolist(), names, strict=True))
    over = last.isin(["Resolved", "Closed", "Abandoned"])
    again = last.index.isin(later["ticket_id"])
    assert found == last[~over | again].to_dict()
    assert min((over & ~again).sum(), len(found)) > 5


def test_a_desks_own_status_is_one_field(three_days):
    """Also where it stands for two statuses of the twin."""
    log = three_days.log
    own = log.timeline["status"].astype(object).replace({"Open": "new", "Reopened": "new"})
    timeline = log.timeline.assign(detail=own.where(own == "new").astype("category"))
    data = animation_data.shown(
        [replace(three_days, log=replace(log, timeline=timeline))], 0.0, log.horizon_s
    )
    names = [field["name"] for field in data["statuses"]]
    assert sorted(names) == ["Closed", "In Progress", "Resolved", "new"]
    codes = unpacked(data["runs"][0]["status"], "u1")
    now = dict(zip(unpacked(data["runs"][0]["ticket"], "<i4"), codes, strict=True))
    still = three_days.log.tickets["status"].isin(["Open", "Reopened"]).sum()
    assert sum(names[code] == "new" for code in now.values()) == still
    assert (codes == names.index("new")).sum() == (own == "new").sum() > len(log.tickets)


def test_the_same_customers_are_told(three_days):
    busier = played(**{"arrivals.scale": 2.0})
    slower = played(**{"agents.all.handle_time": "9min"})
    assert in_page(animation.page([three_days, slower]))["same"]
    assert "the same customer in both" in animation.page([three_days, slower])
    assert not in_page(animation.page([three_days, busier]))["same"]
    assert "not the same customer" in animation.page([three_days, busier])
    longer = played(horizon="4d")
    assert in_page(animation.page([three_days, longer]))["same"]


@given(
    st.lists(st.tuples(st.floats(0.1, 90.0), st.integers(0, 5)), max_size=30),
    st.floats(0.0, 100.0), st.floats(0.0, 100.0), st.floats(0.0, 1.0),
)  # fmt: skip
def test_a_level_in_a_window_is_the_level(changes, one, other, part):
    changes = sorted(changes)
    level = Staircase(
        np.array([0.0, *(moment for moment, _ in changes)]),
        np.array([0, *(value for _, value in changes)]),
    )
    low, high = sorted((one, other))
    times, values = animation_data._level(level, low, high)
    times, values = unpacked(times, "<f8"), unpacked(values, "<i4")
    assert times[0] == low
    assert (np.diff(times) > 0).all()
    moment = low + part * (high - low)
    now = values[np.searchsorted(times, moment, side="right") - 1]
    assert now == level.values[np.searchsorted(level.times, moment, side="right") - 1]


def test_names_cannot_end_the_data(three_days):
    data = {**DESK, "question": EVIL, "agents": {"a": {"heads": 1, "handle_time": "5min"}}}
    text = animation.page([played(data)])
    assert "<img" not in text
    assert in_page(text)["runs"][0]["question"] == EVIL


def test_a_history_is_animated(tmp_path):
    lines = [
        {"id": r["id"], "created": at(r["created"]), "solved": at(r["solved"]), "team": EVIL}
        for r in made(count=120, days=9)
    ]
    history = twin.read_history(write_csv(tmp_path / "t.csv", lines), zone="UTC")
    data = in_page(animation.page([of_history(history)]))
    (run,) = data["runs"]
    assert len(unpacked(run["ids"], "<i4")) == len(history.log.tickets)
    # What the export does not tell is not shown: nobody is said to be on shift, or to be waiting.
    assert "work" in history.log.unknown
    assert list(run["levels"]) == ["open"]
    # Who answered when is not known, so no dot waits for a response.
    assert not np.isfinite(unpacked(run["answered"], "<f8")).any()


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    desk = twin.from_data(DESK)
    others = [desk.vary({"agents.all.heads": 2}, "two"), desk.vary({}, "short")]
    twin.run([desk, others[0]], replications=2, out="results")
    twin.run([others[1]], replications=1, out="results", tables=["kpis"])

    def call(*words):
        return CliRunner().invoke(app, ["animate", *words], catch_exceptions=False)

    done = call("results/desk", "results/two", "--day", "3", "--replication", "1")
    assert done.exit_code == 0
    path = tmp_path / done.output.strip()
    assert path.name == "animation.html"
    assert [run["name"] for run in in_page(path.read_text())["runs"]] == ["desk", "two"]
    for words, said in (
        (["results/desk", "--day", "4"], "--day 4: there is no such day"),
        (["results/desk", "--replication", "2"], "no whole replication 2; there is 0 to 1"),
        (["results/short"], "play it again without --tables"),
        (["nowhere"], "no such folder: nowhere"),
    ):
        done = call(*words)
        assert done.exit_code == 2
        assert said in done.output


@given(
    scenario=scenarios(),
    workflow=st.none() | workflows(),
    parts=st.tuples(st.floats(0, 0.9), st.floats(0.05, 1.0)),
    picks=st.lists(st.floats(0, 1), min_size=5, max_size=5),
)
@settings(SETTINGS, max_examples=15)
def test_moves_of_any_desk_add_up_in_any_window(scenario, workflow, parts, picks):
    """By its moves, open tickets are the backlog, and each status holds whom the tables say."""
    if workflow is not None and scenario.assistant is None:
        data = scenario.as_data() | {"workflow": workflow}
        data.pop("touches", None)
        data["customers"].pop("retrial", None)
        scenario = twin.from_data(data)
    log = twin.play(scenario).log
    start_s = parts[0] * log.horizon_s
    end_s = min(log.horizon_s, start_s + parts[1] * log.horizon_s)
    data = animation_data.shown([Played("any", "", log, scenario)], start_s, end_s)
    (run,) = data["runs"]
    ids = unpacked(run["ids"], "<i4")[unpacked(run["ticket"], "<i4")]
    times, fields = unpacked(run["time"], "<f8"), unpacked(run["status"], "u1")
    timeline = log.timeline.sort_values("time_s", kind="stable")
    over_at_start = set()
    if start_s > 0:
        before = timeline[timeline["time_s"] <= start_s].drop_duplicates("ticket_id", keep="last")
        over = before["status"].isin(["Resolved", "Closed", "Abandoned"])
        later = timeline[(timeline["time_s"] > start_s) & (timeline["time_s"] <= end_s)]
        over_at_start = set(before[over]["ticket_id"]) - set(later["ticket_id"])
    names = [field["name"] for field in data["statuses"]]
    is_open = np.array([not field["over"] for field in data["statuses"]], dtype=bool)
    open_level = [
        unpacked(text, kind)
        for text, kind in zip(run["levels"]["open"], ("<f8", "<i4"), strict=True)
    ]
    for pick in picks:
        moment = start_s + pick * (end_s - start_s)
        there = times <= moment
        now = dict(zip(ids[there].tolist(), fields[there].tolist(), strict=True))
        last = timeline[timeline["time_s"] <= moment].drop_duplicates("ticket_id", keep="last")
        own = last["detail"].astype(object)
        own = own.where(own.notna(), last["status"].astype(object))
        wanted = dict(zip(last["ticket_id"].tolist(), own.tolist(), strict=True))
        assert {k: names[f] for k, f in now.items()} == {
            k: name for k, name in wanted.items() if k not in over_at_start
        }
        count = sum(bool(is_open[field]) for field in now.values())
        place = np.searchsorted(open_level[0], moment, side="right") - 1
        assert count == open_level[1][place]
