"""Settings on the same customers: figures as of a run, what is refused, how often checks err."""

import threading

import numpy as np
import pandas as pd
import pytest
from engines import COMPILED

import twin
from twin.experiments import same_customers
from twin.experiments.same_customers import (
    BASE,
    FIGURES,
    MOVED,
    ROUNDS,
    SameCustomers,
    TooMuch,
    afresh,
    level_of,
)
from twin.measures.figures import FIGURES as ALL_FIGURES
from twin.stats.differences import differences
from twin.stats.verdicts import BETTER, OPEN, verdict

SHIFTS = [{"start": "08:00", "end": "20:00", "heads": 2}]
DATA = {
    "name": "small", "horizon": "3d", "warm_up": "1d", "arrivals": {"rate": "12/h"}, "seed": 7,
    "targets": {"first_response": {"normal": "30min"}},
    "agents": {"all": {"shifts": SHIFTS, "handle_time": "5min", "cost": 20.0}},
    "customers": {"patience": "4h"},
}  # fmt: skip
KEY = "agents.all.shifts.0.heads"


def desk_of(**more):
    return twin.from_data(DATA | more)


@pytest.fixture(scope="module")
def base():
    return desk_of()


def test_figures_are_those_of_runs_and_differences_those_of_a_comparison(base):
    more = base.vary({KEY: 3}, name="more")
    *_, answer = SameCustomers(base, "simpy").rounds(more)
    assert answer.last
    assert answer.replications == ROUNDS[-1]
    results = twin.run([base, more], ROUNDS[-1], engine="simpy")
    runs = results.summary().query("group == ''").set_index(["scenario", "kpi"])
    mine = answer.summary.set_index(["scenario", "kpi"])
    for kpi in FIGURES:
        for name, run in ((BASE, "small"), (MOVED, "more")):
            wanted, found = (
                one.loc[at, ["value", "low", "high"]].to_numpy(float)
                for one, at in ((runs, (run, kpi)), (mine, (name, kpi)))
            )
            assert np.allclose(wanted, found, equal_nan=True), (kpi, name)
    table = twin.compare(results, "small", FIGURES).table.set_index("kpi")
    own = answer.differences.set_index("kpi")
    assert set(own.index) == set(table.index)
    columns = ["difference", "low", "high"]
    assert np.allclose(own[columns], table.loc[own.index, columns])


def test_rough_figures_come_first_and_a_setting_seen_before_is_not_played_again(base, monkeypatch):
    quick = SameCustomers(base, "simpy")
    assert [one.replications for one in quick.rounds(base)] == list(ROUNDS)
    played = []
    real = SameCustomers._play
    monkeypatch.setattr(
        SameCustomers, "_play", lambda self, desk, k: played.append(k) or real(self, desk, k)
    )
    more = base.vary({KEY: 3})
    first = next(quick.rounds(more))
    # Of the setting alone: the desk as it is has been played.
    assert played == list(range(ROUNDS[0]))
    again = next(quick.rounds(more))
    assert len(played) == ROUNDS[0]
    assert first.summary.equals(again.summary)
    assert next(quick.rounds(base)).differences is None


def test_the_week_shows_staff_and_who_waits(base):
    quick = SameCustomers(base, "simpy")
    week = next(quick.rounds(base.vary({KEY: 4}))).week
    # Two days of the run are measured: its first day is warm-up.
    assert list(dict.fromkeys(week["day"])) == ["Tue", "Wed"]
    open_ = week["start"].between("08:00", "19:30")
    assert set(week.loc[open_, "agents on shift"]) == {4}
    assert (week.loc[~open_, "agents on shift"] == 0).all()
    assert (week["agents busy"] <= 4 + 1e-9).all()
    assert week["before"].mean() > week["waiting"].mean()


@pytest.mark.skipif(not COMPILED, reason="takes the extra [fast]")
def test_the_compiled_engine_shows_the_same(base):
    more = base.vary({KEY: 3})
    one, two = (list(SameCustomers(base, name).rounds(more))[-1] for name in ("simpy", "compiled"))
    assert SameCustomers(base, "compiled").engine(more) == "compiled"
    pd.testing.assert_frame_equal(one.summary, two.summary)
    pd.testing.assert_frame_equal(one.week, two.week)


def test_time_is_bounded(base):
    answers = list(SameCustomers(base, "simpy").rounds(base.vary({KEY: 1}), limit_s=0.0))
    # Two replications there must be for an interval, and no more.
    assert [(one.replications, one.last) for one in answers] == [(2, True)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arrivals.rate": "1000000/h"}, "twin run"),
        ({"arrivals.scale": 1000.0}, "more than the 40,000"),
    ],
)
def test_what_takes_too_long_is_refused(base, changes, words):
    desk = base.vary(changes, name="large")
    with pytest.raises(TooMuch, match=words):
        SameCustomers(desk, "simpy")
    with pytest.raises(TooMuch, match=words):
        next(SameCustomers(base, "simpy").rounds(desk))


def test_a_live_model_is_never_asked(tmp_path):
    from tests.live_desk import desk_data

    data = desk_data(tmp_path)
    data["assistant"] |= {"backend": "groq"}
    with pytest.raises(TooMuch, match="money"):
        SameCustomers(twin.from_data(data))


def test_visitors_at_the_same_time_get_what_each_gets_alone(base):
    settings = [base.vary({KEY: heads}) for heads in (1, 3)]
    alone = [list(SameCustomers(base, "simpy").rounds(one))[-1].summary for one in settings]
    quick, found = SameCustomers(base, "simpy"), {}

    def ask(k):
        found[k] = list(quick.rounds(settings[k], limit_s=600.0))[-1].summary

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(len(settings))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(settings)
    for k, wanted in enumerate(alone):
        pd.testing.assert_frame_equal(found[k], wanted)


def test_versions_of_a_desk_are_in_the_intervals(base):
    unsure = desk_of(uncertainty={"assumed": {"arrivals.scale": [0.6, 1.4]}})
    known, wide = (
        list(SameCustomers(one, "simpy").rounds(one))[-1].summary.set_index("kpi").loc["occupancy"]
        for one in (base, unsure)
    )
    assert wide["half_width"] > 2 * known["half_width"]


def test_a_check_plays_other_customers_than_those_that_were_seen(base):
    more = base.vary({KEY: 3})
    found = afresh(base, more, number=1, luck=1, replications=4)
    seen = differences_of(SameCustomers(base, "simpy"), more)
    was = found.table.set_index("kpi")["baseline"]
    assert abs(was["occupancy"] - seen.set_index("kpi").at["occupancy", "baseline"]) > 1e-6
    assert found.level == level_of(1)
    other = afresh(base, more, number=2, luck=2, replications=4).table.set_index("kpi")
    assert abs(was["occupancy"] - other.at["occupancy", "baseline"]) > 1e-6
    with pytest.raises(ValueError, match="luck must be 1 or more"):
        afresh(base, more, number=1, luck=0)


def differences_of(quick, desk):
    return next(quick.rounds(desk)).differences


def test_the_errors_of_all_checks_add_up_to_what_is_said():
    spent = sum(1 - level_of(k) for k in range(1, 10_000))
    assert 0.0499 < spent <= 0.05
    with pytest.raises(ValueError, match="from 1"):
        level_of(0)


ROWS = [("first_response_p90", ""), ("occupancy", "")]


def kpis_of(days, moved):
    """Figures of two desks, an array each of shape (replications, figures)."""
    frames = [
        pd.DataFrame({
            "scenario": name, "kpi": kpi, "group": "", "unit": "s", "by_text": b"",
            "replication": range(len(values)), "numerator": values[:, j], "denominator": 1.0,
            "value": values[:, j],
        })
        for name, values in ((BASE, days), (MOVED, moved)) for j, (kpi, _) in enumerate(ROWS)
    ]  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def verdicts(days, moved, level):
    found = differences(kpis_of(days, moved), BASE, ROWS, level=level)
    return [verdict(row, "lower", level) for row in found.to_dict("records")]


def session(random, settings, replications):
    """Verdicts on the best-looking of settings that all are no better: as seen, and checked."""
    shape = (replications, len(ROWS))
    days = random.normal(100.0, 1.0, shape)
    tried = [days + random.normal(0.0, 0.5, shape) for _ in range(settings)]
    best = min(tried, key=lambda moved: moved[:, 0].mean())
    checked = []
    for number in (1, 2):
        fresh = random.normal(100.0, 1.0, shape)
        moved = fresh + random.normal(0.0, 0.5, shape)
        checked += verdicts(fresh, moved, level_of(number))
    return verdicts(days, best, 0.95)[0], checked


def test_who_moves_until_it_looks_good_is_fooled_by_what_was_seen_and_seldom_by_a_check():
    random = np.random.default_rng(1)
    sessions = [session(random, settings=30, replications=10) for _ in range(60)]
    seen = np.mean([picked == BETTER for picked, _ in sessions])
    checked = np.mean([set(found) != {OPEN} for _, found in sessions])
    assert seen > 0.2
    # 60 sessions that err with 5 % each come above 12 % with a chance of 1 %.
    assert checked <= 0.12


def test_a_check_finds_a_difference_that_is_there(base):
    found = afresh(base, base.vary({KEY: 4}), number=1, luck=1, replications=6).table
    verdicts = dict(zip(found["kpi"], found["verdict"], strict=True))
    assert verdicts["first_response_p90"] == BETTER
    assert verdicts["cost_week"] not in (BETTER, OPEN)


def test_all_figures_shown_are_figures():
    assert set(FIGURES) <= set(ALL_FIGURES)
    assert same_customers.MOST_TICKETS.keys() == {"simpy", "compiled"}
