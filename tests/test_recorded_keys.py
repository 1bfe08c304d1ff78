"""Calls of a run know the recorded answer that they replayed: its sample and its key."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest
from engines import COMPILED, odd_between_engines
from recorded_models import recorded_desk

import twin
from twin.assistant.recorded.recording import Recording
from twin.common.parquet import write_parquet
from twin.desk.simulation import simulate
from twin.records import storage


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    desk, demand = recorded_desk(folder)
    return desk, demand, Recording(folder / "recording.jsonl")


def test_a_key_leads_to_the_answer_that_the_ticket_got(recorded):
    desk, demand, recording = recorded
    log = simulate(desk, demand)
    answers, tickets = log.answers["text"], log.tickets.set_index("ticket_id")
    written = log.calls[log.calls["step"] == "respond"].groupby("ticket_id").tail(1)
    assert {0, 1} == set(log.calls["sample"])
    assert len(written) > 20
    for call in log.calls.itertuples():
        reply = recording.get(call.key)
        assert (reply.step, reply.sample) == (call.step, call.sample)
        asked = json.loads(reply.request["messages"][1]["content"])
        assert asked["ticket"] == log.texts[tickets.loc[call.ticket_id, "text_id"]]
    for call in written.itertuples():
        assert answers[tickets.loc[call.ticket_id, "answer_id"]] == recording.get(call.key).answer


@pytest.mark.skipif(not COMPILED, reason="numba is not installed")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"provider.outages": [{"start": "9h", "length": "5h"}], "provider.retries": 1},
        {"assistant.human_categories": ["Other"], "provider.rpm": 2},
    ],
)
def test_both_engines_keep_the_same_keys(recorded, changes):
    desk, demand, _ = recorded
    assert odd_between_engines(desk.vary(changes), demand) == []


def test_a_call_that_failed_has_no_key(recorded):
    desk, demand, _ = recorded
    down = desk.vary({"provider.outages": [{"start": "9h", "length": "5h"}]})
    calls = simulate(down, demand).calls
    failed = calls["outcome"] != "ok"
    assert 0 < failed.sum() < len(calls)
    assert (calls["key"].isna() == failed).all()
    assert ((calls["sample"] == -1) == failed).all()


def test_what_is_not_recorded_has_no_key(recorded):
    desk, demand, _ = recorded
    calls = simulate(desk.vary({"assistant.backend": "embedded"}), demand).calls
    assert len(calls)
    assert calls["key"].isna().all()
    assert (calls["sample"] == -1).all()


def test_a_saved_run_keeps_them_and_an_older_one_reads_as_without(recorded, tmp_path):
    desk, demand, _ = recorded
    folder = twin.run(desk, out=tmp_path).paths[0]
    kept = twin.open_results(folder).table("calls")
    played = simulate(desk, demand).calls
    assert kept["key"].astype(str).tolist() == played["key"].astype(str).tolist()
    assert kept["sample"].tolist() == played["sample"].tolist()
    path = storage.part(folder, "calls", 0)
    old = pq.read_table(path).drop_columns(["sample", "key"])
    write_parquet(path, old)
    again = twin.open_results(folder).table("calls")
    assert again["key"].isna().all()
    assert (again["sample"] == -1).all()
    pd.testing.assert_series_equal(again["ended_s"], kept["ended_s"])
