"""Exports: the JSON shapes of the design, and event logs that other tools can read."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

import twin
from twin.records import export, storage
from twin.records.tables import STATUSES, RunLog
from twin.scenario.file import starter
from twin.scenario.model import Scenario

XES = "{http://www.xes-standard.org/}"
ODD = 'Pay <now> & "then"\u0007'


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "corpus.csv").write_text(
        'text,category,split\n"I was charged twice, why?",Payment Issues,desk\n'
        "Hallo Welt,Other,desk\n"
    )
    return twin.from_data(
        {
            "horizon": "2d",
            "start": "2026-03-28",
            "time_zone": "Europe/Berlin",
            "arrivals": {"rate": "6/h"},
            "tickets": {"corpus": str(folder / "corpus.csv")},
            "assistant": {"backend": "profile", "review_categories": ["Other"]},
            "agents": {"front": {"heads": 1, "handle_time": "20min", "cost": 30.0}},
            "customers": {"survey_rate": 1.0, "patience": "3h"},
        }
    )


@pytest.fixture(scope="module")
def log(desk: Scenario) -> RunLog:
    return twin.play(desk).log


def test_tickets_have_the_shape_of_the_design(log: RunLog) -> None:
    entries = json.loads(export.tickets_json(log))
    assert len(entries) == len(log.tickets)
    assert [*entries[0]] == ["ticket_id", "description", "category", "response", "status"]
    assert {entry["description"] for entry in entries} == {
        "I was charged twice, why?",
        "Hallo Welt",
    }
    assert {entry["status"] for entry in entries} <= set(STATUSES)
    assert [entry["ticket_id"] for entry in entries] == [*range(1, len(entries) + 1)]


def test_feedback_has_the_shape_of_the_design(log: RunLog) -> None:
    entries = json.loads(export.feedback_json(log))
    assert len(entries) == len(log.ratings) > 0
    assert [*entries[0]] == ["description", "model", "rating", "feedback", "backend"]
    assert {entry["rating"] for entry in entries} <= {1, 2, 3, 4, 5}
    assert {(entry["model"], entry["backend"]) for entry in entries} == {
        ("", ""), ("openai/gpt-oss-20b", "profile"),
    }  # fmt: skip


def test_no_language_model_is_credited_with_words_of_the_backend_embedded(desk: Scenario) -> None:
    articles = str(starter() / "knowledge")
    embedded = desk.vary({"assistant.backend": "embedded", "assistant.knowledge": articles})
    entries = export.feedback_entries(twin.play(embedded).log)
    assert {(entry["model"], entry["backend"]) for entry in entries} >= {("", "embedded")}
    assert {entry["model"] for entry in entries} == {""}


def test_a_million_tickets_make_no_giant_json(log: RunLog) -> None:
    assert len(export.ticket_entries(log, limit=3)) == 3
    few = export.feedback_entries(log, limit=3)
    assert len(few) == (log.ratings["ticket_id"] <= 3).sum()


def test_the_event_log_tells_everything_in_order(log: RunLog) -> None:
    events = export.events(log)
    assert [*events] == ["case", "activity", "resource", "start_s", "end_s"]
    begun = log.calls["started_s"].notna().sum() + log.visits["started_s"].notna().sum()
    assert len(events) == len(log.timeline) + begun
    for _, case in events.groupby("case"):
        assert case["start_s"].is_monotonic_increasing
        assert case["activity"].iloc[0] == "Open"
    assert (events["end_s"].isna() | (events["end_s"] >= events["start_s"])).all()
    status = events["activity"].isin(STATUSES)
    assert events.loc[status, "resource"].isna().all()
    assert set(events.loc[~status, "resource"]) == {"openai/gpt-oss-20b", "front"}


def test_the_csv_has_iso_times_in_the_desks_zone(desk: Scenario, log: RunLog) -> None:
    file = io.StringIO(newline="")
    export.write_csv(log, desk, file)
    file.seek(0)
    rows = [*csv.DictReader(file)]
    assert [*rows[0]] == ["case", "activity", "resource", "start", "end"]
    events = export.events(log)
    assert len(rows) == len(events)
    origin = datetime(2026, 3, 28, tzinfo=desk.zone).timestamp()
    offsets = set()
    for row, start_s in zip(rows, events["start_s"], strict=True):
        moment = datetime.fromisoformat(row["start"])
        assert moment.timestamp() - origin == pytest.approx(start_s, abs=0.001)
        offsets.add(moment.utcoffset())
    # The clocks go forward on the second day.
    assert len(offsets) == 2


def test_the_xes_is_valid_and_says_the_same(desk: Scenario, log: RunLog) -> None:
    file = io.StringIO()
    export.write_xes(log, desk, file)
    root = ET.fromstring(file.getvalue())
    assert root.tag == f"{XES}log"
    names = {e.get("prefix") for e in root.findall(f"{XES}extension")}
    assert names == {"concept", "time", "org", "lifecycle"}
    traces = root.findall(f"{XES}trace")
    assert len(traces) == len(log.tickets)
    events = export.events(log)
    work = events["resource"].notna()
    ended = events["end_s"].notna()
    found = root.findall(f".//{XES}event")
    assert len(found) == (~work).sum() + work.sum() + (work & ended).sum()
    for event in found:
        values = {child.get("key"): child.get("value") for child in event}
        assert values["lifecycle:transition"] in ("start", "complete")
        assert datetime.fromisoformat(str(values["time:timestamp"])).tzinfo is not None
        assert values["concept:name"]


def test_odd_names_are_escaped(desk: Scenario, log: RunLog) -> None:
    import dataclasses

    visits = log.visits.assign(pool=log.visits["pool"].cat.rename_categories({"front": ODD}))
    odd = dataclasses.replace(log, visits=visits)
    file = io.StringIO()
    export.write_xes(odd, desk, file)
    root = ET.fromstring(file.getvalue())
    names = {e.get("value") for e in root.iter(f"{XES}string") if e.get("key") == "org:resource"}
    assert 'Pay <now> & "then" ' in names
    table = io.StringIO(newline="")
    export.write_csv(odd, desk, table)
    table.seek(0)
    assert ODD in {row["resource"] for row in csv.DictReader(table)}


def test_an_empty_run_exports_too(desk: Scenario) -> None:
    empty = desk.vary({"arrivals.scale": 0.0})
    log = twin.play(empty).log
    assert json.loads(export.tickets_json(log)) == []
    assert json.loads(export.feedback_json(log)) == []
    file = io.StringIO()
    export.write_xes(log, empty, file)
    assert not ET.fromstring(file.getvalue()).findall(f"{XES}trace")


def read_xes(text: str, start_s: float) -> list[tuple[str, str, str, str, float]]:
    """Case, activity, resource, transition and moment of all events, as a reader of XES sees them.

    By the standard (IEEE 1849-2016): a log of traces of events, whose attributes are elements named
    by their types, with a key and a value; keys of the standard extensions that are declared.
    """
    root = ET.fromstring(text)
    assert root.get("xes.version") == "1849-2016"
    assert "xes.features" in root.attrib
    declared = {e.get("prefix") for e in root.findall(f"{XES}extension")}
    order = [child.tag.removeprefix(XES) for child in root]
    kinds = ["extension", "global", "classifier", "string", "trace"]
    assert order == sorted(order, key=kinds.index)
    found = []
    for trace in root.findall(f"{XES}trace"):
        own = {child.get("key"): child for child in trace if child.tag != f"{XES}event"}
        for event in trace.findall(f"{XES}event"):
            values = {}
            for child in event:
                key = str(child.get("key"))
                assert key.partition(":")[0] in declared
                assert child.tag == f"{XES}{'date' if key == 'time:timestamp' else 'string'}"
                values[key] = str(child.get("value"))
            moment = datetime.fromisoformat(values["time:timestamp"]).timestamp() - start_s
            found.append((
                str(own["concept:name"].get("value")), values["concept:name"],
                values.get("org:resource", ""), values["lifecycle:transition"], round(moment, 3),
            ))  # fmt: skip
    return found


STATUSED = {
    "horizon": "2d", "arrivals": {"rate": "2/h"}, "time_zone": "Europe/Berlin",
    "start": "2026-03-28", "customers": {"patience": "1h"},
    "agents": {"front": {"heads": 1, "handle_time": "25min"}},
    "workflow": {"start": {"New & <raw>": 1.0}, "statuses": {
        "New & <raw>": {"counts_as": "Open", "delay": "10min", "next": {"Assigned": 1.0}},
        "Assigned": {"counts_as": "In Progress", "work": True, "next": {"Wait": 0.3, "Done": 0.7}},
        "Wait": {"counts_as": "On hold", "delay": "3h", "next": {"Assigned": 1.0}},
        "Done": {"counts_as": "Resolved"},
    }},
}  # fmt: skip


def test_the_event_log_comes_back_as_it_was_written() -> None:
    """Own statuses, and those who gave up, which have none; agents, as far as they are known."""
    scenario = twin.from_data(STATUSED)
    log = twin.play(scenario).log
    file = io.StringIO()
    export.write_xes(log, scenario, file)
    found = read_xes(file.getvalue(), scenario.midnight.timestamp())
    expected = [
        (str(case), activity, resource or "", transition, round(moment, 3))
        for case, activity, resource, start_s, end_s in export.events(log).itertuples(index=False)
        for transition, moment in [("start", start_s), ("complete", end_s)][resource is None :]
        if moment == moment
    ]
    assert found == expected
    names = {activity for _, activity, resource, *_ in found if not resource}
    assert names == {"New & <raw>", "Assigned", "Wait", "Done", "Abandoned"}
    assert {resource for _, _, resource, *_ in found} == {"", "front"}


def test_an_agent_who_is_told_apart_is_the_resource(log: RunLog) -> None:
    import dataclasses

    number = np.where(np.arange(len(log.visits)) % 2, 3.0, np.nan)
    told = dataclasses.replace(log, visits=log.visits.assign(agent=number))
    resources = export.events(told)["resource"].dropna()
    assert {"front", "front 3"} < set(resources)
    begun = log.visits["started_s"].notna().to_numpy()
    assert (resources == "front 3").sum() == (begun & ~np.isnan(number)).sum()


def test_a_replication_that_fails_leaves_no_event_log(tmp_path: Path) -> None:
    for path in storage.event_logs(tmp_path, 3):
        path.write_text("half")
    storage.discard(tmp_path, 3)
    assert not [*tmp_path.iterdir()]


def test_a_run_writes_them_for_its_first_replication(desk: Scenario, tmp_path: Path) -> None:
    path = twin.run(desk, replications=2, out=tmp_path, event_log=True).paths[0]
    log = twin.play(desk).log
    assert (path / "tickets.json").read_text() == export.tickets_json(log)
    assert (path / "feedback.json").read_text() == export.feedback_json(log)
    file = io.StringIO(newline="")
    export.write_csv(log, desk, file)
    assert (path / "event_log.csv").read_bytes() == file.getvalue().encode()
    assert ET.parse(path / "event_log.xes")
    # And an event log of each of the others.
    again = twin.play(desk, 1).log
    file = io.StringIO(newline="")
    export.write_csv(again, desk, file)
    assert (path / "event_log-r0001.csv").read_bytes() == file.getvalue().encode()
    xes = (path / "event_log-r0001.xes").read_text(encoding="utf-8")
    assert len(read_xes(xes, desk.midnight.timestamp())) > len(export.events(again))
    plain = twin.run(desk, replications=1, out=tmp_path).paths[0]
    assert not (plain / "event_log.csv").exists()


def test_texts_of_customers_are_for_their_owner_alone(tmp_path: Path) -> None:
    baseline = Path(__file__).parents[1] / "scenarios" / "baseline.toml"
    texts = twin.load(baseline, {"horizon": "2h", "warm_up": "0s", "assistant.role": "off"})
    plain = twin.from_data({"horizon": "2h", "arrivals": {"rate": "6/h"}, "agents":
                            {"all": {"heads": 1, "handle_time": "5min"}}})  # fmt: skip
    files = ("tickets.json", "feedback.json", "report.html", "brief.html")
    paths = twin.run([texts, plain], replications=1, out=tmp_path).paths
    for path in paths:
        twin.report.write(twin.open_results(path), path / "report.html")
        twin.report.write(twin.open_results(path), path / "brief.html", brief=True)
    assert "word for word" not in (paths[0] / "brief.html").read_text()
    kept, open_to_others = (
        [bool((path / name).stat().st_mode & 0o077) for name in files] for path in paths
    )
    assert "description" in (next(tmp_path.glob("baseline/*/tickets.json"))).read_text()
    assert kept == [False, False, False, True]
    assert all(open_to_others)
