"""Days traced by hand: shifts, breaks, holidays, time zones, and work in hand at shift end."""

import numpy as np
import pytest
from days import DAY, HOUR, MIN, desk, life, spans, value, visits

from twin.demand.tickets import draw
from twin.scenario.model import from_data


def shift(start="09:00", end="17:00", heads=1, **more):
    return {"start": start, "end": end, "heads": heads, **more}


def pool(*shifts, **more):
    return {"shifts": list(shifts), "handle_time": "30min", **more}


def at(day, hour, minute=0):
    return day * DAY + hour * HOUR + minute * MIN


def test_work_in_hand_at_shift_end_is_finished(play, arrive):
    agents = {"day": pool(shift(), cost=36.0)}
    data = desk(arrive(at(0, 16, 50), at(0, 16, 55)), horizon="2d", agents=agents)
    log = play(data)
    assert spans(log) == [[at(0, 16, 50), at(0, 17, 20)], [at(1, 9), at(1, 9, 30)]]
    # 10 minutes before the end of the first shift and 30 in the second are on shift, out of 16 h;
    # the 20 minutes after it are paid too.
    assert value(log, data, "occupancy") == pytest.approx(40 / (16 * 60))
    assert value(log, data, "human_cost") == pytest.approx(36 * (16 + 1 / 3) / 2)


def test_work_in_hand_at_shift_end_is_handed_over(play, arrive):
    agents = {"day": pool(shift(), at_shift_end="hand over")}
    log = play(desk(arrive(at(0, 16, 50), at(0, 16, 55)), horizon="2d", agents=agents))
    assert visits(log, "queued_s", "started_s", "ended_s", "end") == [
        (1, at(0, 16, 50), at(0, 16, 50), at(0, 17), "handed over"),
        (1, at(0, 17), at(1, 9), at(1, 9, 20), "done"),
        (2, at(0, 16, 55), at(1, 9, 20), at(1, 9, 50), "done"),
    ]
    assert log.tickets["transfers"].tolist() == [1, 0]
    assert log.tickets["responded_s"].tolist() == [at(0, 16, 50), at(1, 9, 20)]
    assert [status for _, status in life(log, 1)] == ["Open", "In Progress", "Resolved"]


@pytest.mark.parametrize(
    "other", [pool(shift("17:00", "01:00")), {"heads": 1, "handle_time": "30min"}]
)
@pytest.mark.parametrize("first", [True, False])
def test_a_colleague_of_another_pool_takes_over_at_once(play, arrive, other, first):
    # Their skill keeps the others from taking the ticket in the first place.
    day = pool(shift(), at_shift_end="hand over")
    agents = {"day": day, "other": other} if first else {"other": other, "day": day}
    busy = "heads" in other and not first
    # Where the other pool comes first and is there, a ticket before keeps it busy until 16:55.
    moments = [at(0, 16, 25), at(0, 16, 50)] if busy else [at(0, 16, 50)]
    log = play(desk(arrive(*moments), agents=agents))
    assert visits(log, "pool", "started_s", "ended_s")[-2:] == [
        (len(moments), "day", at(0, 16, 50), at(0, 17)),
        (len(moments), "other", at(0, 17), at(0, 17, 20)),
    ]


def test_who_began_last_hands_over_first(play, arrive):
    agents = {"day": pool(shift(), shift(end="13:00"), at_shift_end="hand over")}
    agents["day"]["handle_time"] = "1h"
    log = play(desk(arrive(at(0, 12, 30), at(0, 12, 40)), agents=agents))
    assert visits(log, "started_s", "ended_s") == [
        (1, at(0, 12, 30), at(0, 13, 30)),
        (2, at(0, 12, 40), at(0, 13)),
        (2, at(0, 13, 30), at(0, 14, 10)),
    ]


def test_work_that_ends_with_the_shift_is_not_handed_over(play, arrive):
    agents = {"day": pool(shift(), at_shift_end="hand over")}
    log = play(desk(arrive(at(0, 16, 30)), agents=agents))
    assert visits(log, "started_s", "ended_s", "end") == [(1, at(0, 16, 30), at(0, 17), "done")]


@pytest.mark.parametrize(
    ("at_shift_end", "expected"),
    [
        ("finish", [[at(0, 11, 50), at(0, 12, 20)], [at(0, 13), at(0, 13, 30)]]),
        (
            "hand over",
            [
                [at(0, 11, 50), at(0, 12)],
                [at(0, 13), at(0, 13, 20)],
                [at(0, 13, 20), at(0, 13, 50)],
            ],
        ),
    ],
)
def test_breaks(play, arrive, at_shift_end, expected):
    lunch = {"start": "12:00", "end": "13:00", "heads": 1}
    agents = {"day": pool(shift(breaks=[lunch]), at_shift_end=at_shift_end)}
    assert spans(play(desk(arrive(at(0, 11, 50), at(0, 11, 55)), agents=agents))) == expected


def test_holidays_and_weekends(play, arrive):
    # The run starts on Monday the 5th: Tuesday is off, and Saturday and Sunday.
    agents = {"day": pool(shift(days="Mon-Fri"), holidays=["2026-01-06"])}
    moments = [at(0, 8), at(1, 10), at(4, 17), at(5, 12)]
    log = play(desk(arrive(*moments), horizon="8d", agents=agents))
    started = [start for start, _ in spans(log)]
    assert started == [at(0, 9), at(2, 9), at(7, 9), at(7, 9, 30)]


def test_a_night_shift_belongs_to_the_day_on_which_it_starts(play, arrive):
    agents = {"night": pool(shift("22:00", "06:00", days="Mon"), holidays=["2026-01-12"])}
    log = play(desk(arrive(at(0, 1), at(1, 5)), horizon="9d", agents=agents))
    # Nobody is there in the first morning; the next Monday is a holiday, its night too.
    assert spans(log) == [[at(0, 22), at(0, 22, 30)], [at(1, 5), at(1, 5, 30)]]
    log = play(desk(arrive(at(1, 6), at(7, 23)), horizon="9d", agents=agents))
    assert log.tickets["status"].tolist() == ["Open", "Open"]


@pytest.mark.parametrize(
    ("start", "hour", "night_h"),
    [("2026-03-28", 8, 7), ("2026-10-24", 10, 9), ("2026-05-02", 9, 8)],
)
def test_shifts_keep_their_local_hours_when_the_clocks_change(play, arrive, start, hour, night_h):
    # In London the clocks change in the night of the run's first day, a Saturday, to Sunday.
    london = {"start": start, "time_zone": "Europe/London", "horizon": "2d"}
    agents = {"day": pool(shift())}
    log = play(desk(arrive(at(0, 8), at(0, 18)), agents=agents, **london))
    assert [began for began, _ in spans(log)] == [at(0, 9), at(1, hour)]
    # A night shift is an hour shorter or longer.
    agents = {"night": pool(shift("22:00", "06:00", days="Sat"), at_shift_end="hand over")}
    agents["night"]["handle_time"] = "1d"
    log = play(desk(arrive(at(0, 12)), agents=agents, **london))
    assert spans(log)[0] == [at(0, 22), at(0, 22) + night_h * HOUR]


def test_a_pool_in_another_time_zone(play, arrive):
    agents = {"york": pool(shift(), time_zone="America/New_York")}
    log = play(desk(arrive(at(0, 0), at(0, 22)), horizon="2d", agents=agents))
    assert [began for began, _ in spans(log)] == [at(0, 14), at(1, 14)]


def test_arrivals_keep_their_local_hours_when_the_clocks_change():
    nine = {"hours": [0.0] * 9 + [1.0] + [0.0] * 14}
    arrivals = {"kind": "hourly", "rate": "20/h", "week": nine}
    london = {"start": "2026-03-28", "time_zone": "Europe/London", "horizon": "2d"}
    arrived = draw(from_data(desk(arrivals, **london))).arrived_s
    hours = np.floor(arrived / HOUR)
    assert set(hours) == {9, 24 + 8}
