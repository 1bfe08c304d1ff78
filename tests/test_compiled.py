"""The compiled engine plays what it covers as SimPy does, to the byte; the rest it refuses.

The fixture `play` plays each desk that is covered on both engines, too: so all days traced by hand
test them. Random desks without end: python -m tests.fuzz_engines
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from engines import COMPILED, covered, odd_between_engines, plays_compiled, with_statuses
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import SETTINGS

import twin
from twin.demand.tickets import draw
from twin.desk import engines
from twin.desk.compiled import code, play
from twin.desk.compiled.columns import NUMBERS, ORDERED, TABLES, Array
from twin.desk.compiled.coverage import COVERED, OUTSIDE, keys, why_not
from twin.desk.engines import EngineError, engine_of
from twin.desk.simulation import simulate_visits
from twin.scenario.model import Scenario

SHIPPED = sorted((Path(__file__).parents[1] / "scenarios").glob("*.toml"))
needs_numba = pytest.mark.skipif(not COMPILED, reason="the extra [fast] is not installed")
DESK = {
    "horizon": "2d",
    "arrivals": {"rate": "20/h"},
    "agents": {
        "all": {"heads": 3, "handle_time": {"distribution": "lognormal", "mean": "8min", "cv": 0.5}}
    },
    "customers": {"patience": "10min"},
}


def test_each_key_of_a_scenario_is_covered_or_named_as_outside():
    known = set(keys(Scenario))
    assert known == COVERED | set(OUTSIDE), "a new key goes to OUTSIDE, or the machine learns it"
    assert not COVERED & set(OUTSIDE)


def test_which_shipped_scenarios_are_covered():
    outside = {path.stem: why_not(twin.load(path)) for path in SHIPPED}
    assert {stem for stem, reason in outside.items() if reason is not None} == {"feedback-loop"}


@needs_numba
@pytest.mark.parametrize("path", [path for path in SHIPPED if why_not(twin.load(path)) is None],
                         ids=lambda path: path.stem)  # fmt: skip
def test_shipped_scenarios_are_the_same_to_the_byte(path):
    scenario = twin.load(path)
    assert odd_between_engines(scenario, draw(scenario, 1)) == []


@needs_numba
@given(covered())
@settings(SETTINGS, max_examples=40)
def test_random_desks_are_the_same_to_the_byte(scenario):
    assert odd_between_engines(scenario, draw(scenario)) == []


@needs_numba
@given(with_statuses())
@settings(SETTINGS, max_examples=20)
def test_random_desks_of_own_statuses_are_the_same_to_the_byte(scenario):
    assert odd_between_engines(scenario, draw(scenario)) == []


@needs_numba
def test_a_ticket_may_go_through_many_statuses_at_one_moment():
    """More of them than the tables have room for: they grow within the event."""
    rounds = {"counts_as": "Open", "next": {"There": 0.999}}
    back = {"counts_as": "On hold", "next": {"Here": 0.999}}
    statuses = {"Here": rounds, "There": back}
    scenario = twin.from_data(
        DESK | {"workflow": {"start": {"Here": 1.0}, "statuses": statuses, "most": 900}}
    )
    demand = draw(scenario)
    log = twin.simulate(scenario, demand, engine="compiled")
    assert log.timeline["ticket_id"].value_counts().max() > 800
    assert odd_between_engines(scenario, demand) == []


@needs_numba
def test_tables_heaps_and_luck_grow():
    away = {
        "after_touch": 0.5,
        "while_idle": "60/h",
        "returns": "60/h",
        "returns_per_queued": "9/h",
    }
    scenario = twin.from_data(DESK | {"horizon": "6d"}).vary(
        {"agents.all.away": away, "customers.solved.agent": 0.1, "customers.max_reopens": 9,
         "customers.reopen_rate": 1.0, "customers.reopen_delay": "1min",
         "customers.patience": "1h", "agents.all.handle_time.mean": "2min",
         "arrivals.rate": "60/h", "queue.balking": 0.001}
    )  # fmt: skip
    demand = draw(scenario)
    log = twin.simulate(scenario, demand, engine="compiled")
    # Several times what there is room for at first.
    assert len(log.staffing) > 2000
    assert len(log.visits) > 1.5 * len(demand)
    assert odd_between_engines(scenario, demand) == []


REFUSED = {
    "routing.same_agent": (0.5, "tickets that return to the same agent (routing.same_agent)"),
    "agents.all.turnover": (0.3, "agents who are replaced (agents.all.turnover)"),
    "agents.all": (
        {
            "heads": 2,
            "handle_time": "5min",
            "individuals": True,
            "away": {"while_idle": "1/h", "returns": "9/h"},
        },
        "agents who are told apart and come and go (agents.all.away)",
    ),
    "assistant": (
        {"backend": "profile", "learning": {"mode": "bandit", "effect": {"brief": 0.1}}},
        "an assistant that learns (assistant.learning.mode)",
    ),
}


@pytest.mark.parametrize("key", REFUSED)
def test_a_scenario_outside_is_refused_with_the_reason_and_plays_on_simpy(key):
    value, reason = REFUSED[key]
    scenario = twin.from_data(DESK).vary({key: value})
    assert why_not(scenario) == reason
    with pytest.raises(EngineError, match="does not cover") as caught:
        twin.simulate(scenario, draw(scenario), engine="compiled")
    assert reason in str(caught.value)
    assert engine_of(scenario, "auto") == "simpy"


def test_a_key_that_nobody_has_taught_the_machine_is_refused(monkeypatch):
    scenario = twin.from_data(DESK)
    less = COVERED - {"customers.patience"}
    monkeypatch.setattr("twin.desk.compiled.coverage.COVERED", less)
    assert why_not(scenario) == ("a key that the compiled desk does not know (customers.patience)")


def test_without_numba_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(engines, "has_numba", lambda: False)
    scenario = twin.from_data(DESK)
    with pytest.raises(EngineError, match=r"pip install 'support-desk-twin\[fast\]'"):
        twin.run(scenario, replications=1, engine="compiled")
    assert engine_of(scenario, "auto") == "simpy"


def test_there_is_no_other_engine():
    with pytest.raises(EngineError, match="one of simpy, compiled, auto"):
        twin.run(twin.from_data(DESK), engine="fast")


@pytest.mark.parametrize("engine", ["simpy", pytest.param("compiled", marks=needs_numba)])
def test_the_manifest_says_which_engine_played(tmp_path, engine):
    results = twin.run(twin.from_data(DESK), replications=2, out=tmp_path, engine=engine)
    manifest = results.runs[0].manifest
    assert (manifest["engine"], manifest["place"]) == (engine, "local processes")


@needs_numba
def test_a_run_has_the_same_figures_on_both_engines_and_auto_takes_the_compiled_one(monkeypatch):
    scenario = twin.from_data(DESK)
    assert plays_compiled(scenario)
    monkeypatch.setattr(engines, "is_kept", lambda: True)
    one, two = (twin.run(scenario, replications=2, engine=name) for name in ("simpy", "auto"))
    assert [found.runs[0].manifest["engine"] for found in (one, two)] == ["simpy", "compiled"]
    assert one.kpis.equals(two.kpis)


@pytest.mark.parametrize(
    ("numba", "kept", "tickets", "plays"),
    [(True, True, 1, "compiled"), (True, False, 1, "simpy"), (True, False, 1e7, "compiled"),
     (False, True, 1e7, "simpy")],
)  # fmt: skip
def test_auto_compiles_where_that_pays(numba, kept, tickets, plays, monkeypatch):
    monkeypatch.setattr(engines, "has_numba", lambda: numba)
    monkeypatch.setattr(engines, "is_kept", lambda: kept)
    scenario = twin.from_data(DESK)
    assert engine_of(scenario, "auto", tickets) == plays
    assert engine_of(scenario.vary({"routing.same_agent": 0.5}), "auto", tickets) == "simpy"


needs_loading = pytest.mark.skipif(
    not (COMPILED and code._LOADS), reason="no compiled code is kept by the twin here"
)


@needs_loading
def test_code_is_loaded_without_numba():
    code.machine()
    words = (
        "import sys, twin; from twin.demand.tickets import draw;"
        f"desk = twin.from_data({DESK!r});"
        "print(len(twin.simulate(desk, draw(desk), engine='compiled').visits));"
        "assert 'numba' not in sys.modules"
    )
    found = subprocess.run(
        [sys.executable, "-c", words], cwd=SHIPPED[0].parents[1], capture_output=True, text=True
    )
    scenario = twin.from_data(DESK)
    assert found.stderr == ""
    assert int(found.stdout) == len(twin.simulate(scenario, draw(scenario)).visits)


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Two files in which code may be kept, in folders that are not there yet."""
    found = [tmp_path / "package" / "m.code", tmp_path / "user" / "m.code"]
    monkeypatch.setattr(code, "_LOADS", True)
    monkeypatch.setattr(code, "_places", lambda: iter(found))
    return found


def test_code_is_kept_beside_the_package_and_where_none_may_write_there_by_the_user(places):
    assert (code.is_kept(), code._kept()) == (False, None)
    code._keep("play", b"\x7f\n")
    assert [path.exists() for path in places] == [True, False]
    assert (code.is_kept(), code._kept()) == (True, ("play", b"\x7f\n"))
    places[0].unlink()
    places[0].parent.rmdir()
    places[0].parent.write_text("no folder")
    code._keep("play", b"two")
    assert code._kept() == ("play", b"two")
    assert places[1].stat().st_mode & 0o777 == 0o600
    assert [one.name for one in places[1].parent.iterdir()] == ["m.code"]


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners of files")
def test_code_that_others_could_have_written_is_not_loaded(places, monkeypatch):
    """It is run as it stands: its checksum is no signature."""
    for path in places:
        path.parent.mkdir()
    monkeypatch.setattr(code, "cache_folder", lambda: places[1].parent)
    code._keep("play", b"one")
    places[0].rename(places[1])
    assert code._kept() == ("play", b"one")
    places[1].chmod(0o622)
    assert code._kept() is None
    places[1].chmod(0o600)
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    assert code._kept() is None


@pytest.mark.parametrize("damage", [b"", b"x", b"\n\n"])
def test_damaged_code_is_not_loaded(places, damage):
    code._keep("play", b"code")
    whole = places[0].read_bytes()
    places[0].write_bytes(damage)
    assert code._kept() is None
    places[0].write_bytes(whole[:-1] + b"E")
    assert code._kept() is None


HORIZON_S = 3600.0
MOMENTS = st.one_of(
    # Ties, the whole run, and all in a small part of it.
    st.integers(0, 4).map(lambda quarter: quarter * HORIZON_S / 4),
    st.floats(0.0, HORIZON_S),
    st.floats(0.0, 1e-3),
)


def put_in_order(when: list[float]) -> tuple[Array, Array] | None:
    """Rows of a timeline and the same put in order by the machine; None where they are crowded."""
    rows = np.zeros(len(when), TABLES["timeline"][0])
    rows["ticket"], rows["when"] = np.arange(len(when)), when
    rows["status"] = rows["ticket"] % 7
    tables = {
        "timeline": rows,
        "in_order": np.zeros_like(rows),
        "spans": np.zeros(len(rows) // 2 + 2, np.int64),
    }
    whole = np.zeros(1, NUMBERS)
    for name, table in tables.items():
        whole[f"{name}_at"], whole[f"{name}_0"] = table.ctypes.data, len(table)
    whole["timeline"], whole["horizon"], whole["ordering"] = len(rows), HORIZON_S, True
    return (rows, tables["in_order"]) if code.machine()(whole) == ORDERED else None


@needs_numba
@given(st.lists(MOMENTS, max_size=60))
@settings(SETTINGS, max_examples=200)
def test_the_machine_puts_a_timeline_in_order_as_a_stable_sort_does(when):
    found = put_in_order(when)
    if found is not None:
        rows, ordered = found
        assert ordered.tobytes() == rows[np.argsort(rows["when"], kind="stable")].tobytes()


@needs_numba
def test_the_machine_leaves_a_crowded_timeline_to_others():
    spread, crowded = np.linspace(HORIZON_S, 0, 1000), np.linspace(1e-3, 0, 1000)
    assert put_in_order(spread.tolist()) is not None
    assert put_in_order(crowded.tolist()) is None


def watched(machine, ends):
    """A machine that notes with what it ended."""

    def play_it(given):
        ends.append(machine(given))
        return ends[-1]

    return play_it


@needs_numba
def test_a_desk_whose_tickets_come_within_hours_of_a_year_has_the_same_timeline(monkeypatch):
    surge = {"start": "9d", "length": "10h", "factor": 1000}
    arrivals = {"rate": "0.02/h", "surges": [surge]}
    desk = twin.from_data(DESK | {"horizon": "400d", "arrivals": arrivals})
    ends = []
    monkeypatch.setattr(play, "machine", lambda: watched(code.machine(), ends))
    assert not odd_between_engines(desk, draw(desk))
    # Its timeline was too crowded for the machine, which put that of a common day in order.
    assert ORDERED not in ends
    assert not odd_between_engines(twin.from_data(DESK), draw(twin.from_data(DESK)))
    assert ends[-1] == ORDERED


def test_all_files_that_the_machine_is_made_of_name_its_code():
    found, left = set(), {"desk/compiled/machine"}
    while left:
        name = left.pop()
        found.add(name)
        tree = ast.parse((Path(twin.__file__).parent / f"{name}.py").read_text())
        if name.startswith("desk/compiled/"):
            homes = {one.module for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)}
            ours = {home.replace(".", "/")[5:] for home in homes if home.startswith("twin.")}
            left |= ours - found
    assert found == set(code.SOURCES) - {"desk/compiled/code"}


def test_code_of_other_sources_or_versions_has_another_name(monkeypatch):
    names = set()
    for version in ("1", "2"):
        monkeypatch.setattr(code, "version", lambda name, version=version: version)
        code._digest.cache_clear()
        names.add(next(code._places()).name)
    code._digest.cache_clear()
    assert len(names) == 2


@needs_numba
def test_a_study_plays_on_it_and_finds_the_same_as_on_simpy(monkeypatch):
    # It takes numba.
    from twin.desk.compiled import play

    plan = {"scenario": twin.from_data(DESK | {"replications": 2}),
            "factors": {"agents.all.heads": [2, 3]}}  # fmt: skip
    played, simulate = [], play.simulate

    def counting(*what):
        played.append(what)
        return simulate(*what)

    monkeypatch.setattr(play, "simulate", counting)
    # There is code already.
    monkeypatch.setattr(engines, "is_kept", lambda: True)
    found = twin.study(plan).frame
    assert len(played) == 4
    monkeypatch.setattr(engines, "has_numba", lambda: False)
    assert twin.study(plan).frame.equals(found)
    assert len(played) == 4


@needs_numba
def test_visits_alone_are_those_of_all_tables():
    scenario = twin.from_data(DESK | {"horizon": "6h"})
    demand = draw(scenario)
    whole = twin.simulate(scenario, demand).visits
    for engine in ("simpy", "compiled"):
        assert simulate_visits(scenario, demand, engine).equals(whole)


@needs_numba
def test_a_study_has_the_same_figures_on_both_engines():
    plan = {"scenario": twin.from_data(DESK), "factors": {"agents.all.heads": [2, 3]}}
    one, two = (twin.study(plan, replications=2, engine=name) for name in ("simpy", "compiled"))
    assert one.frame.equals(two.frame)


def test_a_study_asks_for_an_engine_that_there_is():
    plan = {"scenario": twin.from_data(DESK), "factors": {"agents.all.heads": [2, 3]}}
    with pytest.raises(EngineError, match="one of simpy, compiled, auto"):
        twin.study(plan, replications=1, engine="fast")
