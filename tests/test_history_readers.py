"""Readers of help desks' exports, each on a small file with the columns of its tool."""

import numpy as np
import pytest
from exports import DAY, START, at, desk, write_csv, write_json

import twin
from twin.common.errors import ScenarioError
from twin.history.readers.choose import READERS
from twin.measures.sanity import sanity

T0 = START.timestamp()
GUESSED = "guessed by its name"


def check(history, rows, solved=True, replied=True, slack_s=0.001, opened=True):
    """The history is that of the rows: moments of creation, first reply and last solution."""
    tickets = history.log.tickets
    assert len(tickets) == len(rows)
    key = history.extra["keys"].set_index("key")["ticket_id"]
    number = tickets.set_index("ticket_id")
    for row in rows:
        found = number.loc[key[str(row["id"])]]
        assert found["arrived_s"] == pytest.approx(row["created"], abs=slack_s)
        if solved and row["solved"]:
            assert found["resolved_s"] == pytest.approx(row["solved"], abs=slack_s)
        if solved and opened and not row["solved"]:
            assert found["status"] not in ("Resolved", "Closed")
        if replied:
            assert found["responded_s"] == pytest.approx(row["replied"], abs=slack_s)
    assert sanity(history.log, history.desk)["ok"].all()


def how(history, column):
    return next((one.field, one.how) for one in history.understood if one.column == column)


def minutes(rows):
    """The same with replies and solutions after whole minutes, as Zendesk counts them."""
    return [
        row | {"replied": row["created"] + 60 * round((row["replied"] - row["created"]) / 60),
               "solved": row["solved"] and row["created"] + 60 * round(
                   (row["solved"] - row["created"]) / 60)}
        for row in rows
    ]  # fmt: skip


def zendesk_ticket(row):
    return {
        "id": row["id"], "created_at": at(row["created"]), "updated_at": at(row["solved"]),
        "status": "solved" if row["solved"] else "open", "priority": row["priority"],
        "requester_id": 77, "assignee_id": row["agent"], "group_id": 9, "type": "incident",
        "via": {"channel": row["channel"]}, "tags": ["vip", row["kind"]], "subject": "help",
        "satisfaction_rating": {"score": "good" if row["rating"] > 3 else "bad"},
    }  # fmt: skip


def zendesk_metrics(row):
    def pair(until):
        if not until:
            return {"calendar": None, "business": None}
        return {"calendar": round((until - row["created"]) / 60), "business": 1}

    return {
        "ticket_id": row["id"], "created_at": at(row["created"]), "reopens": row["id"] % 2,
        "assignee_stations": 1, "reply_time_in_minutes": pair(row["replied"]),
        "full_resolution_time_in_minutes": pair(row["solved"]), "solved_at": at(row["solved"]),
    }  # fmt: skip


def test_zendesk_tickets_with_metric_sets(tmp_path):
    rows = minutes(desk())
    tickets = [zendesk_ticket(row) | {"metric_set": zendesk_metrics(row)} for row in rows]
    history = twin.read_history(write_json(tmp_path / "t.json", {"tickets": tickets}), zone="UTC")
    assert history.tool == "Zendesk"
    check(history, rows)
    assert history.log.ratings["rating"].isin((1, 5)).all()
    assert how(history, "created_at") == ("created", "known")


def test_zendesk_incremental_export_with_metric_sets_beside(tmp_path):
    rows = minutes(desk())
    tickets = write_json(tmp_path / "t.json", {"tickets": [zendesk_ticket(r) for r in rows],
                                               "end_time": 5, "count": 60})  # fmt: skip
    metrics = write_json(
        tmp_path / "m.json", {"ticket_metrics": [zendesk_metrics(r) for r in rows]}
    )
    history = twin.read_history(tickets, metrics, zone="UTC")
    check(history, rows)
    reopens = history.log.tickets["reopens"].tolist()
    assert reopens == [row["id"] % 2 for row in rows]


def test_zendesk_metric_events_tell_each_turn(tmp_path):
    lines = [
        ("reply_time", "activate", 0), ("requester_wait_time", "activate", 0),
        ("reply_time", "fulfill", 600), ("requester_wait_time", "pause", 600),
        ("requester_wait_time", "activate", 3600), ("requester_wait_time", "fulfill", 7200),
        ("requester_wait_time", "activate", 9000), ("requester_wait_time", "fulfill", 9900),
    ]  # fmt: skip
    events = [
        {"id": n, "ticket_id": 5, "metric": metric, "instance_id": 1, "type": kind,
         "time": at(DAY + second)}
        for n, (metric, kind, second) in enumerate(lines)
    ]  # fmt: skip
    path = write_json(tmp_path / "e.json", {"ticket_metric_events": events})
    history = twin.read_history(path, zone="UTC")
    assert history.log.timeline["status"].astype(str).tolist() == [
        "Open", "Waiting for customer", "Open", "Resolved", "Reopened", "Resolved",
    ]  # fmt: skip
    ticket = history.log.tickets.iloc[0]
    start = history.log.tickets["arrived_s"].iloc[0]
    assert (ticket["responded_s"] - start, ticket["resolved_s"] - start) == (600, 9900)
    assert ticket["reopens"] == 1
    figures = twin.measure(history.log, history.desk).query("group == ''").set_index("kpi")
    # Of 9,900 s the customer had it for 3,000.
    assert figures.loc["waiting_share", "value"] == pytest.approx(3000 / 9900)
    assert figures.loc["resolution_less_waits_mean", "value"] == pytest.approx(6900)


def test_zendesk_explore_and_views(tmp_path):
    rows = minutes(desk())
    explore = [
        {"Ticket ID": r["id"], "Ticket created - Timestamp": at(r["created"], "plain"),
         "Ticket solved - Timestamp": at(r["solved"], "plain"), "Ticket group": "Support",
         "Assignee name": r["agent"], "Ticket status": "Solved" if r["solved"] else "Open",
         "Ticket channel": r["channel"], "Ticket priority": r["priority"].title(),
         "First reply time (min)": round((r["replied"] - r["created"]) / 60)}
        for r in rows
    ]  # fmt: skip
    history = twin.read_history(write_csv(tmp_path / "x.csv", explore), zone="UTC")
    assert history.tool == "Zendesk"
    check(history, rows)
    assert list(history.desk.agents) == ["Support"]
    view = [
        {"ID": r["id"], "Subject": "a", "Requester": "Jo", "Requested": at(r["created"], "minutes"),
         "Assignee": r["agent"], "Group": "Support", "Priority": r["priority"],
         "Ticket status": "Open", "Satisfaction Score": "Good"}
        for r in rows
    ]  # fmt: skip
    history = twin.read_history(write_csv(tmp_path / "v.csv", view, sep=";"), zone="UTC",
                                days_first=True)  # fmt: skip
    assert history.tool == "Zendesk"
    check(history, rows, solved=False, replied=False, slack_s=60)
    assert how(history, "Requested") == ("created", GUESSED)


def test_freshdesk_by_its_api_and_by_its_page(tmp_path):
    rows = desk()
    level = {"low": 1, "normal": 2, "high": 3, "urgent": 4}
    api = [
        {"id": r["id"], "created_at": at(r["created"]), "status": 4 if r["solved"] else 2,
         "priority": level[r["priority"]], "source": 1, "type": r["kind"], "group_id": 4,
         "responder_id": 8, "fr_escalated": False, "due_by": at(r["created"]), "tags": [],
         "stats": {"first_responded_at": at(r["replied"]), "resolved_at": at(r["solved"])}}
        for r in rows
    ]  # fmt: skip
    history = twin.read_history(write_json(tmp_path / "t.json", api), zone="UTC")
    assert history.tool == "Freshdesk"
    check(history, rows)
    assert history.log.tickets["priority"].astype(str).tolist() == [r["priority"] for r in rows]
    assert set(history.extra["keys"]["channel"]) == {"email"}
    page = [
        {"Ticket ID": r["id"], "Subject": "a", "Status": "Resolved" if r["solved"] else "Open",
         "Priority": r["priority"].title(), "Source": "Email", "Type": r["kind"],
         "Agent": r["agent"], "Group": "Care", "Created time": at(r["created"], "plain"),
         "Resolved time": at(r["solved"], "plain"), "Last update time": at(r["solved"], "plain"),
         "Initial response time": at(r["replied"], "plain"), "Resolution status": "Within SLA"}
        for r in rows
    ]  # fmt: skip
    history = twin.read_history(write_csv(tmp_path / "p.csv", page), zone="UTC")
    assert history.tool == "Freshdesk"
    check(history, rows)
    assert how(history, "Created time") == ("created", GUESSED)


def test_jira_with_its_changelog(tmp_path):
    rows = desk()

    def step(second, before, after, who="ann"):
        return {"id": str(second), "created": at(second, "jira"), "author": {"name": who},
                "items": [{"field": "status", "fromString": before,
                           "toString": after}]}  # fmt: skip

    issues = []
    for r in rows:
        histories = [step(r["replied"], "Waiting for support", "In Progress")]
        if r["solved"]:
            histories.append(step(r["solved"], "In Progress", "Resolved"))
        # As the API lists them: newest first.
        fields = {"created": at(r["created"], "jira"), "priority": {"name": "Highest"},
                  "issuetype": {"name": r["kind"]}, "status": {"name": "Resolved"},
                  "assignee": {"name": r["agent"]}}  # fmt: skip
        issues.append({"key": r["id"], "fields": fields,
                       "changelog": {"histories": histories[::-1]}})  # fmt: skip
    history = twin.read_history(write_json(tmp_path / "t.json", {"issues": issues}), zone="UTC")
    assert history.tool == "Jira Service Management"
    check(history, rows)
    assert set(history.log.tickets["priority"]) == {"urgent"}
    assert set(history.extra["events"]["detail"]) == {"Waiting for support", "In Progress",
                                                      "Resolved"}  # fmt: skip


def test_jira_by_its_page(tmp_path):
    page = [
        {"Issue Type": r["kind"], "Issue key": r["id"], "Issue id": 1, "Summary": "a",
         "Assignee": r["agent"], "Reporter": "Jo", "Priority": "Medium",
         "Status": "Done" if r["solved"] else "To Do", "Created": at(r["created"], "plain"),
         "Resolved": at(r["solved"], "plain"), "Project key": "IT"}
        for r in desk()
    ]  # fmt: skip
    history = twin.read_history(write_csv(tmp_path / "p.csv", page), zone="UTC")
    assert history.tool == "Jira Service Management"
    check(history, desk(), replied=False)


def incident(r):
    return {"number": r["id"], "opened_at": at(r["created"], "plain"), "assignment_group": "Net",
            "resolved_at": at(r["solved"], "plain"), "closed_at": "", "priority": "3 - Moderate",
            "state": "6" if r["solved"] else "2", "category": r["kind"], "contact_type": "phone",
            "assigned_to": r["agent"], "reassignment_count": 1, "reopen_count": 0}  # fmt: skip


def test_servicenow_incidents_and_their_audit(tmp_path):
    rows = desk()
    table = write_csv(tmp_path / "incident.csv", [incident(r) for r in rows])
    history = twin.read_history(table, zone="UTC")
    assert history.tool == "ServiceNow"
    check(history, rows, replied=False)
    assert set(history.log.tickets["priority"]) == {"normal"}
    steps = [(r, "2", r["replied"]) for r in rows]
    steps += [(r, "6", r["solved"]) for r in rows if r["solved"]]
    audit = [
        {"documentkey": r["id"], "fieldname": "state", "oldvalue": "1", "newvalue": state,
         "sys_created_on": at(second, "plain"), "user": r["agent"]}
        for r, state, second in steps
    ]  # fmt: skip
    history = twin.read_history(table, write_csv(tmp_path / "audit.csv", audit), zone="UTC")
    check(history, rows)


def test_servicenow_with_a_row_an_update_and_final_values_in_every_row(tmp_path):
    rows = [r | {"solved": r["solved"] or r["replied"] + 5000} for r in desk()]
    lines = []
    for r in rows:
        for n, (state, second) in enumerate((("New", r["created"]), ("Active", r["replied"]),
                                             ("Active", r["replied"] + 1),
                                             ("Resolved", r["solved"]))):  # fmt: skip
            lines.append(incident(r) | {
                "incident_state": state, "sys_updated_at": at(second, "plain"), "sys_mod_count": n,
                "sys_updated_by": r["agent"], "resolved_at": at(r["solved"], "plain"),
            })  # fmt: skip
    history = twin.read_history(write_csv(tmp_path / "log.csv", lines), zone="UTC")
    assert history.tool == "ServiceNow"
    check(history, rows)
    assert any('"resolved_at" holds the final moment in every row' in n for n in history.notes)


def test_intercom_with_its_parts(tmp_path):
    rows = desk()
    found = []
    for r in rows:
        parts = [{"part_type": "comment", "created_at": int(T0 + r["replied"]),
                  "author": {"type": "admin", "id": r["agent"]}}]  # fmt: skip
        if r["solved"]:
            parts.append({"part_type": "close", "created_at": int(T0 + r["solved"]),
                          "author": {"type": "admin", "id": r["agent"]}})  # fmt: skip
        if r["id"] == 1000:
            # The customer writes again, and it is closed again.
            for second, kind, who in ((100, "comment", "user"), (900, "close", "admin")):
                parts.append({"part_type": kind, "created_at": int(T0 + r["solved"] + second),
                              "author": {"type": who, "id": "x"}})  # fmt: skip
        found.append({
            "id": r["id"], "created_at": int(T0 + r["created"]), "waiting_since": None,
            "snoozed_until": None, "state": "closed" if r["solved"] else "open",
            "priority": "not_priority", "admin_assignee_id": r["agent"], "team_assignee_id": 3,
            "statistics": {"first_admin_reply_at": int(T0 + r["replied"]), "count_reopens": 0},
            "conversation_parts": {"conversation_parts": parts},
        })  # fmt: skip
    path = write_json(tmp_path / "c.json", {"conversations": found})
    history = twin.read_history(path, zone="UTC")
    assert history.tool == "Intercom"
    first, *others = rows
    check(history, [first | {"solved": first["solved"] + 900}, *others])
    assert history.log.tickets["reopens"].sum() == 1


def test_hubspot_with_the_history_of_its_stage_and_by_its_page(tmp_path):
    rows = desk()
    found = []
    for r in rows:
        stages = [{"value": "1", "timestamp": at(r["created"])},
                  {"value": "3", "timestamp": at(r["replied"])}]  # fmt: skip
        if r["solved"]:
            stages.append({"value": "4", "timestamp": at(r["solved"])})
        found.append({
            "id": r["id"], "createdAt": at(r["created"]), "updatedAt": at(r["created"]),
            "properties": {"hs_pipeline_stage": stages[-1]["value"], "hs_ticket_priority": "HIGH",
                           "hs_ticket_category": r["kind"], "hubspot_owner_id": "5",
                           "first_agent_reply_date": at(r["replied"])},
            "propertiesWithHistory": {"hs_pipeline_stage": stages[::-1]},
        })  # fmt: skip
    history = twin.read_history(write_json(tmp_path / "t.json", {"results": found}), zone="UTC")
    assert history.tool == "HubSpot"
    check(history, rows)
    page = [
        {"Ticket ID": r["id"], "Ticket name": "a", "Create date": at(r["created"], "plain"),
         "Close date": at(r["solved"], "plain"), "Ticket owner": r["agent"], "Pipeline": "Support",
         "Ticket status": "Closed" if r["solved"] else "New", "Priority": "High"}
        for r in rows
    ]  # fmt: skip
    history = twin.read_history(write_csv(tmp_path / "p.csv", page), zone="UTC")
    assert history.tool == "HubSpot"
    check(history, rows, replied=False)


def test_zoho_by_its_api_and_by_its_page(tmp_path):
    rows = desk()
    api = [
        {"ticketNumber": r["id"], "createdTime": at(r["created"]), "closedTime": at(r["solved"]),
         "customerResponseTime": at(r["replied"]), "status": "Closed" if r["solved"] else "Open",
         "priority": r["priority"], "assigneeId": "7", "departmentId": "2", "webUrl": "x",
         "channel": r["channel"], "isSpam": False}
        for r in rows
    ]  # fmt: skip
    history = twin.read_history(write_json(tmp_path / "t.json", {"data": api}), zone="UTC")
    assert history.tool == "Zoho Desk"
    check(history, rows)
    page = [
        {"Ticket Id": r["id"], "Created Time (Ticket)": at(r["created"], "twelve"),
         "Status (Ticket)": "Closed" if r["solved"] else "Open", "Ticket Owner": r["agent"],
         "Ticket Closed Time": at(r["solved"], "twelve"), "Channel (Ticket)": "Email"}
        for r in [*rows, desk(1)[0] | {"id": 5, "created": 20 * DAY, "solved": None}]
    ]  # fmt: skip
    history = twin.read_history(write_csv(tmp_path / "p.csv", page), zone="UTC")
    assert history.tool == "Zoho Desk"
    assert len(history.log.tickets) == 61
    assert how(history, "Ticket Id") == ("id", GUESSED)


def test_each_reader_is_of_one_name_and_none_is_unknown(tmp_path):
    names = [reader.name for reader in READERS]
    assert len(set(names)) == len(names)
    rows = [{"id": 1, "created": at(0)}, {"id": 2, "created": at(9)}]
    path = write_csv(tmp_path / "t.csv", rows)
    with pytest.raises(ScenarioError, match='no reader "zendsk"; did you mean "zendesk"'):
        twin.read_history(path, tool="zendsk")
    assert len(twin.read_history(path, tool="zendesk", zone="UTC").log.tickets) == 2


def test_the_live_desk_s_store_is_read_with_its_work_and_ratings(tmp_path):
    pytest.importorskip("sqlalchemy")
    from twin.live.store import Store

    path = tmp_path / "desk.sqlite"
    store = Store(str(path))
    ticket, _ = store.receive({
        "key": None, "origin": "live", "received_at": T0, "description": "help", "priority": "high",
        "model": "m", "use_rag": False, "status": "Open", "articles": "", "prompt_version": "v1",
        "reopens": 0,
    })  # fmt: skip
    for status, second, by in (("In Progress", 60, "agent"), ("Resolved", 300, "agent")):
        values = {"responded_at": T0 + 60}
        values |= {"resolved_at": T0 + 300, "resolved_by": "agent"} if second == 300 else {}
        ticket = store.move(ticket, [(status, T0 + second, by)], values)
    store.close()
    history = twin.read_history(path, zone="UTC")
    assert history.tool == "the live desk's store"
    found = history.log.tickets.iloc[0]
    assert (found["responded_s"], found["resolved_s"], found["resolved_by"]) == (60, 300, "agent")
    visit = history.log.visits.iloc[0]
    assert (visit["queued_s"], visit["started_s"], visit["ended_s"]) == (0, 60, 300)
    assert not np.isnan(twin.measure(history.log, history.desk).query(
        "kpi == 'containment'")["value"].iloc[0])  # fmt: skip
