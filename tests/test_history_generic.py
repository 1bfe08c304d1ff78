"""Histories of no known tool: tickets, calls, event logs, and what a run exports of itself."""

import gzip
import re

import numpy as np
import pandas as pd
import pytest
from exports import HOUR, at, desk, write_csv, write_xlsx

import twin
from twin.common.errors import DamagedFile, ScenarioError
from twin.history import balance
from twin.history.gathered import Choices, Gathered
from twin.measures.sanity import sanity
from twin.records.export import write_event_log
from twin.records.tables import STATUSES


def value(history, kpi):
    figures = twin.measure(history.log, history.desk)
    return float(figures.query("kpi == @kpi and group == ''")["value"].iloc[0])


def adds_up(history):
    assert sanity(history.log, history.desk)["ok"].all()


def tickets_of(rows, form="plain"):
    return [
        {
            "Ticket": r["id"], "Opened on": at(r["created"], form),
            "Responded at": at(r["replied"], form), "Resolved on": at(r["solved"], form),
            "Topic": r["kind"], "Severity": r["priority"], "Handled by": r["agent"],
            "Customer": "Jo Smith", "Subject": "=cmd|' /C calc'!A0 <b>hi</b>",
        }
        for r in rows
    ]  # fmt: skip


def test_a_table_of_tickets_is_measured_as_a_run_is(tmp_path):
    rows = desk()
    history = twin.read_history(write_csv(tmp_path / "t.csv", tickets_of(rows)), zone="UTC")
    spent = [r["solved"] - r["created"] for r in rows if r["solved"]]
    assert value(history, "resolution_mean") == pytest.approx(np.mean(spent))
    replied = [r["replied"] - r["created"] for r in rows]
    assert value(history, "first_response_mean") == pytest.approx(np.mean(replied))
    assert len(history.log.tickets) == 60
    assert (history.log.tickets["status"] == "Open").sum() == 6
    assert list(history.log.tickets["priority"].astype(str)[:4]) == [
        r["priority"] for r in rows[:4]
    ]
    adds_up(history)


def test_what_a_table_does_not_tell_is_missing_and_named(tmp_path):
    history = twin.read_history(write_csv(tmp_path / "t.csv", tickets_of(desk())), zone="UTC")
    for kpi in ("reopen_rate", "abandonment_rate", "occupancy", "queue", "solved", "model_cost",
                "containment", "escalation_rate", "csat_all", "human_cost"):  # fmt: skip
        assert np.isnan(value(history, kpi)), kpi
    told = " ".join(history.missing())
    assert "reopen_rate; the export does not tell whether tickets were reopened (--map" in told
    assert "service_level; set targets.first_response in desk.toml" in told


def test_columns_are_told_one_by_one_with_the_reason_of_those_left_out(tmp_path):
    history = twin.read_history(write_csv(tmp_path / "t.csv", tickets_of(desk())), zone="UTC")
    told = {one.column: (one.field, one.how) for one in history.understood}
    assert told["Opened on"] == ("created", "guessed by its name")
    assert told["Customer"] == ("", "of a customer: not kept")
    assert told["Subject"] == ("", "texts: kept with --texts")


def test_a_column_that_is_named_goes_before_all_guesses(tmp_path):
    rows = [{"Ticket": r["id"], "A": at(r["created"], "plain"), "Created": at(r["created"] + 5),
             "B": at(r["solved"])} for r in desk()]  # fmt: skip
    path = write_csv(tmp_path / "t.csv", rows)
    history = twin.read_history(path, zone="UTC", columns={"created": "A", "solved": "B"})
    assert history.log.tickets["arrived_s"].iloc[0] == pytest.approx(desk()[0]["created"])
    assert {o.column: o.how for o in history.understood}["A"] == "given"
    with pytest.raises(ScenarioError, match='solved: no column "C"'):
        twin.read_history(path, columns={"solved": "C"})
    with pytest.raises(ScenarioError, match='no field "craeted"; did you mean "created"'):
        twin.read_history(path, columns={"craeted": "A"})


@pytest.mark.parametrize("kind", ["parquet", "xlsx", "csv.gz"])
def test_other_kinds_of_files_give_the_same_history(tmp_path, kind):
    rows = tickets_of(desk())
    plain = write_csv(tmp_path / "t.csv", rows)
    other = tmp_path / f"t.{kind}"
    if kind == "parquet":
        frame = pd.DataFrame(rows)
        # As programs write it: moments are moments.
        for name in ("Opened on", "Responded at", "Resolved on"):
            frame[name] = pd.to_datetime(frame[name].replace("", None))
        frame.to_parquet(other)
    elif kind == "xlsx":
        pytest.importorskip("python_calamine")
        write_xlsx(other, rows)
    else:
        other.write_bytes(gzip.compress(plain.read_bytes()))
    first, second = (twin.read_history(path, zone="Europe/Rome") for path in (plain, other))
    pd.testing.assert_frame_equal(first.log.tickets, second.log.tickets)
    pd.testing.assert_frame_equal(first.log.timeline, second.log.timeline)


def test_a_log_of_calls_tells_waits_work_and_who_gave_up(tmp_path):
    nine = 9 * HOUR
    lines = [
        # Two calls that are answered, one after 30 s; one lost after 45 s; one that never queued.
        ("1", nine, nine, nine + 120, "served", "bea"),
        ("2", nine + 60, nine + 90, nine + 300, "served", "cal"),
        ("3", nine + 70, None, nine + 115, "abandoned", ""),
        ("4", nine + 80, None, None, "left_menu", ""),
    ]
    names = ("call", "queued_at", "answered_at", "ended_at", "outcome", "agent")
    rows = [
        dict(zip(names, (n, at(q), at(a), at(e), o, who), strict=True))
        for n, q, a, e, o, who in lines
    ]
    history = twin.read_history(write_csv(tmp_path / "calls.csv", rows), zone="UTC")
    assert history.tool == "a log of calls"
    assert len(history.log.tickets) == 3
    assert value(history, "abandonment_rate") == pytest.approx(1 / 3)
    assert value(history, "agent_wait_mean") == pytest.approx((0 + 30 + 45) / 3)
    assert history.extra["spells"]["agent"].dropna().tolist() == ["A001", "A002"]
    assert any("left before they joined the queue" in trap.said for trap in history.traps)
    adds_up(history)


@pytest.mark.parametrize("name", ["event_log.csv", "event_log.xes"])
def test_a_run_that_is_exported_and_read_back_has_the_same_figures(tmp_path, play, name):
    data = {
        "horizon": "2d", "arrivals": {"rate": "20/h"}, "warm_up": "0s",
        "agents": {"front": {"heads": 3, "handle_time": {"distribution": "exponential",
                                                         "mean": "8min"}}},
        "customers": {"patience": {"distribution": "exponential", "mean": "20min"}},
        "touches": {"waiting": {"chance": 0.2, "delay": {"distribution": "exponential",
                                                         "mean": "3h"}}},
    }  # fmt: skip
    log, scenario = play(data), twin.from_data(data)
    write_event_log(log, scenario, (tmp_path / "event_log.csv", tmp_path / "event_log.xes"))
    history = twin.read_history(tmp_path / name, zone="UTC")
    pd.testing.assert_series_equal(
        history.log.timeline["status"].astype(str).sort_values(ignore_index=True),
        log.timeline["status"].astype(str).sort_values(ignore_index=True),
    )
    figures = twin.measure(log, scenario).query("group == ''").set_index("kpi")["value"]
    for kpi in ("arrivals", "first_response_mean", "resolution_mean", "resolution_p90",
                "reopen_rate", "abandonment_rate", "agent_wait_share"):  # fmt: skip
        assert value(history, kpi) == pytest.approx(figures[kpi], rel=1e-5), kpi
    # The log ends with its last event, a little before the run does.
    for kpi in ("backlog", "queue", "throughput", "agent_wait_mean", "human_response_mean"):
        assert value(history, kpi) == pytest.approx(figures[kpi], rel=0.01), kpi
    adds_up(history)


def test_work_that_stopped_and_went_on_comes_back_as_it_was(tmp_path, play, arrive):
    """Suspended and resumed in XES: neither done nor waiting meanwhile; wrap-up has no wait."""
    shift = {"start": "09:00", "end": "17:00", "heads": 2}
    pool = {"shifts": [shift], "handle_time": "9h", "wrap_up": "5min",
            "at_shift_end": "continue", "individuals": True}  # fmt: skip
    # Work of more than a day: most of it stops, some twice. In the end all is done.
    moments = [day * 86_400 + 16 * HOUR + 300 + k * 1300 for day in (0, 1) for k in range(3)]
    touches = {"waiting": {"chance": 0.6, "delay": "30min"}, "most": 2}
    data = {"horizon": "14d", "arrivals": arrive(*moments), "agents": {"all": pool},
            "touches": touches}  # fmt: skip
    log = play(data)
    assert (log.visits["end"] == "paused").sum() > len(moments)
    paths = tmp_path / "event_log.csv", tmp_path / "event_log.xes"
    write_event_log(log, twin.from_data(data), paths)
    steps = re.findall(r'"lifecycle:transition" value="(suspend|resume)"', paths[1].read_text())
    assert steps.count("suspend") == steps.count("resume") == (log.visits["end"] == "paused").sum()
    history = twin.read_history(paths[1], zone="UTC", until="2026-01-19")
    columns = ["ticket_id", "activity", "queued_s", "started_s", "ended_s", "end"]
    ours, theirs = (
        one.visits[columns].astype({"activity": str, "end": str})
        .sort_values(["ticket_id", "started_s"], ignore_index=True)
        for one in (log, history.log)
    )  # fmt: skip
    pd.testing.assert_frame_equal(ours, theirs, check_dtype=False, rtol=0, atol=0.002)
    # All spells of one piece of work are of one instance.
    found = re.findall(r'"concept:instance" value="(\d+)".*?transition" value="(\w+)"',
                       paths[1].read_text(), re.DOTALL)  # fmt: skip
    stopped = {instance for instance, step in found if step == "suspend"}
    for instance in stopped:
        own = [step for one, step in found if one == instance]
        assert own[0] == "start"
        assert own[-1] == "complete"
        assert own[1:-1] == ["suspend", "resume"] * ((len(own) - 2) // 2)


def test_a_history_is_kept_whole_and_opened_as_it_was(tmp_path):
    source = write_csv(tmp_path / "t.csv", tickets_of(desk()))
    history = twin.read_history(source, zone="Europe/Rome")
    folder = history.save(tmp_path / "history")
    again = twin.read_history(folder)
    for table in ("tickets", "timeline", "visits", "ratings"):
        ours, theirs = getattr(history.log, table), getattr(again.log, table)
        assert ours.astype(object).equals(theirs.astype(object))
    assert again.desk.as_data() == history.desk.as_data()
    assert (again.traps, again.understood) == (history.traps, history.understood)
    assert again.log.unknown == history.log.unknown
    assert sorted(p.name for p in tmp_path.iterdir()) == ["history", "t.csv"]
    with pytest.raises(ScenarioError, match="is there already"):
        history.save(folder)
    (tmp_path / "mine").mkdir()
    with pytest.raises(ScenarioError, match="is no history"):
        history.save(tmp_path / "mine", replace_old=True)


def test_a_damaged_history_is_not_read(tmp_path):
    source = write_csv(tmp_path / "t.csv", tickets_of(desk()))
    folder = twin.read_history(source, zone="UTC").save(tmp_path / "history")
    path = folder / "tickets.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match="damaged"):
        twin.read_history(folder)
    path.unlink()
    with pytest.raises(ValueError, match=r"tickets\.parquet is missing"):
        twin.read_history(folder)
    path.write_bytes(bytes(data))
    (folder / "history.json").write_text("{", encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"history\.json"):
        twin.read_history(folder)


def test_targets_and_shifts_that_are_added_to_the_desk_count(tmp_path):
    source = write_csv(tmp_path / "t.csv", tickets_of(desk()))
    folder = twin.read_history(source, zone="UTC").save(tmp_path / "history")
    path = folder / "desk.toml"
    text = path.read_text().replace("heads = 0", "cost = 20\nheads = 2")
    path.write_text(f'{text}\n[targets.first_response]\nnormal = "10min"\n')
    history = twin.read_history(folder)
    normal = [r["replied"] - r["created"] <= 600 for r in desk() if r["priority"] == "normal"]
    assert value(history, "service_level") == pytest.approx(np.mean(normal))
    assert value(history, "human_cost") > 0


def test_the_mapping_of_an_import_reads_the_next_export_alike(tmp_path):
    rows = [{"Nr": r["id"], "A": at(r["created"], "plain"), "B": at(r["solved"], "plain"),
             "S": "With vendor" if not r["solved"] else "Done"} for r in desk()]  # fmt: skip
    source = write_csv(tmp_path / "t.csv", rows)
    given = {"created": "A", "solved": "B", "status": "S", "id": "Nr"}
    first = twin.read_history(source, zone="Europe/Rome", columns=given,
                              statuses={"With vendor": "On hold"})  # fmt: skip
    folder = first.save(tmp_path / "history")
    second = twin.read_history(source, mapping=folder / "mapping.toml")
    pd.testing.assert_frame_equal(first.log.tickets, second.log.tickets)
    assert second.desk.time_zone == "Europe/Rome"
    with pytest.raises(ScenarioError, match="no status of the twin"):
        twin.read_history(source, columns=given, statuses={"With vendor": "Parked"})


def test_numbers_of_priority_rise_from_0_unless_told_otherwise(tmp_path):
    rows = [{"Nr": r["id"], "Created": at(r["created"], "plain"), "Customer rank": str(k % 3)}
            for k, r in enumerate(desk())]  # fmt: skip
    source = write_csv(tmp_path / "t.csv", rows)
    first = twin.read_history(source, zone="UTC")
    assert first.log.tickets["priority"].tolist()[:4] == ["low", "normal", "high", "low"]
    assert any("count from 0" in note for note in first.notes)
    given = {"0": "normal", "1": "normal", "2": "urgent"}
    second = twin.read_history(source, zone="UTC", priorities=given)
    assert second.log.tickets["priority"].tolist()[:4] == ["normal", "normal", "urgent", "normal"]
    assert not any("count from 0" in note for note in second.notes)
    folder = second.save(tmp_path / "history")
    third = twin.read_history(source, mapping=folder / "mapping.toml")
    pd.testing.assert_frame_equal(second.log.tickets, third.log.tickets)
    with pytest.raises(ScenarioError, match="no priority of the twin"):
        twin.read_history(source, priorities={"2": "top"})


def test_names_of_people_become_codes_and_mail_addresses_are_masked(tmp_path):
    rows = tickets_of(desk())
    for row in rows:
        row["Team"] = "ann@example.org desk"
        row["Handled by"] = "bob@example.org"
    source = write_csv(tmp_path / "t.csv", rows)
    folder = twin.read_history(source, zone="UTC").save(tmp_path / "coded")
    kept = b"".join(path.read_bytes() for path in folder.iterdir() if path.suffix != ".parquet")
    frames = [pd.read_parquet(path).astype(str).to_csv() for path in folder.glob("*.parquet")]
    for secret in ("bob@", "ann@", "Jo Smith", "calc", "<b>"):
        assert secret.encode() not in kept
        assert not any(secret in frame for frame in frames)
    named = twin.read_history(source, zone="UTC", keep_names=True)
    assert "bob@example.org" in set(named.extra["keys"]["agent"])


def test_texts_are_kept_only_where_that_is_asked_for_and_in_a_file_of_their_own(tmp_path):
    source = write_csv(tmp_path / "t.csv", tickets_of(desk()))
    folder = twin.read_history(source, zone="UTC", texts=True).save(tmp_path / "history")
    again = twin.read_history(folder)
    assert again.texts["subject"].str.contains("<b>hi</b>").all()
    assert len(again.texts) == 60
    assert not (
        twin.read_history(source, zone="UTC").save(tmp_path / "b") / "texts.parquet"
    ).exists()


def test_tickets_from_before_the_stretch_are_its_opening_backlog(tmp_path):
    rows = desk(count=200, days=20, work_s=2 * 86400.0)
    source = write_csv(tmp_path / "t.csv", tickets_of(rows))
    history = twin.read_history(source, zone="UTC", since="2026-03-09", until="2026-03-16")
    start, end = 7 * 86400.0, 14 * 86400.0
    solved = [r["solved"] or np.inf for r in rows]
    expected = sum(r["created"] < start and s >= start for r, s in zip(rows, solved, strict=True))
    opening = history.log.tickets[history.log.tickets["arrived_s"] < 0]
    assert len(opening) == expected > 5
    inside = [r for r in rows if start <= r["created"] < end]
    assert value(history, "arrivals") == len(inside)
    assert history.log.timeline["time_s"].min() == 0
    adds_up(history)


def test_statuses_balance_and_keep_the_desk_s_own_words():
    steps = [
        # Filed as New, closed without being solved, back at work, solved twice, given up.
        ("New", 0), ("Closed", 5), ("Work in progress", 7), ("Solved", 9), ("Solved", 10),
        ("Closed", 11), ("Closed", 12), ("Reopened", 13), ("Abandoned", 14), ("Abandoned", 15),
    ]  # fmt: skip
    gathered = Gathered("x", pd.DataFrame({"id": ["a"], "created": [0.0], "status": [None]}))
    gathered.changes = pd.DataFrame({
        "id": "a", "at": [float(at) for _, at in steps], "status": [name for name, _ in steps],
    })  # fmt: skip
    rows = balance.sequence(balance.changes(gathered, gathered.tickets, Choices()), 99.0)
    found = [(STATUSES[code], own) for code, own in zip(rows["code"], rows["own"], strict=True)]
    assert [(name, None if pd.isna(own) else own) for name, own in found] == [
        ("Open", "New"), ("Resolved", None), ("Closed", "Closed"), ("Reopened", None),
        ("In Progress", "Work in progress"), ("Resolved", "Solved"), ("Closed", "Closed"),
        ("Reopened", "Reopened"), ("Abandoned", "Abandoned"),
    ]  # fmt: skip


def test_calls_that_nobody_answered(tmp_path):
    rows = [
        {"call": k, "queued": at(k * HOUR, "plain"), "answered": "",
         "ended": at(k * HOUR + 60, "plain"), "agent": ""}
        for k in range(9)
    ]  # fmt: skip
    history = twin.read_history(write_csv(tmp_path / "c.csv", rows), zone="UTC")
    assert history.tool == "a log of calls"
    assert value(history, "abandonment_rate") == 1
    # A column that says it goes first.
    rows = [row | {"connected at": at(k * HOUR + 5, "plain")} for k, row in enumerate(rows)]
    history = twin.read_history(write_csv(tmp_path / "d.csv", rows), zone="UTC")
    assert value(history, "abandonment_rate") == 0


def test_priorities_and_columns_in_other_languages(tmp_path):
    rows = [
        {"Ticket": k, "Erstellt am": at(k * HOUR, "plain"), "Erste Antwort": at(k * HOUR + 60,
         "plain"), "Priorität": word}
        for k, word in enumerate(("Dringend", "hoch", "Mittel", "niedrig"))
    ]  # fmt: skip
    history = twin.read_history(write_csv(tmp_path / "t.csv", rows), zone="UTC")
    assert list(history.log.tickets["priority"].astype(str)) == ["urgent", "high", "normal", "low"]
    assert value(history, "first_response_mean") == pytest.approx(60)


def test_what_is_no_address_of_a_database_is_a_fault_without_its_password():
    with pytest.raises(ScenarioError, match="no address of PostgreSQL") as error:
        twin.read_history("postgresql://desk:opensesame@host:port/desk", zone="UTC")
    assert "opensesame" not in str(error.value)
