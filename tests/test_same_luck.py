"""The same arguments give the same run, and what changes on the desk changes no customer."""

import hashlib
import io
import json
import os
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import SETTINGS, pools, scenarios

from twin.demand.luck import FIRST, Stream, Use
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.measures import figures as kpis
from twin.records.tables import RunLog
from twin.scenario.model import from_data

TABLES = [*[field.name for field in fields(RunLog)][1:7], "staffing"]


def arrow_bytes(log):
    """All tables of a run as Arrow IPC streams, one after the other."""
    sink = io.BytesIO()
    for name in TABLES:
        table = pa.Table.from_pandas(getattr(log, name))
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
    return sink.getvalue()


@SETTINGS
@given(scenarios())
def test_the_same_arguments_give_the_same_bytes(scenario):
    one, again = (simulate(scenario, draw(scenario)) for _ in range(2))
    assert arrow_bytes(one) == arrow_bytes(again)
    tables = [kpis.measure(log, scenario) for log in (one, again)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


FRESH = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
from test_same_luck import arrow_bytes
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.scenario.model import from_data
for data in json.load(sys.stdin):
    scenario = from_data(data)
    log = simulate(scenario, draw(scenario))
    print(hashlib.sha256(arrow_bytes(log)).hexdigest())
"""


def test_a_fresh_process_with_another_hash_seed_gives_the_same_bytes():
    found = []

    @settings(SETTINGS, max_examples=12, derandomize=True, database=None)
    @given(scenarios())
    def collect(scenario):
        found.append(scenario)

    collect()
    here = [hashlib.sha256(arrow_bytes(simulate(s, draw(s)))).hexdigest() for s in found]
    for seed in ("1", "4711"):
        answer = subprocess.run(
            [sys.executable, "-c", FRESH, os.path.dirname(__file__)],
            input=json.dumps([scenario.as_data() for scenario in found]),
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert answer.stdout.split() == here


@SETTINGS
@given(scenarios(roles=("off",)).filter(lambda scenario: scenario.agents))
def test_an_assistant_that_is_off_is_a_desk_without_one(scenario):
    data = scenario.as_data()
    data.pop("assistant")
    data.pop("provider")
    without = from_data(data)
    logs = [simulate(s, draw(s)) for s in (scenario, without)]
    assert arrow_bytes(logs[0]) == arrow_bytes(logs[1])
    tables = [kpis.measure(log, s) for log, s in zip(logs, (scenario, without), strict=True)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


PER_TICKET = (Stream.PATIENCE, Stream.HANDLE, Stream.SOLVED, Stream.RATING, Stream.RESPOND_LATENCY)


def same_customers(one, other, n):
    for name in ("category", "priority", "text"):
        assert (getattr(one, name)[:n] == getattr(other, name)[:n]).all()
    for stream in PER_TICKET:
        for use in (FIRST, Use(visit=1)):
            assert (one.uniform(stream, use)[:n] == other.uniform(stream, use)[:n]).all()


def words(demand, tickets):
    """Texts of tickets: as words, since a trace numbers the texts that it keeps."""
    return [demand.texts[k] for k in demand.text[tickets]] if demand.texts else []


@SETTINGS
@given(
    # Evenly spaced arrivals cannot keep their moments.
    scenarios().filter(lambda s: s.arrivals.kind != "constant"),
    st.sampled_from([0.5, 1.5, 2.0]),
)
def test_load_changes_no_ticket_it_keeps(scenario, factor):
    scale = scenario.arrivals.scale * factor
    few, many = draw(scenario), draw(scenario.vary({"arrivals.scale": scale}))
    if factor < 1:
        few, many = many, few
    places = [list(zip(d.places.layer, d.places.row, strict=True)) for d in (few, many)]
    at = {place: k for k, place in enumerate(places[1])}
    assert set(places[0]) <= set(places[1])
    kept = np.array([at[place] for place in places[0]], dtype=np.int64)
    assert (np.diff(kept) > 0).all()
    assert (many.arrived_s[kept] == few.arrived_s).all()
    for name in ("category", "priority"):
        assert (getattr(many, name)[kept] == getattr(few, name)).all()
    assert words(many, kept) == words(few, slice(None))
    for stream in PER_TICKET:
        for use in (FIRST, Use(visit=1)):
            assert (many.uniform(stream, use)[kept] == few.uniform(stream, use)).all()


def one_pool_of_agents_alike(scenario):
    """True if work takes as long with any agent, and with any number of tickets in hand."""
    pools = list(scenario.agents.values())
    return len(pools) == 1 and pools[0].concurrency == 1 and not pools[0].members


@SETTINGS
@given(scenarios(), pools(), st.integers(1, 5))
def test_agents_models_and_replications_change_no_ticket(scenario, pool, replication):
    one = draw(scenario, replication)
    for change in (
        {"agents.extra": pool},
        {"assistant.model": "openai/gpt-oss-120b", "provider.plan": "free"},
        {"replications": 7},
        {"customers.patience": "1min"},
    ):
        other = draw(scenario.vary(change), replication)
        assert (one.arrived_s == other.arrived_s).all()
        same_customers(one, other, len(one))


@SETTINGS
@given(scenarios(roles=("off",)).filter(one_pool_of_agents_alike))
def test_one_agent_more_changes_no_handle_time(scenario):
    (name,) = scenario.agents
    more = scenario.vary({f"agents.{name}.extra_heads": scenario.agents[name].extra_heads + 1})
    spans = []
    for desk in (scenario, more):
        visits = simulate(desk, draw(desk)).visits
        visits = visits[(visits["end"] == "done")].drop_duplicates("ticket_id")
        spans.append((visits["ended_s"] - visits["started_s"]).set_axis(visits["ticket_id"]))
    both = spans[0].index.intersection(spans[1].index)
    if scenario.agents[name].at_shift_end == "finish":
        assert spans[0][both].to_numpy() == pytest.approx(spans[1][both].to_numpy(), abs=1e-6)
