"""Numbers that visitors move: what they stand for, what comes of moving them, and their bounds."""

import math
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import twin
from twin.common.text import command
from twin.experiments.levers import MOST_SHIFTS, as_tables, changes, levers, most_load
from twin.live.page.knobs import file_text
from twin.measures.figures import measure
from twin.scenario.changes import parse_change
from twin.scenario.file import load

SCENARIOS = Path(__file__).parent.parent / "scenarios"
DAY = {"days": "Mon-Fri", "start": "09:00", "end": "17:00", "heads": 2}


def desk_of(**pool):
    pool = {"handle_time": "9min", **pool}
    return twin.from_data({"horizon": "2d", "arrivals": {"rate": "12/h"}, "agents": {"all": pool}})


def played(desk):
    return measure(twin.simulate(desk, twin.draw(desk)), desk).drop(columns="by_text")


def test_each_shift_of_each_pool_has_a_lever_with_the_agents_in_effect():
    desk = load(SCENARIOS / "phone-desk.toml")
    found = [(one.name, one.value) for one in levers(desk)]
    # The file adds three to each shift of the frontline, and one to that of the other pool.
    assert found == [
        ("frontline, Mon-Fri 08:00 to 16:00", 8),
        ("frontline, Mon-Fri 12:00 to 20:00", 8),
        ("frontline, Sat,Sun 09:00 to 18:00", 7),
        ("payments, Mon-Fri 09:00 to 17:00", 2),
    ]


def test_a_lever_that_stands_where_it_stood_changes_nothing():
    for path in sorted(SCENARIOS.glob("*.toml")):
        desk = load(path)
        assert levers(desk) or not desk.agents
        assert changes(desk, {one: one.value for one in levers(desk)}, desk.arrivals.scale) == {}


def test_moving_one_shift_leaves_the_others_as_they_were_with_the_agents_added():
    late = DAY | {"start": "13:00", "end": "21:00", "heads": 1}
    desk = desk_of(shifts=[DAY, late], extra_heads=1)
    early = levers(desk)[0]
    moved = desk.vary(changes(desk, {early: 5}), name="moved")
    wanted = desk_of(shifts=[DAY | {"heads": 5}, late | {"heads": 2}])
    assert played(moved).equals(played(wanted))
    # Where nothing is to be added, each shift alone is in the changes.
    plain = desk_of(shifts=[DAY, late])
    assert changes(plain, {levers(plain)[1]: 4}) == {"agents.all.shifts.1.heads": 4}


@pytest.mark.parametrize(
    ("pool", "key"),
    [
        ({"heads": 3}, "agents.all.heads"),
        ({"shifts": [DAY] * (MOST_SHIFTS + 1)}, "agents.all.extra_heads"),
    ],
)
def test_a_pool_without_a_slider_a_shift_is_moved_as_a_whole(pool, key):
    desk = desk_of(**pool)
    (lever,) = levers(desk)
    (found,) = changes(desk, {lever: lever.value + 2}).items()
    assert found == (key, lever.value + 2)
    assert desk.vary(dict([found])).agents["all"]


@given(
    heads=st.floats(allow_nan=True, allow_infinity=True),
    load_=st.floats(allow_nan=True, allow_infinity=True),
    extra=st.integers(-3, 3),
)
def test_whatever_is_sent_stays_within_bounds(heads, load_, extra):
    desk = desk_of(shifts=[DAY], extra_heads=extra)
    (lever,) = levers(desk)
    found = changes(desk, {lever: heads}, load_)
    now = desk.vary(found) if found else desk
    pool = now.agents["all"]
    assert lever.least <= max(0, pool.shifts[0].heads + pool.extra_heads) <= lever.most
    assert 0 <= now.arrivals.scale <= most_load(desk)
    assert math.isfinite(now.arrivals.scale)


def test_a_setting_as_a_file_and_as_a_command_is_the_same_desk(tmp_path):
    base = load(SCENARIOS / "phone-desk.toml")
    one, two, *_ = levers(base)
    moved = changes(base, {one: 12, two: 6}, 1.5)
    desk = base.vary(moved, name="mine")
    path = tmp_path / "mine.toml"
    path.write_text(file_text(base._path, None, as_tables(desk, moved), base.question))
    assert load(path).model_dump() == desk.model_dump()
    line = command("twin", "run", base._path, *[f"--set={key}={v}" for key, v in moved.items()])
    sets = [word.removeprefix("--set=") for word in shlex.split(line) if word.startswith("--set=")]
    typed = load(base._path, dict(map(parse_change, sets)))
    assert typed.model_dump(exclude={"name"}) == desk.model_dump(exclude={"name"})
