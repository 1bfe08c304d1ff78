"""Animations in a real browser: dots and numbers against the tables, by hand and by keyboard."""

import json
import re

import browser
import numpy as np
import pandas as pd
import pytest

import twin
from twin.measures import levels
from twin.records.tables import OPEN_STATUSES
from twin.report import animation
from twin.report.animation_data import of_run
from twin.report.source import Source
from twin.scenario import clock

pytestmark = pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")
SHIPPED = ("baseline", "phone-desk")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Of a shipped desk with an assistant and of one of calls: page, what it shows, levels."""
    folder = tmp_path_factory.mktemp("animations")
    found = {}
    for name in SHIPPED:
        desk = twin.load(f"scenarios/{name}.toml", {"horizon": "3d", "warm_up": "0s"})
        results = twin.run([desk], replications=1, keep_logs=True)
        played = of_run(Source(results, results.runs[0], results.summary()), 0)
        page = animation.write([played], folder / f"{name}.html")
        found[name] = page, played, results
    changes = {"horizon": "3d", "warm_up": "0s", "agents.frontline.handle_time": "40min"}
    slow = twin.load("scenarios/baseline.toml", changes)
    slow = slow.vary({}, "a slower desk with a name that is much longer than a phone is wide")
    results = twin.run([slow], replications=1, keep_logs=True)
    other = of_run(Source(results, results.runs[0], results.summary()), 0)
    both = [found["baseline"][1], other]
    found["both"] = animation.write(both, folder / "both.html", day=2), both, None
    return found


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


# Dots as they are painted on an empty ground at a moment, by the field they are in; and the table.
# Dots are as large as their field's, and begin below its head.
LOOK = """
((moments) => moments.map((t) => {
  const desk = desks[0], spots = [], pen = desk.ground;
  desk.begin();
  pen.fillRect = (x, y, wide, high) => spots.push([x, y, wide, high]);
  pen.arc = (x, y, r) => spots.push([x - r, y - r, 2 * r, 2 * r]);
  desk.run.pools.length = 0;
  const people = desk.drawPeople;
  desk.drawPeople = () => {};
  show(t);
  desk.drawPeople = people;
  delete pen.fillRect; delete pen.arc;
  const dots = [...desk.fields].map(([code, field]) => spots.filter(([x, y, wide, high]) =>
    x >= 0 && x + wide <= desk.width && y >= field.top + HEAD &&
    y + high <= field.top + field.high).length);
  return { dots, all: spots.length, places: new Set(spots.map(String)).size,
           names: [...desk.fields.values()].map((field) => field.name),
           told: cells.map((row) => row.map((cell) => cell.textContent.replace(/,/g, ""))) };
}))(%s)
"""


def at(level, moment):
    return int(level.values[np.searchsorted(level.times, moment, side="right") - 1])


@pytest.mark.parametrize("name", SHIPPED)
def test_dots_and_numbers_are_those_of_the_tables(chromium, runs, name):
    """At 100 random moments, in any order: per status, and open work, queue and agents."""
    page, played, _ = runs[name]
    log, desk = played.log, played.scenario
    moments = np.random.default_rng(7).uniform(0, log.horizon_s, 100).tolist()
    chromium.open(page)
    looks = chromium.run(LOOK % json.dumps(moments))
    timeline = log.timeline
    seen = set()
    for moment, look in zip(moments, looks, strict=True):
        until = timeline[timeline["time_s"] <= moment]
        now = until.drop_duplicates("ticket_id", keep="last")["status"].astype(str).value_counts()
        dots = dict(zip(look["names"], look["dots"], strict=True))
        assert {status: n for status, n in dots.items() if n} == now.to_dict()
        # Each ticket is one dot, and no two lie on each other.
        assert look["all"] == look["places"] == now.sum()
        told = dict(look["told"])
        assert {status: str(n) for status, n in dots.items()}.items() <= told.items()
        open_now = sum(n for status, n in dots.items() if status in OPEN_STATUSES)
        assert told["All open tickets"] == str(open_now) == str(at(levels.backlog(log), moment))
        assert told["Tickets that wait for an agent"] == str(at(levels.queue(log), moment))
        for pool in desk.agents:
            assert told[f"Busy: {pool}"] == str(at(levels.busy(log, pool), moment))
            assert told[f"On shift: {pool}"] == str(at(levels.on_shift(log, desk, pool), moment))
            if (away := levels.away(log, desk, pool)) is not None:
                assert told[f"Away: {pool}"] == str(at(away, moment))
        calls = log.calls
        under_way = calls["started_s"].le(moment) & calls["ended_s"].gt(moment)
        if len(calls):
            assert told["Model calls under way"] == str(int(under_way.sum()))
        seen |= set(now.index)
    assert len(seen) >= 5


# Average over an interval: of dots in the open statuses, or of a level that the page tells.
AVERAGE = """
((asked) => asked.map(([key, from, until]) => {
  const desk = desks[0], level = desk.levels[key];
  const value = (t) => {
    if (key !== "open") return level.at(t);
    desk.to(t);
    const open = [...desk.fields.values()].filter((field) => !field.over);
    return open.reduce((sum, field) => sum + field.count, 0);
  };
  const times = key === "open" ? desk.time : level.times;
  const marks = [from, ...[...times].filter((t) => t > from && t < until), until];
  return marks.slice(1).reduce((sum, t, k) => sum + value(marks[k]) * (t - marks[k]), 0)
    / (until - from);
}))(%s)
"""


@pytest.mark.parametrize("name", SHIPPED)
def test_averages_of_the_dots_are_the_table_levels(chromium, runs, name):
    page, _, results = runs[name]
    table = results.table("levels")
    rows = table.sample(100, random_state=11)
    # Enough of the intervals are not empty.
    rows = pd.concat([rows, table[table["mean"] > 0].sample(100, random_state=11)])
    keys = [
        "open" if row.level == "backlog" else
        row.level if row.level == "queue" else f"{row.level}:{row.pool}"
        for row in rows.itertuples()
    ]  # fmt: skip
    asked = list(zip(keys, rows["start_s"].tolist(), rows["end_s"].tolist(), strict=True))
    chromium.open(page)
    found = chromium.run(AVERAGE % json.dumps(asked))
    assert found == pytest.approx(rows["mean"].tolist(), abs=1e-9)
    assert {key.partition(":")[0] for key in keys} >= {"open", "queue", "busy", "staffed"}


def test_nothing_that_customers_wrote_is_in_a_file(runs):
    page, played, results = runs["baseline"]
    # Without the packed arrays, in which a short word may come by chance.
    text = re.sub(r'"[\w+/=]{100,}"', "", page.read_text(encoding="utf-8"))
    log = results.log(played.name)
    assert log.texts
    assert len(log.answers)
    said = {*log.texts, *log.answers["text"], *log.ratings["feedback"].dropna()}
    assert [words for words in said if len(words) > 3 and words in text] == []


def test_what_is_painted_bit_by_bit_is_what_is_painted_at_once(chromium, runs):
    chromium.open(runs["both"][0])
    bit_by_bit = """
    (() => {
      playing = true;
      for (let t = data.start; t < data.end - 40000; t += 217) show(t);
      for (let t = data.end - 40000; t > data.start + 20000; t -= 1901) show(t);
      playing = false;
      show(data.start + 50000);
      const painted = desks.map((desk) => desk.behind.toDataURL());
      for (const desk of desks) desk.begin();
      show(data.start + 50000);
      return desks.map((desk, k) => desk.behind.toDataURL() === painted[k] && painted[k].length);
    })()
    """
    assert min(chromium.run(bit_by_bit)) > 2000


@pytest.mark.parametrize("which", ["phone-desk", "both"])
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_all_is_to_be_seen_and_nothing_bars_the_way(chromium, runs, which, width, dark):
    chromium.open(runs[which][0], width, phone=width == 390, dark=dark)
    chromium.run("show(data.start + 40000)")
    assert chromium.complaints() == []
    assert all(address.startswith(("file:", "data:")) for address in chromium.requests())
    assert len([address for address in chromium.requests() if address.startswith("file:")]) == 1
    assert chromium.run("document.documentElement.scrollWidth") <= width
    assert chromium.barriers() == []
    # Colours are the page's, and dots are not those of the fields.
    ink = chromium.run("ink")
    assert len({ink["soft"], ink["waits"], ink["answered"]}) == 3
    assert ink["ink"] == ("#e8eaec" if dark else "#23272b")
    later = "new Promise((done) => setTimeout(() => done(ink.ink), 100))"
    for scheme, media, wanted in (("light", "", "#23272b"), ("dark", "", "#e8eaec"),
                                  ("dark", "print", "#000000")):  # fmt: skip
        chromium.scheme(scheme, media)
        answer = chromium.call("Runtime.evaluate", expression=later, awaitPromise=True)
        assert answer["result"]["value"] == wanted


def press(chromium, key, code, shift=False):
    for kind in ("keyDown", "keyUp"):
        chromium.call("Input.dispatchKeyEvent", type=kind, key=key, modifiers=8 if shift else 0,
                      windowsVirtualKeyCode=code)  # fmt: skip


def test_a_page_that_has_no_width_yet_is_laid_out_when_it_has_one(chromium, runs):
    chromium.open(runs["baseline"][0], 390)
    chromium.run("document.body.style.display = 'none'; layout(); 0")
    chromium.run("document.body.style.display = ''; layout(); 0")
    assert chromium.run("desks[0].canvas.width") > 300
    assert chromium.complaints() == []


def test_it_is_played_by_keyboard(chromium, runs):
    chromium.open(runs["both"][0])
    # Nothing moves by itself.
    assert chromium.run("playing") is False
    start = chromium.run("moment")
    assert start == 86400.0
    for key, code, shift, passed in (("ArrowRight", 39, False, 60), ("ArrowRight", 39, True, 3660),
                                     ("ArrowLeft", 37, False, 3600), ("End", 35, False, 86400),
                                     ("ArrowRight", 39, False, 86400), ("Home", 36, False, 0),
                                     ("ArrowLeft", 37, False, 0)):  # fmt: skip
        press(chromium, key, code, shift)
        assert chromium.run("moment") - start == passed
    press(chromium, " ", 32)
    assert chromium.run("[playing, $('play').textContent]") == [True, "Pause"]
    press(chromium, " ", 32)
    assert chromium.run("[playing, $('play').textContent]") == [False, "Play"]
    # In the field of a number keys write.
    chromium.run("$('follow').focus(); show(data.start)")
    press(chromium, "ArrowRight", 39)
    assert chromium.run("moment") == start


def test_less_motion_is_a_step_a_second(chromium, runs):
    chromium.open(runs["both"][0])
    stamps = "requestAnimationFrame = () => 0; playing = true; last = 0;"
    smooth = chromium.run(f"{stamps} frame(50); [moment - data.start, desks[0].moving.length]")
    assert smooth[0] == pytest.approx(0.05 * 900)
    features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    chromium.call("Emulation.setEmulatedMedia", features=features)
    chromium.run(f"{stamps} show(data.start + 30000); frame(900)")
    assert chromium.run("moment - data.start") == 30000
    chromium.run("frame(1000)")
    assert chromium.run("moment - data.start") == 30900
    # No dot is on its way.
    assert chromium.run("desks.map((desk) => desk.moving.length)") == [0, 0]


def test_a_ticket_is_followed_in_both(chromium, runs):
    page, (one, other), _ = runs["both"]
    chromium.open(page)
    differs = one.log.tickets["status"].astype(str) != other.log.tickets["status"].astype(str)
    here = one.log.tickets["arrived_s"].between(90000, 120000)
    number = int(one.log.tickets.loc[differs & here, "ticket_id"].iloc[0])
    # By its dot: a click in the middle of it.
    spot = chromium.run(f"""
    (() => {{
      show(data.start + 40000);
      const desk = desks[0], i = desk.ids.indexOf({number}), half = desk.size[i] / 2;
      desk.canvas.scrollIntoView();
      const box = desk.canvas.getBoundingClientRect();
      return [box.left + desk.x[i] + half, box.top + desk.y[i] + half];
    }})()
    """)
    for kind in ("mousePressed", "mouseReleased"):
        chromium.call("Input.dispatchMouseEvent", type=kind, x=spot[0], y=spot[1], button="left",
                      clickCount=1)  # fmt: skip
    assert chromium.run("$('follow').value") == str(number)
    told = chromium.run("$('told').textContent")
    for played in (one, other):
        timeline = played.log.timeline
        rows = timeline[(timeline["ticket_id"] == number) & (timeline["time_s"] <= 126_400)]
        since = clock.local(float(rows["time_s"].iloc[-1]), played.scenario.midnight)
        words = f"{played.name}: ticket {number}: {rows['status'].iloc[-1]} since {since:%a}"
        assert words in told
        assert f"{since:%H:%M}" in told


def test_the_clock_is_the_desks(chromium, tmp_path):
    """Over the night in which the clocks of London go back."""
    desk = twin.from_data({
        "start": "2026-10-24", "time_zone": "Europe/London", "horizon": "3d",
        "arrivals": {"rate": "1/h"}, "agents": {"all": {"heads": 1, "handle_time": "5min"}},
    })  # fmt: skip
    results = twin.run([desk], replications=1, keep_logs=True)
    played = of_run(Source(results, results.runs[0], results.summary()), 0)
    chromium.open(animation.write([played], tmp_path / "clock.html"))
    moments = [*np.random.default_rng(3).uniform(0, 259_200, 50).tolist(), 90_000.0, 93_600.0]
    shown = chromium.run(f"{json.dumps(moments)}.map(local)")
    wanted = [f"{clock.local(moment, desk.midnight):%H:%M}" for moment in moments]
    assert [words[-5:] for words in shown] == wanted
    assert shown[-2:] == ["Sun, 25 Oct 2026, 01:00", "Sun, 25 Oct 2026, 01:00"]
