"""Plans of shifts: covering programs, who works when, files, and cuts from simulation.

The verdict on a plan is a promise: `pytest -m slow tests/test_shift_plans.py` plans forty small
desks, and counts how often "met" is wrong by their exact service level.
"""

import datetime
import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tomli_w
from scipy.linalg import expm
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.experiments.rostering.assign import assign, kept
from twin.experiments.rostering.calendar_file import calendar
from twin.experiments.rostering.cover import Cover, Covered, Cut, kinds
from twin.experiments.rostering.cuts import Cuts
from twin.experiments.rostering.level import inside
from twin.experiments.rostering.plan import by_date, cover_of, plan_of
from twin.experiments.rostering.points import Sampled
from twin.experiments.rostering.roster import Roster, roster
from twin.experiments.rostering.sample import Player, total
from twin.experiments.rostering.start import floor_of
from twin.experiments.rostering.trim import trimmed
from twin.experiments.rostering.verdict import judged, periods
from twin.experiments.rostering.week import Week, staffed
from twin.experiments.rostering.written import save
from twin.scenario.roster import roster as week_of
from twin.scenario.sections.work_rules import WorkRules


def desk(days=7, **changes):
    hours = [0.0] * 9 + [1.0, 2.0, 1.0, 1.0, 2.0, 1.0] + [0.0] * 9
    data = {
        "name": "phones",
        "start": "2026-01-05",
        "time_zone": "Europe/Berlin",
        "horizon": f"{days}d",
        "arrivals": {"kind": "hourly", "rate": "6/h", "week": {"hours": hours}},
        "tickets": {"priority_mix": {"normal": 1}},
        "customers": {"patience": {"distribution": "exponential", "mean": "3min"}},
        "agents": {
            "front": {
                "heads": 1,
                "cost": 20,
                "handle_time": {"distribution": "exponential", "mean": "4min"},
            }
        },
        "targets": {"first_response": {"normal": "30s"}},
        "work_rules": {
            "shortest": "4h",
            "longest": "6h",
            "length_step": "2h",
            "starts": ["09:00", "10:00", "11:00"],
        },
    }
    made = twin.from_data(data)
    return made.vary(changes, name="phones") if changes else made


def test_a_cyclic_day_of_a_call_centre():
    """A public example with its optimum: 55 shifts of eight hours that start at any hour.

    Demand and optimum of a course on combinatorial optimisation of the Czech Technical University,
    as told by the README of github.com/sevenxx07/LP-Scheduling-problem (read November 2026).
    """
    demand = [
        6,
        6,
        6,
        6,
        6,
        8,
        9,
        12,
        18,
        22,
        25,
        21,
        21,
        20,
        18,
        21,
        21,
        24,
        24,
        18,
        18,
        18,
        12,
        8,
    ]
    rules = WorkRules(break_length="0s", minimise="agents", days_a_week=1)
    found = Cover(kinds(rules, 3600.0), rules, 3600.0, [0], cycle=1).solve(demand)
    assert (found.cost, found.bound, found.agents, found.number.sum()) == (55, 55, 55, 55)
    assert (found.heads >= demand).all()


@pytest.mark.parametrize("seed", range(6))
def test_covers_as_cheap_as_by_enumeration(seed):
    """Every plan of a small cycle is tried: three days of six intervals of four hours."""
    rng = np.random.default_rng(seed)
    rules = WorkRules(
        shortest="8h", longest="12h", length_step="4h", start_every="8h", break_length="0s",
        days_a_week=2, hours_a_week="24h", rest="12h",
        minimise=["hours", "agents"][seed % 2],
    )  # fmt: skip
    cover = Cover(kinds(rules, 14400.0), rules, 14400.0, [0, 1, 2], cycle=3)
    least = rng.integers(0, 2, 18) * (rng.random(18) < 0.7)
    best = None
    width = len(cover.kinds)
    a_day = [one for one in itertools.product(range(2), repeat=width) if sum(one) <= 2]
    for number in itertools.product(a_day, repeat=3):
        flat = np.concatenate(number)
        if (cover.matrix @ flat < least).any():
            continue
        agents = next(k for k in range(12) if _possible(cover, np.array(number), k))
        work = int(flat @ np.tile([kind.work for kind in cover.kinds], 3))
        cost = (work, agents) if rules.minimise == "hours" else (agents, work)
        best = cost if best is None else min(best, cost)
    found = cover.solve(least)
    assert found.cost == found.bound
    assert found.cost == best[0]


def _possible(cover, number, agents):
    """True if so many agents can be told apart from the counts, day pair by day pair."""
    flat = number.sum(axis=1)
    work = (number * [kind.work for kind in cover.kinds]).sum()
    most = cover.rules.hours_a_week / cover.length_s
    if flat.max() > agents or flat.sum() > 2 * agents or work > most * agents:
        return False
    for day in range(3):
        then = (day + 1) % 3
        shifts = [k for k, n in enumerate(number[day]) for _ in range(n)]
        following = [k for k, n in enumerate(number[then]) for _ in range(n)]
        # The most who can do both, by trying all.
        most_both = 0
        for chosen in itertools.permutations([*following, *[None] * len(shifts)], len(shifts)):
            both = [
                cover.kinds[b].start >= cover.first_start(sum(cover.kinds[a][:2]))
                for a, b in zip(shifts, chosen, strict=True)
                if b is not None
            ]
            if all(both):
                most_both = max(most_both, len(both))
        if len(shifts) + len(following) - most_both > agents:
            return False
    return True


def test_rules_are_kept_by_every_agent():
    """A week of early and late shifts with eleven hours between them, and breaks."""
    rng = np.random.default_rng(2)
    rules = WorkRules(shortest="8h", longest="9h", start_every="2h")
    cover = Cover(kinds(rules, 3600.0 / 2), rules, 1800.0, list(range(7)))
    day = np.array([0] * 12 + [2] * 16 + [3] * 10 + [1] * 10)
    least = np.tile(day, 7) + (rng.random(7 * 48) < 0.1) * np.tile(day > 0, 7)
    found = cover.solve(least)
    assert (found.heads >= least).all()
    assigned = assign(cover, found.number, found.agents)
    assert kept(cover, assigned)
    counted = np.zeros_like(found.number)
    for week in assigned:
        for place, kind in enumerate(week):
            if kind is not None:
                counted[place, cover.kinds.index(kind)] += 1
    assert (counted == found.number).all()
    assert assign(cover, found.number, found.agents - 1) is None
    late = next(k for k in cover.kinds if k.start == 32 and k.length == 16)
    early = next(k for k in cover.kinds if k.start == 12 and k.length == 16)
    assert not kept(cover, [[late, early, *[None] * 5]])
    assert not kept(cover, [[early] * 6 + [None]])
    assert all(kind.pause_length == 1 and 6 <= kind.pause <= 10 for kind in cover.kinds)


def test_a_cut_is_kept_and_what_cannot_be_is_told():
    rules = WorkRules(break_length="0s")
    cover = Cover(kinds(rules, 3600.0), rules, 3600.0, [0])
    least = np.zeros(168)
    least[9] = 1
    slope = np.zeros(168)
    slope[8:12] = 1.0
    assert cover.solve(least, [Cut(slope, 12.0)]).heads[8:12].sum() >= 12
    few = rules.model_copy(update={"agents": 2})
    assert Cover(cover.kinds, few, 3600.0, [0]).solve(3 * least) is None
    assert Cover(cover.kinds, rules, 3600.0, [1]).solve(least) is None


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"longest": "5h"}, "longest must not be below shortest"),
        ({"longest": "25h"}, "24h or less"),
        ({"break_latest": "1h"}, "break_latest"),
        ({"shortest": "7h", "break_earliest": "7h", "break_latest": "7h"}, "no room"),
        ({"days_a_week": 8}, "7"),
    ],
)
def test_faults_of_rules(rules, words):
    with pytest.raises(ScenarioError, match=words):
        twin.from_data(desk().as_data() | {"work_rules": rules})


def test_rules_must_fit_the_intervals():
    with pytest.raises(ScenarioError, match=r"break_length.*whole number of intervals of 60 min"):
        roster(desk(**{"work_rules.longest": "8h"}), interval_s=3600.0)


def planned(scenario, heads):
    week = Week(scenario, 1800.0)
    cover = cover_of(week, scenario.work_rules)
    return plan_of(week, "front", cover, cover.solve(heads))


def heads_of(day):
    return np.tile(np.repeat([0] * 9 + list(day) + [0] * (15 - len(day)), 2), 7)


def test_a_plan_is_read_back_as_a_roster(tmp_path):
    """As shifts of a scenario, and as a roster by date: the same agents in each interval."""
    scenario = desk(**{"work_rules.longest": "8h", "work_rules.break_over": "5h"})
    plan = planned(scenario, heads_of([1, 2, 2, 1, 2, 1]))
    week = Week(plan.scenario, 1800.0)
    assert week.agents("front") == pytest.approx(plan.covered.heads)
    path = tmp_path / "roster.csv"
    by_date(plan, "front").to_csv(path, index=False)
    keys = {"agents.front.heads": None, "agents.front.roster": str(path)}
    assert Week(scenario.vary(keys), 1800.0).agents("front") == pytest.approx(plan.covered.heads)
    assert plan.shifts["break_start"].notna().any()
    assert plan.hours == plan.covered.heads.sum() / 2
    cost = week_of(plan.scenario)["agent_hours"].sum()
    assert cost == pytest.approx(plan.hours)


def test_night_shifts_go_into_the_next_day(tmp_path):
    scenario = desk(**{"work_rules.starts": ["22:00"], "work_rules.longest": "4h"})
    heads = np.zeros(336)
    heads[48:52] = 1  # Tuesday, midnight to two
    plan = planned(scenario, heads)
    assert Week(plan.scenario, 1800.0).agents("front") == pytest.approx(plan.covered.heads)
    path = tmp_path / "roster.csv"
    by_date(plan, "front").to_csv(path, index=False)
    keys = {"agents.front.heads": None, "agents.front.roster": str(path)}
    assert Week(scenario.vary(keys), 1800.0).agents("front") == pytest.approx(plan.covered.heads)
    assert "DTEND:20260106T010000Z" in calendar(plan)  # two at night in Berlin


def test_files_of_a_plan(tmp_path):
    """Members' names are of others: no formula, no line of the calendar's own."""
    name = "=Ann, the \u00e9lder; of " + "long " * 14
    scenario = desk(**{"agents.front.members": [{"name": name}]})
    plan = planned(scenario, heads_of([1, 1]))
    text = calendar(plan)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    whole = text.replace("\r\n ", "")
    events = [part.split("END:VEVENT")[0] for part in whole.split("BEGIN:VEVENT")[1:]]
    assert len(events) == len(plan.shifts)
    assert "SUMMARY:=Ann\\, the \u00e9lder\\; of long" in events[0]
    assert "DTSTART:20260105T080000Z" in whole
    assert len({line for line in whole.split("\r\n") if line.startswith("UID:")}) == len(events)


def test_the_calendar_by_another_reader():
    icalendar = pytest.importorskip("icalendar")
    plan = planned(desk(), heads_of([1, 2, 2]))
    read = icalendar.Calendar.from_ical(calendar(plan)).walk("VEVENT")
    hours = sum((one["DTEND"].dt - one["DTSTART"].dt).total_seconds() / 3600 for one in read)
    assert hours == plan.hours  # without breaks
    assert {str(one["SUMMARY"]) for one in read} == set(plan.shifts["agent"])
    assert read[0]["DTSTART"].dt.utcoffset() == datetime.timedelta(0)


# One interval, three kinds of shifts, one day: all plans of few agents can be played.
SMALL = {
    "work_rules.starts": ["09:00", "11:00"],
    "work_rules.longest": "4h",
    "arrivals.rate": "8/h",
}


def small(days=1, seed=1, **changes):
    return desk(days, **{**SMALL, "seed": seed, **changes})


@pytest.mark.parametrize("seed", [1, 2])
def test_the_sampled_problem_as_by_enumeration(seed):
    """All plans of up to eight agents at each start are played on the same replications."""
    scenario = small(seed=seed)
    week, target, numbers = Week(scenario, 3600.0), 0.7, range(4)
    cover, parts = cover_of(week, scenario.work_rules), periods(week, slow=False)
    player = Player(week, "front")
    (today,) = player.play([scenario], numbers)
    asked = total(today).judged > 0
    floor = floor_of(week, total(today).came / 4 * 240 / 3600, asked, target, 0.0, slow=False)
    search = Cuts(player, cover, parts, floor, asked, numbers)
    found = search.run({"Mon": target}, 30, [cover.solve(9 * asked)])
    best = None
    for number in itertools.product(range(9), repeat=2):
        heads = np.round(cover.matrix @ np.array(number)).astype(int)
        cost = int(np.dot(number, [kind.work for kind in cover.kinds]))
        if (heads < floor).any() or (best is not None and cost >= best):
            continue
        one = total(player.play([staffed(scenario, "front", week.shifts(heads))], numbers)[0])
        if one.kept.sum() >= target * one.judged.sum():
            best = cost
    assert found.best.cost == best
    assert found.bound <= best
    assert found.gap == 0 or found.why != "optimal"


def test_roster_with_rules(tmp_path):
    """The command: a plan, its files, a verdict by fresh replications; the same twice."""
    path = tmp_path / "phones.toml"
    data = small(**{"arrivals.rate": "3/h"}).as_data()
    path.write_text(tomli_w.dumps({k: v for k, v in data.items() if v is not None}))
    args = ["roster", str(path), "--interval", "60min", "--replications", "2", "--rounds", "1",
            "--checks", "8", "--workers", "1", "--at-least", "40%"]  # fmt: skip
    for name in ("a", "b"):
        ran = CliRunner().invoke(app, [*args, "--out", str(tmp_path / name)])
        assert ran.exit_code == 0, ran.output
    assert "paid hours a week" in ran.output
    shifts = pd.read_csv(tmp_path / "a" / "shifts.csv")
    pd.testing.assert_frame_equal(shifts, pd.read_csv(tmp_path / "b" / "shifts.csv"))
    made = twin.load(tmp_path / "a" / "planned.toml")
    needs = pd.read_csv(tmp_path / "a" / "needs.csv")
    assert Week(made, 3600.0).agents("front")[:24] == pytest.approx(needs["planned"])
    page = (tmp_path / "a" / "roster.html").read_text()
    assert "The plan of shifts" in page


@pytest.mark.parametrize("shrinkage", [0.0, 0.2])
def test_a_week_of_rules_by_cuts(shrinkage):
    """The bound is below the best plan, and the search finds one at least as cheap as its start."""
    scenario = small(3, **{"agents.front.shrinkage": shrinkage})
    week, numbers = Week(scenario, 3600.0), range(3)
    cover, parts = cover_of(week, scenario.work_rules), periods(week, slow=False)
    player = Player(week, "front", sample=3)
    counted = total(player.play([scenario], numbers)[0])
    asked = counted.judged > 0
    floor = floor_of(week, counted.came / 3 * 240 / 3600, asked, 0.7, shrinkage, slow=False)
    search, first = Cuts(player, cover, parts, floor, asked, numbers), cover.solve(6 * asked)
    targets = dict.fromkeys(parts, 0.7)
    found = search.run(targets, 4, [first])
    assert found.best is not None
    assert floor @ np.ones(168) / 4 <= found.bound <= found.best.cost <= first.cost
    assert search.meets(found.best, targets)
    assert found.best.cost == found.best.heads.sum()


def test_replications_of_a_sample_are_those_drawn_anew():
    """Tickets are kept for the next roster: the counts are as without."""
    scenario = small(2)
    week = Week(scenario, 3600.0)
    desks = [scenario, staffed(scenario, "front", week.shifts(np.full(168, 2)))]
    kept = Player(week, "front", sample=2)
    once, again = (kept.play(desks, range(3)) for _ in range(2))
    alone = [Player(week, "front").play([desk], [k])[0][0] for desk in desks for k in range(3)]
    for found in (once, again):
        for one, other in zip([c for of_desk in found for c in of_desk], alone, strict=True):
            for a, b in zip(one, other, strict=True):
                assert np.array_equal(a, b)


def test_days_without_a_need_in_common_are_apart():
    rules = WorkRules(break_length="0s")
    cover = Cover(kinds(rules, 3600.0), rules, 3600.0, [0, 1, 2])
    least = np.zeros(168)
    least[[10, 34, 58]] = 1
    assert cover.apart(least) == [[0], [1], [2]]
    # A shift of Monday evening serves Tuesday, too.
    least[[22, 25]] = 1
    assert cover.apart(least) == [[0, 1], [2]]
    alone = cover.solve(least)
    few = Cover(cover.kinds, rules.model_copy(update={"agents": 9}), 3600.0, [0, 1, 2])
    assert few.apart(least) == [[0, 1, 2]]
    assert (alone.cost, alone.bound) == (few.solve(least).cost, few.solve(least).bound)
    assert alone.agents >= cover.with_fewest(alone).agents
    assert (cover.with_fewest(alone).heads == alone.heads).all()


def test_highs_says_nothing(capfd):
    rules = WorkRules()
    cover = Cover(kinds(rules, 1800.0), rules, 1800.0, list(range(7)))
    least = np.tile([0] * 16 + [2] * 20 + [0] * 12, 7)
    cut = Cut(np.ones(336), 300.0, 300.0)
    assert inside(cover, least, [cut], least, 800.0, list(range(7))) is not None
    assert inside(cover, least, [cut], least, 10.0, list(range(7))) is None
    assert capfd.readouterr().out == ""


def test_what_a_plan_may_do_without():
    rules = WorkRules(shortest="4h", longest="8h", length_step="4h", break_length="0s")
    cover = Cover(kinds(rules, 3600.0), rules, 3600.0, [0])
    long = next(k for k, kind in enumerate(cover.kinds) if (kind.start, kind.length) == (8, 8))
    number = np.zeros((1, len(cover.kinds)), dtype=np.int64)
    number[0, long] = 2
    least = np.zeros(168)
    least[8:12] = 1
    helps = np.zeros(168)
    helps[8:16] = 1.0
    assert trimmed(cover, number, [0], [3.0], [helps], least) is None
    # Four hours bring six tickets: one is cut short; with more to lose the rest goes as well.
    fewer = cover.covered(trimmed(cover, number, [0], [6.0], [helps], least), 0)
    assert fewer.heads.sum() == 12
    none = cover.covered(trimmed(cover, number, [0], [100.0], [helps], least), 0)
    assert (none.heads[8:12] == 1).all()
    assert none.heads.sum() == 4


def ending_at(monkeypatch, at):
    """Ctrl-C comes when the player plays for the so-manieth time."""
    played, play = [], Player.play

    def until(self, desks, numbers):
        played.append(len(desks))
        if len(played) == at:
            raise KeyboardInterrupt
        return play(self, desks, numbers)

    monkeypatch.setattr(Player, "play", until)
    return played


def test_what_was_found_before_ctrl_c_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "phones.toml"
    data = small(**{"arrivals.rate": "6/h"}).as_data()
    path.write_text(tomli_w.dumps({k: v for k, v in data.items() if v is not None}))
    args = ["roster", str(path), "--interval", "60min", "--replications", "2", "--checks", "4",
            "--workers", "1", "--at-least", "60%", "--out"]  # fmt: skip
    with monkeypatch.context() as patch:
        played = ending_at(patch, -1)
        whole = CliRunner().invoke(app, [*args, str(tmp_path / "whole")])
    assert whole.exit_code == 0
    folders = []
    # In the needs, at the first plan, in the cuts, and in the verdict.
    cuts = next(k for k, many in enumerate(played) if many > 1)
    for at in (2, cuts - 2, cuts - 1, cuts + 1, len(played)):
        folder = tmp_path / str(at)
        with monkeypatch.context() as patch:
            ending_at(patch, at)
            ran = CliRunner().invoke(app, [*args, str(folder)])
        assert ran.exit_code == 130, ran.output
        if folder.exists():
            assert "ended early" in ran.output
            assert (folder / "needs.csv").is_file()
            assert (folder / "roster.html").is_file()
            folders.append(folder)
    plans = [folder for folder in folders if (folder / "shifts.csv").is_file()]
    assert len(folders) > len(plans) > 0
    # What is kept is a plan with its bound, and says that nobody judged it.
    ended = plans[0].joinpath("roster.html").read_text()
    assert "was not judged by fresh ones" in ended
    assert "fewer paid hours" in ended


def test_time_left_is_told_while_plans_are_looked_for():
    told = []
    roster(small(), target=0.6, interval_s=3600.0, replications=2, rounds=2, checks=4,
           progress=lambda done, of: told.append((done, of)))  # fmt: skip
    assert all(done <= of for done, of in told)
    # Within the cuts it is not as if all were done with each replication.
    needs = sum(of == told[0][1] for _, of in told)
    assert np.mean([done < of for done, of in told[needs:]]) > 0.5


def test_the_workbook_holds_no_formula(tmp_path):
    pytest.importorskip("xlsxwriter")
    calamine = pytest.importorskip("python_calamine")
    scenario = small(**{"agents.front.members": [{"name": "=1+1"}]})
    found = roster(scenario, target=0.5, interval_s=3600.0, replications=2, rounds=1, checks=4)
    save(found, tmp_path, "")
    book = calamine.CalamineWorkbook.from_path(str(tmp_path / "shifts.xlsx"))
    assert book.get_sheet_by_name("shifts").to_python()[1][0] == "'=1+1"
    assert "'=1+1" in (tmp_path / "shifts.csv").read_text()


def exact_level(rates, heads, service_s, patience_s, hour_s=3600.0, most=12):
    """Share of M(t)/M/s(t)+M that need not wait, exactly: by its chain of (busy, waiting).

    Rates an hour and heads by hour; who is busy when heads fall finishes. An empty start.
    """
    size = max(heads)
    states = [(b, q) for b in range(size + 1) for q in range(most + 1)]
    place = {state: k for k, state in enumerate(states)}
    chance = np.zeros(len(states))
    chance[place[0, 0]] = 1.0
    kept = 0.0
    for rate, s in zip(rates, heads, strict=True):
        moved = np.zeros(len(states))
        for (b, q), k in place.items():
            # More agents take who waits.
            taken = max(0, min(q, s - b))
            moved[place[b + taken, q - taken]] += chance[k]
        flow = np.zeros((len(states), len(states)))
        for (b, q), k in place.items():
            if b < s:
                flow[k, place[b + 1, q]] += rate / 3600
            elif q < most:
                flow[k, place[b, q + 1]] += rate / 3600
            if b:
                again = q > 0 and b - 1 < s
                flow[k, place[(b, q - 1) if again else (b - 1, q)]] += b / service_s
            if q:
                flow[k, place[b, q - 1]] += q / patience_s
        flow -= np.diag(flow.sum(axis=1))
        # The integral of the chances beside the chances themselves.
        n = len(states)
        both = np.block([[flow, np.eye(n)], [np.zeros((n, 2 * n))]])
        grown = expm(both * hour_s)
        spent = moved @ grown[:n, n:]
        free = np.array([b < s for b, _ in states])
        kept += rate / 3600 * spent[free].sum()
        chance = moved @ grown[:n, :n]
    return kept / (sum(rates) * hour_s / 3600)


def at_once(seed=1, rate="8/h"):
    return small(seed=seed, **{"targets.first_response": {"normal": "1ms"}, "arrivals.rate": rate})


def hourly(scenario):
    weights = np.array(scenario.arrivals.week.weights[:24])
    return (scenario.arrivals.rate * 3600 * weights / weights.mean()).tolist()


def test_simulated_level_is_the_exact_one():
    """M(t)/M/s(t)+M with heads that rise and fall, against its chain."""
    scenario = at_once()
    week = Week(scenario, 3600.0)
    heads = np.zeros(168, dtype=np.int64)
    heads[9:15] = [1, 3, 3, 1, 2, 2]
    counted = Player(week, "front").play([staffed(scenario, "front", week.shifts(heads))],
                                         range(30))[0]  # fmt: skip
    exact = exact_level(hourly(scenario)[9:15], heads[9:15].tolist(), 240.0, 180.0)
    found = judged(counted, periods(week, slow=False), 0.5, 0.05).table.iloc[0]
    assert found["low"] - 0.01 < exact < found["high"] + 0.01


@pytest.mark.slow
def test_met_is_seldom_wrong():
    """Of forty desks planned for a target, how many plans called met miss it, by the chain."""
    met, wrong = 0, []
    for seed in range(1, 41):
        scenario = at_once(seed, f"{4 + seed % 5}/h")
        found = roster(scenario, target=0.6, interval_s=3600.0, replications=5, rounds=8)
        if found.verdict is None or found.verdict.verdict != "met":
            continue
        met += 1
        heads = found.plan.covered.heads[9:15].tolist()
        level = exact_level(hourly(scenario)[9:15], heads, 240.0, 180.0)
        if level < 0.6:
            wrong.append((seed, level))
    print(f"{met} plans called met, wrong: {wrong}")
    assert met >= 20
    assert len(wrong) <= 0.05 * met + 2


def test_a_rule_that_is_not_used_need_not_fit():
    kept = WorkRules(shortest="8h", longest="8h", length_step="45min", start_every="45min",
                     starts=["08:00", "16:00"], break_length="0s")  # fmt: skip
    assert [kind.start for kind in kinds(kept, 1800.0)] == [16, 32]
    for name, rules in (
        ("start_every", kept.model_copy(update={"starts": []})),
        ("length_step", kept.model_copy(update={"longest": 9 * 3600.0})),
    ):
        with pytest.raises(ScenarioError, match=name):
            kinds(rules, 1800.0)


def test_of_agents_the_gap_is_told_from_those_of_the_plan():
    """The shifts need 10 agents and no plan fewer than 9; to keep the weeks it takes 11."""
    rules = WorkRules(minimise="agents")
    best = Covered(np.zeros((1, 1)), np.zeros(1), 10, 10.0, 9.0)
    found = Roster(
        desk(), "front", None, None, 2, 2,
        plan=SimpleNamespace(agents=11, cover=SimpleNamespace(rules=rules)),
        sampled=Sampled(best, 9.0, 0, 1, 0, "rounds"),
    )  # fmt: skip
    assert found.gap == pytest.approx(2 / 11)
