"""Shifts by their days and hours, and the hours of an ordinary week."""

import math

import pytest

import twin
from twin.scenario.roster import in_words, names, roster

EARLY = {"days": "Mon-Fri", "start": "08:00", "end": "16:00", "heads": 3}
NIGHT = {"days": "Sat,Sun", "start": "22:00", "end": "06:00", "heads": 1}


def desk(*shifts, **pool):
    front = {"shifts": list(shifts), "handle_time": "5min"} | pool
    back = {"heads": 1, "handle_time": "5min", "cost": 10}
    return twin.from_data(
        {"horizon": "1d", "arrivals": {"rate": "6/h"}, "agents": {"front": front, "back": back}}
    )


def test_a_week_counts_heads_breaks_and_shifts_over_midnight():
    lunch = {"start": "12:00", "end": "13:00", "heads": 2}
    table = roster(desk(EARLY | {"breaks": [lunch]}, NIGHT, cost=20, extra_heads=1))
    assert table["heads"].tolist() == [4, 2, 1]
    assert table["agent_hours"].tolist() == [5 * (4 * 8 - 2), 2 * 2 * 8, 168]
    assert table["cost"].tolist() == [3000, 640, 1680]
    assert table["hours"].tolist() == ["08:00-16:00", "22:00-06:00", "around the clock"]
    none = roster(desk(EARLY, extra_heads=-5))
    assert (none["heads"][0], none["agent_hours"][0]) == (0, 0)
    # A pool without a rate costs nobody knows what.
    assert math.isnan(none["cost"][0])
    assert roster(desk(EARLY, cost=0))["cost"][0] == 0


def test_keys_of_shifts_have_days_and_hours_and_others_their_own_names():
    one = desk(EARLY, NIGHT)
    first, second = "agents.front.shifts.0.heads", "agents.front.shifts.1.heads"
    assert names([first, second, "arrivals.scale"], one) == {
        first: "front heads, Mon-Fri 08:00-16:00",
        second: "front heads, Sat,Sun 22:00-06:00",
        "arrivals.scale": "arrivals.scale",
    }
    assert names([first], None) == {first: "shifts.0.heads"}


def test_two_shifts_with_the_same_hours_keep_their_keys():
    one = desk(EARLY, EARLY)
    keys = [f"agents.front.shifts.{k}.heads" for k in (0, 1)]
    assert list(names(keys, one).values()) == ["shifts.0.heads", "shifts.1.heads"]


@pytest.mark.parametrize(
    "key",
    ["arrivals.scale", "agents.front", "agents.front.heads", "agents.front.shifts",
     "agents.front.shifts.0", "agents.front.shifts.9.heads", "agents.front.shifts.x.heads",
     "agents.nobody.shifts.0.heads", "agents.back.shifts.0.heads", ""],
)  # fmt: skip
def test_a_key_of_no_shift_has_no_words(key):
    assert in_words(key, desk(EARLY)) is None
