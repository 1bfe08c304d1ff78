"""Points of a study share demand, luck and answers: all of it as drawn and answered anew."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from engines import COMPILED, odd

import twin
from twin.demand import once
from twin.demand.luck import Stream
from twin.demand.once import LATER, DrawnOnce
from twin.demand.tickets import draw
from twin.desk.compiled.coverage import keys
from twin.desk.served import may_keep
from twin.desk.simulation import simulate
from twin.experiments.replication import Task
from twin.experiments.shared import Shared, shared_by
from twin.experiments.studies.playing import Player
from twin.experiments.studies.store import StudyStore
from twin.measures.figures import FIGURES, measure
from twin.scenario.model import Scenario

SCENARIOS = Path(__file__).parents[1] / "scenarios"
POOL = {"handle_time": {"distribution": "lognormal", "mean": "20min", "cv": 0.5}}
DESK = {
    "horizon": "10h",
    "arrivals": {"rate": "8/h"},
    "tickets": {
        "category_mix": {"Short": 3, "Long": 1},
        "channel_mix": {"chat": 1, "email": 2},
    },
    "assistant": {"role": "full", "backend": "profile", "review_categories": ["Long"]},
    "agents": {"all": POOL | {"heads": 2}, "help": POOL | {"heads": 1}},
    "customers": {"patience": "2h", "survey_rate": 1.0},
}
# Another value of each key that neither demand nor answers read, with what it needs beside it.
SHIFT = {"days": "Mon-Sun", "start": "00:00", "end": "08:00", "heads": 3}
AWAY = {"after_touch": 0.2, "while_idle": "2/h", "returns": "2/h", "returns_per_queued": "1/h"}
OTHERS = {
    "name": {"name": "another"},
    "question": {"question": "Why?"},
    "replications": {"replications": 3},
    "agents.*.heads": {"agents.all.heads": 5},
    "agents.*.shifts": {"agents.all.heads": None, "agents.all.shifts": [SHIFT]},
    "agents.*.roster": {"agents.all.heads": None, "agents.all.roster": "ROSTER"},
    "agents.*.extra_heads": {
        "agents.all.heads": None, "agents.all.shifts": [SHIFT], "agents.all.extra_heads": 1,
    },
    "agents.*.shrinkage": {"agents.all.shrinkage": 0.3},
    "agents.*.skills": {"agents.all.skills": ["Short"]},
    "agents.*.channels": {"agents.all.channels": ["chat"]},
    "agents.*.overflow_to": {"agents.all.overflow_to": ["help"]},
    "agents.*.overflow_after": {
        "agents.all.overflow_to": ["help"], "agents.all.overflow_after": "10min",
    },
    "agents.*.overflow_at": {"agents.all.overflow_to": ["help"], "agents.all.overflow_at": 2},
    "agents.*.individuals": {"agents.all.individuals": True},
    "agents.*.concurrency": {"agents.all.concurrency": 3},
    "agents.*.slow_down": {"agents.all.concurrency": 3, "agents.all.slow_down": "none"},
    "agents.*.weights": {"agents.all.concurrency": 3, "agents.all.weights": {"Long": 2}},
    "agents.*.weights_by_channel": {
        "agents.all.concurrency": 3, "agents.all.weights_by_channel": {"chat": 2},
    },
    "agents.*.members": {"agents.all.members": [{"name": "Ann", "speed": 1.5}]},
    "agents.*.tenure": {"agents.all.tenure": "100d"},
    "agents.*.turnover": {"agents.all.turnover": 50},
    "agents.*.transfers_to": {"agents.all.transfers_to": {"help": 0.3}},
    "agents.*.transfers_only": {
        "agents.all.transfers_to": {"help": 0.3}, "agents.help.transfers_only": True,
    },
    "agents.*.time_zone": {"agents.all.time_zone": "Asia/Tokyo"},
    "agents.*.holidays": {
        "agents.all.heads": None,
        "agents.all.shifts": [SHIFT],
        "agents.all.holidays": ["2026-01-05"],
    },
    "agents.*.at_shift_end": {"agents.all.at_shift_end": "hand over"},
    "agents.*.away.after_touch": {"agents.all.away": AWAY},
    "agents.*.away.while_idle": {"agents.all.away": AWAY | {"while_idle": "4/h"}},
    "agents.*.away.returns": {"agents.all.away": AWAY | {"returns": "4/h"}},
    "agents.*.away.returns_per_queued": {"agents.all.away": AWAY | {"returns_per_queued": "4/h"}},
    "agents.*.handle_time": {"agents.all.handle_time": "30min"},
    "agents.*.handle_times": {"agents.all.handle_times": {"Long": "1h"}},
    "agents.*.handle_times_by_channel": {"agents.all.handle_times_by_channel": {"chat": "5min"}},
    "agents.*.wrap_up": {"agents.all.wrap_up": "3min"},
    "agents.*.handle_scale": {"agents.all.handle_scale": 1.2},
    "agents.*.handle_hours": {"agents.all.handle_hours": [1.0, 1.5] * 12},
    "agents.*.handle_growth": {"agents.all.handle_growth": 0.1},
    "agents.*.review_time": {"agents.all.review_time": "9min"},
    "agents.*.triage_time": {"agents.all.triage_time": "9min"},
    "agents.*.follow_up_time": {"agents.all.follow_up_time": "9min"},
    "agents.*.cost": {"agents.all.cost": 30},
    "queue.capacity": {"queue.capacity": 2},
    "queue.balking": {"queue.balking": 0.1},
    "routing.wait_bonus": {"routing.wait_bonus": "1min"},
    "routing.choice": {"routing.choice": "random"},
    "routing.pool_choice": {"routing.pool_choice": "random"},
    "routing.same_agent": {"routing.same_agent": 0.5},
    "routing.same_agent_for": {"routing.same_agent": 0.5, "routing.same_agent_for": "2h"},
    "routing.max_transfers": {
        "agents.all.transfers_to": {"help": 0.9}, "routing.max_transfers": 1,
    },
    "targets": {"targets.first_response": {"normal": "5min"}},
    "customers.patience": {"customers.patience": "20min"},
    "customers.patience_by_category": {"customers.patience_by_category": {"Long": "1h"}},
    "customers.patience_by_channel": {"customers.patience_by_channel": {"chat": "1h"}},
    "customers.patience_by_priority": {"customers.patience_by_priority": {"normal": "1h"}},
    "customers.patience_hours": {"customers.patience_hours": [1.0, 0.5] * 12},
    "customers.retrial": {"customers.retrial": {"chance": 0.5, "delay": "10min"}},
    "customers.callback": {"customers.callback": {"chance": 0.5, "queue": 1}},
    "customers.survey_rate": {"customers.survey_rate": 0.5},
    "customers.solved": {"customers.solved.agent": 0.5},
    "customers.reopen_rate": {"customers.reopen_rate": 1.0},
    "customers.reopen_delay": {"customers.reopen_delay": "1h"},
    "customers.max_reopens": {"customers.max_reopens": 9, "customers.solved.agent": 0.2},
    "customers.close_after": {"customers.close_after": "1h"},
    "customers.satisfaction": {"customers.satisfaction.wait": 2.0},
    "evidence": {"evidence": {"assumed": ["arrivals"]}},
}  # fmt: skip


def without(data, key):
    """Drop what is said by a dotted key."""
    *path, last = key.split(".")
    for part in path:
        data = data[part]
    data.pop(last, None)


def varied(key, folder):
    """The desk with another value of a key, and what the key needs beside it."""
    roster = folder / "roster.csv"
    roster.write_text("date,start,end,heads\n2026-01-05,08:00,18:00,3\n", encoding="utf-8")
    changes = {k: str(roster) if v == "ROSTER" else v for k, v in OTHERS[key].items()}
    base = twin.from_data(DESK)
    data = base.as_data()
    for name in [name for name, value in changes.items() if value is None]:
        without(data, name)
        del changes[name]
    if "agents.all.heads" not in data["agents"]["all"] and "heads" not in data["agents"]["all"]:
        rest = changes.pop("agents.all.roster", None) or changes.pop("agents.all.shifts")
        data["agents"]["all"]["roster" if isinstance(rest, str) else "shifts"] = rest
    return twin.from_data(data).vary(changes, name=changes.get("name", "desk"))


def of_later():
    return {key for key in keys(Scenario) if key.partition(".")[0] in LATER}


def test_each_key_that_demand_does_not_read_is_tried():
    # A new key of these sections needs another value here, or its section is to leave LATER.
    # Rules for plans of shifts are read by `twin roster` alone, and by no desk.
    assert of_later() - {"work_rules"} == set(OTHERS)


@pytest.mark.parametrize("key", OTHERS)
def test_what_is_shared_is_as_drawn_and_answered_anew(key, tmp_path):
    base, other = twin.from_data(DESK), varied(key, tmp_path)
    one = Shared("x")
    first = one.demand(base, 1)
    engine = "auto" if COMPILED else "simpy"
    simulate(base, first, one.models(base, first), engine)
    demand = one.demand(other, 1)
    assert demand is first
    alone = draw(other, 1)
    log = simulate(other, demand, one.models(other, demand), engine)
    assert odd(log, simulate(other, alone, engine=engine)) == []
    assert len(log.calls)
    assert len(log.ratings)
    for name in ("arrived_s", "category", "priority", "text", "channel"):
        assert getattr(demand, name).tobytes() == getattr(alone, name).tobytes()


@pytest.mark.parametrize("change", [
    {"assistant.confidence_threshold": 0.7}, {"assistant.profile.accuracy": 0.5},
    {"provider.timeout": "1s"}, {"horizon": "2d"}, {"warm_up": "1h"}, {"seed": 9},
    {"arrivals.scale": 2}, {"tickets.priority_mix": {"high": 1}},
    {"touches": {"on_hold": {"chance": 0.2, "delay": "1h"}}},
], ids=str)  # fmt: skip
def test_what_demand_or_answers_read_keeps_desks_apart(change):
    base = twin.from_data(DESK)
    one = Shared("x")
    first = one.demand(base, 1)
    other = base.vary(change)
    demand = one.demand(other, 1)
    assert demand is not first
    log = simulate(other, demand, one.models(other, demand))
    assert odd(log, simulate(other, draw(other, 1))) == []


@pytest.mark.parametrize("name", ["baseline", "provider-outage", "chat-desk", "feedback-loop"])
def test_shipped_desks_share_to_the_byte(name):
    desk = twin.load(SCENARIOS / f"{name}.toml").vary({"horizon": "1d", "warm_up": "0s"})
    one, engine, pool = Shared("x"), "auto" if COMPILED else "simpy", next(iter(desk.agents))
    for scenario in (desk, desk.vary({f"agents.{pool}.handle_scale": 1.5})):
        demand = one.demand(scenario, 2)
        log = simulate(scenario, demand, one.models(scenario, demand), engine)
        assert odd(log, simulate(scenario, draw(scenario, 2), engine=engine)) == []


def test_a_second_model_shares_its_answers_too():
    given = {"on_failure": "fallback", "fallback_model": "openai/gpt-oss-120b"}
    data = DESK["assistant"] | given | {"profile": {"error_rate": 0.5}}
    desk, one = twin.from_data(DESK | {"assistant": data}), Shared("x")
    for scenario in (desk, desk.vary({"agents.all.heads": 5})):
        demand = one.demand(scenario, 0)
        log = simulate(scenario, demand, one.models(scenario, demand))
        assert len(set(log.calls["model"])) == 2
        assert odd(log, simulate(scenario, draw(scenario))) == []


def test_what_hangs_on_a_run_is_not_kept():
    desk = twin.from_data(DESK)
    assert may_keep(desk)
    learns = desk.vary({"assistant.learning": {"mode": "bandit", "effect": {"brief": 0.1}}})
    assert not may_keep(learns)
    assert not may_keep(desk.vary({"assistant.role": "off"}))
    replay = twin.load(SCENARIOS / "baseline.toml").vary({"assistant.backend": "replay"})
    assert not may_keep(replay)


def test_luck_that_is_shared_cannot_be_changed():
    demand = Shared("x").demand(twin.from_data(DESK), 0)
    assert demand.uniform(Stream.HANDLE) is demand.uniform(Stream.HANDLE)
    swapped = demand.swapped([Stream.HANDLE], 1)
    assert (swapped.uniform(Stream.HANDLE) != demand.uniform(Stream.HANDLE)).any()
    with pytest.raises(ValueError, match="read-only"):
        demand.uniform(Stream.HANDLE)[0] = 0.0


def test_many_tickets_are_not_kept_beside_each_other(monkeypatch):
    desk = twin.from_data(DESK)
    monkeypatch.setattr(once, "_MOST_TICKETS", 2 * len(draw(desk)))
    drawn = DrawnOnce(4, luck=True)
    first = drawn.draw(desk, 0)
    assert drawn.draw(desk, 0) is first
    for k in range(3):
        drawn.draw(desk, k)
    assert drawn.draw(desk, 0) is not first


def test_a_process_keeps_what_the_last_group_shares():
    one = shared_by("a")
    assert shared_by("a") is one
    assert shared_by("b") is not one
    assert shared_by("a") is not one
    assert shared_by("") is None


def test_some_figures_are_those_of_all():
    desk = twin.load(SCENARIOS / "baseline.toml").vary({"horizon": "1d", "warm_up": "2h"})
    log = simulate(desk, draw(desk))

    def anew():
        return replace(log)

    every = measure(anew(), desk)
    for name in FIGURES:
        alone = measure(anew(), desk, [name])
        rows = every[every["kpi"] == name].reset_index(drop=True)
        # Without rows a column has no type.
        pd.testing.assert_frame_equal(alone, rows, check_exact=True, check_dtype=len(rows) > 0)
    assert len(measure(log, desk, ["waiting_share"])) == 0


def test_a_search_finds_the_same_by_all_figures_and_without_sharing(monkeypatch):
    desk = twin.from_data(DESK | {"replications": 2}).vary(
        {"agents.all.cost": 30, "agents.help.cost": 20}
    )
    plan = {
        "scenario": desk, "minimise": "cost_week",
        "factors": {"agents.all.heads": [1, 2], "arrivals.scale": [1, 1.2]},
        "targets": {"abandonment_rate": {"at_most": 0.3}, "csat": {"at_least": 0.2}},
    }  # fmt: skip

    def found():
        one = twin.search(plan, checks=3, budget=24)
        frames = (one.table, one.finalists, one.near_misses, one.changes, one.roster, one.figures)
        return [frame.to_csv() for frame in frames], one.statement, one.played, one.notes

    quick = found()
    make = StudyStore.__init__

    def all_alone(self, folder, workers=1, cluster=None, engine="auto", asked=(), again=False):
        make(self, folder, workers, cluster, engine)
        self._share = ""

    monkeypatch.setattr(StudyStore, "__init__", all_alone)
    assert found() == quick


def tasks_of(folder, again, settings=2, replications=3, share="a search"):
    desks = [twin.from_data(DESK).vary({"agents.all.heads": 1 + k}) for k in range(settings)]
    return [
        Task(0, one, k, folder / str(number), False, False, share=share, again=again)
        for number, one in enumerate(desks)
        for k in range(replications)
    ]


def test_a_search_keeps_what_comes_again(tmp_path):
    tasks = tasks_of(tmp_path, True, share="kept", replications=6)
    for home in {task.folder for task in tasks}:
        home.mkdir()
    player = Player(1, None)
    played = [(task, outcome) for task, outcome in player.play(tasks)]
    assert len(played) == len(tasks)
    shared = shared_by("kept", True)
    assert len(shared._drawn._kept) == len(shared._answered) == 6
    for task, outcome in played:
        alone = twin.play(task.scenario, task.replication).kpis
        pd.testing.assert_frame_equal(outcome.kpis.frame(), alone)
