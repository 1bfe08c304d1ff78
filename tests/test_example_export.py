"""The example export is what its planted desks give, and is read without a question."""

import json

import numpy as np
import pytest

import twin
from tests.builders import export

FOLDER = export.FOLDER


@pytest.fixture(scope="module")
def made():
    return export.files()


def test_its_files_are_those_of_its_planted_desks(made):
    for name, text in made.items():
        stale = f"{name} is stale: python -m tests.builders.export"
        assert (FOLDER / name).read_text(encoding="utf-8") == text, stale


def test_it_is_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_200_000


def test_the_log_of_calls_holds_what_the_planted_desk_did():
    desk = twin.load(FOLDER / "planted-phone.toml")
    log = twin.simulate(desk, twin.draw(desk))
    history = twin.read_history(FOLDER / "calls.csv", zone="Europe/London")
    assert history.traps == ()
    assert not any(one.how.startswith("left out") for one in history.understood)
    truth = twin.measure(log, desk).set_index(["kpi", "group"])["value"]
    told = twin.measure(history.log, history.desk).set_index(["kpi", "group"])["value"]
    for kpi in ("abandonment_rate", "agent_wait_mean", "agent_wait_share"):
        assert told[kpi, ""] == pytest.approx(truth[kpi, ""], rel=0.02, abs=0.5), kpi
    visits = history.log.visits
    worked = visits[visits["started_s"].notna()]
    # Nobody has two calls at once.
    for _, mine in worked.sort_values("started_s").groupby("agent"):
        assert (mine["started_s"].to_numpy()[1:] >= mine["ended_s"].to_numpy()[:-1]).all()
    assert worked["agent"].nunique() == 4


def test_the_tickets_hold_what_the_planted_desk_did():
    desk = twin.load(FOLDER / "planted-mail.toml")
    files = [FOLDER / "tickets.json", FOLDER / "metric_events.json"]
    history = twin.read_history(*files, zone="Europe/London", since="2026-03-02")
    assert history.tool == "Zendesk"
    assert history.traps == ()
    log = twin.simulate(desk, twin.draw(desk))
    came = log.tickets["arrived_s"] >= desk.warm_up
    assert (history.log.tickets["arrived_s"] >= 0).sum() == came.sum()
    # Open at the start: the opening backlog.
    assert (history.log.tickets["arrived_s"] < 0).sum() > 3
    resolved = log.tickets["resolved_s"][came].notna().sum()
    mine = history.log.tickets[history.log.tickets["arrived_s"] >= 0]
    assert mine["resolved_s"].notna().sum() == resolved
    paused = (log.timeline["status"] == "Waiting for customer") & (
        log.timeline["time_s"] >= desk.warm_up
    )
    told = history.log.timeline["status"] == "Waiting for customer"
    assert (told & (history.log.timeline["time_s"] > 0)).sum() == pytest.approx(
        paused.sum(), rel=0.02
    )


def test_no_ticket_holds_a_text_or_a_name():
    tickets = json.loads((FOLDER / "tickets.json").read_text(encoding="utf-8"))["tickets"]
    assert {"subject", "description"} & set(tickets[0]) == set()
    assert np.all([isinstance(one["requester_id"], int) for one in tickets])
