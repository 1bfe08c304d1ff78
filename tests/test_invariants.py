"""Invariants of every desk, over random scenarios, read off the tables of a run."""

from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from strategies import MAX_TICKETS, SETTINGS, scenarios

from twin.assistant import catalogue
from twin.demand.luck import Stream
from twin.demand.tickets import Demand, draw
from twin.desk import agents, provider
from twin.desk.simulation import simulate
from twin.measures import levels
from twin.records.tables import STATUSES, TRANSITIONS, RunLog
from twin.scenario.calendars import staffing
from twin.scenario.model import PRIORITIES, Scenario


@dataclass
class Run:
    """A run, and what its tables do not say of visits: skill, patience and place in the queue."""

    scenario: Scenario
    demand: Demand
    log: RunLog
    visits: pd.DataFrame


def play(scenario):
    """Run a scenario, looking over the shoulders of its agents."""
    seen: list[agents.Visit] = []

    class Seen(agents.Visit):
        def __init__(self, *args):
            super().__init__(*args)
            seen.append(self)

    demand = draw(scenario)
    with patch.object(agents, "Visit", Seen):
        log = simulate(scenario, demand)
    table = log.visits
    rows = np.array([visit.row for visit in seen], dtype=int)
    known = {
        "ticket": [visit.ticket for visit in seen],
        "category": [visit.category for visit in seen],
        "activity": [visit.activity for visit in seen],
        "misrouted": np.array([visit.misrouted for visit in seen], dtype=bool),
        "fresh": np.array([visit.fresh for visit in seen], dtype=bool),
        "deadline_s": [visit.deadline_s for visit in seen],
        "place": [visit.place for visit in seen],
        "queued_s": [visit.queued_s for visit in seen],
    }
    visits = pd.DataFrame(known)
    for name in ("started_s", "ended_s"):
        visits[name] = np.where(
            rows >= 0, table[name].to_numpy()[rows] if len(table) else 0, np.nan
        )
    visits["pool"] = [table["pool"].iloc[row] if row >= 0 else None for row in rows]
    assert len(visits) == len(table)
    return Run(scenario, demand, log, visits)


runs = scenarios().map(play).filter(lambda run: len(run.demand) <= MAX_TICKETS)


def changes(log):
    """The timeline ticket by ticket: pairs of moment and status."""
    names = log.timeline["status"].astype(str)
    rows = zip(log.timeline["ticket_id"], log.timeline["time_s"], names, strict=True)
    found: dict[int, list[tuple[float, str]]] = {k: [] for k in log.tickets["ticket_id"]}
    for ticket, moment, status in rows:
        found[ticket].append((moment, status))
    return found


@SETTINGS
@given(runs)
def test_arrivals_are_the_sum_of_outcomes(run):
    found = levels.conservation(run.log)
    assert found["arrivals"] == len(run.demand)
    assert found["arrivals"] == found["resolved"] + found["abandoned"] + found["open"]


@SETTINGS
@given(runs)
def test_littles_law_holds_exactly(run):
    table = levels.little(run.log, run.scenario)
    assert table["level"].to_numpy() == pytest.approx(
        table["product"].to_numpy(), rel=1e-9, abs=1e-9
    )


@SETTINGS
@given(runs)
def test_no_pool_begins_work_above_its_staffing(run):
    for name, pool in run.scenario.agents.items():
        here = run.visits[run.visits["pool"] == name]
        start_s = here["started_s"].to_numpy()
        end_s = here["ended_s"].fillna(np.inf).to_numpy()
        busy = ((start_s <= start_s[:, None]) & (end_s > start_s[:, None])).sum(axis=1)
        level = staffing(pool, run.scenario)
        heads = level.values[np.searchsorted(level.times, start_s, side="right") - 1]
        assert (level.values >= 0).all()
        assert (heads > 0).all()
        assert (busy <= heads).all()


@SETTINGS
@given(runs)
def test_handed_over_work_leaves_no_pool_above_its_staffing_at_any_moment(run):
    for name, pool in run.scenario.agents.items():
        if pool.at_shift_end == "finish":
            continue
        here = run.visits[run.visits["pool"] == name]
        level = staffing(pool, run.scenario)
        at = np.concatenate([level.times, here["started_s"]])
        at = at[at < run.scenario.horizon]
        start_s = here["started_s"].to_numpy()
        end_s = here["ended_s"].fillna(np.inf).to_numpy()
        busy = ((start_s <= at[:, None]) & (end_s > at[:, None])).sum(axis=1)
        assert (busy <= level.values[np.searchsorted(level.times, at, side="right") - 1]).all()


def takes(run, name, categories):
    """Which of the categories (codes) a pool takes."""
    skills = run.scenario.agents[name].skills or run.demand.categories
    codes = [k for k, category in enumerate(run.demand.categories) if category in skills]
    return np.isin(categories, codes)


@SETTINGS
@given(runs)
def test_no_skill_is_violated_but_by_misrouted_visits(run):
    visits = run.visits[run.visits["pool"].notna()]
    truth = run.demand.category[visits["ticket"].to_numpy(dtype=int)]
    for name in run.scenario.agents:
        here = (visits["pool"] == name).to_numpy()
        assert takes(run, name, visits["category"].to_numpy()[here]).all()
        handles = here & (visits["activity"] == 0).to_numpy()
        # The rest of work that was handed over stays what it was.
        able = takes(run, name, truth[handles])
        assert visits["misrouted"].to_numpy()[handles][~able].all()
        fresh = visits["fresh"].to_numpy()[handles]
        assert not visits["misrouted"].to_numpy()[handles][able & fresh].any()
    # An agent who cannot handle a ticket sends it on, to a queue of those who can.
    for ticket, own in run.visits.groupby("ticket"):
        handle = own[own["activity"] == 0]
        for row, visit in enumerate(handle.itertuples()):
            done = visit.ended_s < run.scenario.horizon
            if visit.misrouted and done and row + 1 < len(handle):
                then = handle.iloc[row + 1]
                category = visit.category if then["misrouted"] else run.demand.category[ticket]
                assert then["category"] == category


def leaves_s(visits):
    """Moment each visit left its queue, into work or for good."""
    return visits["started_s"].fillna(visits["deadline_s"]).to_numpy()


@SETTINGS
@given(runs)
def test_nobody_waits_while_an_agent_who_could_take_them_is_free(run):
    visits = run.visits
    moments = visits[["queued_s", "started_s", "ended_s"]].to_numpy().ravel()
    steps = {name: staffing(pool, run.scenario) for name, pool in run.scenario.agents.items()}
    moments = np.concatenate([moments, *(level.times for level in steps.values())])
    at = np.unique(moments[moments < run.scenario.horizon])[:, None]
    waits = (visits["queued_s"].to_numpy() <= at) & (leaves_s(visits) > at)
    for name, level in steps.items():
        here = visits[visits["pool"] == name]
        end_s = here["ended_s"].fillna(np.inf).to_numpy()
        busy = ((here["started_s"].to_numpy() <= at) & (end_s > at)).sum(axis=1)
        heads = level.values[np.searchsorted(level.times, at[:, 0], side="right") - 1]
        able = takes(run, name, visits["category"].to_numpy())
        assert not waits[:, able][busy < heads].any()


@SETTINGS
@given(runs)
def test_the_next_is_the_most_urgent_then_the_longest_waiting(run):
    visits = run.visits
    queued_s, left_s = visits["queued_s"].to_numpy(), leaves_s(visits)
    urgency = run.demand.priority[visits["ticket"].to_numpy(dtype=int)]
    assert [place[0] for place in visits["place"]] == urgency.tolist()
    order = np.array([place[1] for place in visits["place"]], dtype=int)
    for visit in visits[visits["pool"].notna()].itertuples():
        able = takes(run, visit.pool, visits["category"].to_numpy())
        waiting = able & (queued_s < visit.started_s) & (left_s > visit.started_s)
        first = (urgency < visit.place[0]) | (
            (urgency == visit.place[0]) & (order < visit.place[1])
        )
        assert not (waiting & first).any()


@SETTINGS
@given(runs)
def test_who_is_picked_up_stays_and_who_leaves_was_never_picked_up(run):
    visits = run.log.visits
    left = visits[visits["end"] == "abandoned"]
    assert left["started_s"].isna().all()
    assert left["pool"].isna().all()
    started = run.visits[run.visits["started_s"].notna()]
    waited = started["started_s"] > started["queued_s"]
    assert (started["started_s"][waited] < started["deadline_s"][waited]).all()
    # Everybody who leaves does so at the end of their patience, and ends Abandoned.
    customers, luck = run.scenario.customers, run.demand.uniform(Stream.PATIENCE)
    for row in left.itertuples():
        ticket = row.ticket_id - 1
        category = run.demand.categories[run.demand.category[ticket]]
        by_priority = customers.patience_by_priority
        patience = by_priority.get(PRIORITIES[run.demand.priority[ticket]], customers.patience)
        patience = customers.patience_by_category.get(category, patience)
        assert row.ended_s == row.queued_s + patience.quantile(luck[ticket : ticket + 1])[0]
    gone = run.log.timeline[run.log.timeline["status"] == "Abandoned"]
    one = zip(gone["ticket_id"], gone["time_s"], strict=True)
    assert sorted(one) == sorted(zip(left["ticket_id"], left["ended_s"], strict=True))


@SETTINGS
@given(runs)
def test_no_quota_is_above_its_limit(run):
    for name, calls in run.log.calls.groupby("model", observed=True):
        known = catalogue.model(name).limits(run.scenario.provider.plan)
        # What was answered was let in, at the moment its last attempt began.
        calls = calls[calls["outcome"] == "ok"].sort_values("started_s")
        tokens = calls["prompt_tokens"] + calls["completion_tokens"]
        for key, period_s in (("rpm", 60), ("rpd", 86400), ("tpm", 60), ("tpd", 86400)):
            limit = getattr(run.scenario.provider, key) or getattr(known, key)
            amounts = tokens if key.startswith("t") else [1] * len(calls)
            level = at_s = 0.0
            for moment, amount in zip(calls["started_s"], amounts, strict=True):
                level = max(0.0, level - (moment - at_s) * (limit or 0) / period_s) + amount
                at_s = moment
                assert limit is None or level <= limit * (1 + 1e-6)


@SETTINGS
@given(runs)
def test_the_provider_keeps_its_concurrency_timeout_and_outages(run):
    calls, settings_ = run.log.calls, run.scenario.provider
    calls = calls[calls["outcome"].notna()]
    for start, end in provider.outages(run.scenario, run.demand.seed, 0):
        begun = (calls["started_s"] >= start) & (calls["started_s"] < end)
        assert (calls["outcome"][begun] == "outage").all()
    assert (calls["ended_s"] - calls["started_s"] <= settings_.timeout + 1e-6).all()
    assert (calls["attempts"] <= settings_.retries + 1).all()
    for _, own in calls.groupby("model", observed=True):
        start_s, end_s = own["started_s"].to_numpy(), own["ended_s"].to_numpy()
        under_way = ((start_s <= start_s[:, None]) & (end_s > start_s[:, None])).sum(axis=1)
        assert settings_.concurrency is None or (under_way <= settings_.concurrency).all()


@SETTINGS
@given(runs)
def test_the_timeline_goes_by_allowed_transitions_and_agrees_with_the_tickets(run):
    tickets = run.log.tickets.set_index("ticket_id")
    assert run.log.timeline["time_s"].is_monotonic_increasing
    assert (run.log.timeline["time_s"] < run.scenario.horizon).all()
    for ticket, own in changes(run.log).items():
        row = tickets.loc[ticket]
        before = None
        for _, status in own:
            after = STATUSES.index(status)
            assert after in TRANSITIONS[before]
            before = after
        # Tickets of the opening backlog are there when the run starts.
        assert own[0] == (max(0.0, row["arrived_s"]), "Open")
        assert (row["arrived_s"] < 0) == (ticket - 1 in run.demand.opening)
        assert own[-1][1] == row["status"]
        resolved = [moment for moment, status in own if status == "Resolved"]
        assert resolved[-1:] == ([row["resolved_s"]] if resolved else [])
        assert np.isnan(row["resolved_s"]) == (not resolved)
        assert row["reopens"] == [status for _, status in own].count("Reopened")


@SETTINGS
@given(runs)
def test_the_timeline_agrees_with_visits_and_calls(run):
    visits, calls = run.log.visits, run.log.calls
    rows = zip(
        run.log.timeline["ticket_id"],
        run.log.timeline["time_s"],
        run.log.timeline["status"],
        strict=True,
    )
    found = set(rows)
    continued = {
        (v.ticket_id, v.ended_s) for v in visits[visits["end"] == "handed over"].itertuples()
    }
    responded: dict[int, float] = {}
    for visit in visits.itertuples():
        rest = (visit.ticket_id, visit.queued_s) in continued
        begun = visit.started_s == visit.started_s
        if visit.activity == "handle" and begun and not rest:
            assert (visit.ticket_id, visit.started_s, "In Progress") in found
            first = responded.get(visit.ticket_id, np.inf)
            responded[visit.ticket_id] = min(first, visit.started_s)
        if visit.activity == "review" and not rest:
            assert (visit.ticket_id, visit.queued_s, "Pending Review") in found
        if visit.end == "done":
            ends = {"handle": ("Resolved", "Escalated"), "triage": ("Categorized",)}
            ends = ends.get(visit.activity, ("Resolved",))
            assert any((visit.ticket_id, visit.ended_s, status) in found for status in ends)
    for call in calls.itertuples():
        if call.step == "respond":
            assert (call.ticket_id, call.asked_s, "In Progress") in found or call.attempts
        elif call.outcome == "ok":
            after = ("Categorized", "Escalated")
            assert any((call.ticket_id, call.ended_s, status) in found for status in after)
    for ticket, moment, status in found:
        if status == "Resolved":
            responded[ticket] = min(responded.get(ticket, np.inf), moment)
    said = run.log.tickets.set_index("ticket_id")["responded_s"].dropna()
    assert said.to_dict() == responded


@SETTINGS
@given(runs)
def test_moments_are_in_order(run):
    tickets, visits, calls = run.log.tickets, run.log.visits, run.log.calls
    for before, after in [
        (tickets["arrived_s"], tickets["responded_s"]),
        (tickets["responded_s"], tickets["resolved_s"]),
        (visits["queued_s"], visits["started_s"]),
        (visits["started_s"], visits["ended_s"]),
        (visits["queued_s"], visits["ended_s"]),
        (calls["asked_s"], calls["started_s"]),
        (calls["started_s"], calls["ended_s"]),
    ]:
        assert (before <= after)[after.notna() & before.notna()].all()
    assert not (tickets["responded_s"].isna() & tickets["resolved_s"].notna()).any()
    assert tickets["arrived_s"].is_monotonic_increasing
    ratings = run.log.ratings.set_index("ticket_id")["rated_s"]
    assert ratings.index.is_unique
    assert (ratings == tickets.set_index("ticket_id")["resolved_s"][ratings.index]).all()


@SETTINGS
@given(runs)
def test_a_ticket_counts_its_transfers(run):
    tickets = run.log.tickets.set_index("ticket_id")
    handed = run.log.visits.loc[run.log.visits["end"] == "handed over", "ticket_id"].value_counts()
    for ticket, own in changes(run.log).items():
        least = [status for _, status in own].count("Escalated") + handed.get(ticket, 0)
        assert least <= tickets["transfers"][ticket] <= least + tickets["reopens"][ticket]
