"""Invariants of every desk, over random scenarios, read off the tables of a run."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from strategies import MAX_TICKETS, SETTINGS, scenarios

from twin.assistant import catalogue
from twin.demand.luck import Stream
from twin.demand.tickets import Demand, draw
from twin.desk import agents, provider
from twin.desk.shifts import Turnout
from twin.desk.simulation import simulate
from twin.measures import balance, levels
from twin.measures.figures import measure
from twin.records.tables import STATUSES, TRANSITIONS, RunLog
from twin.scenario import calendars
from twin.scenario.calendars import Staircase, staffing
from twin.scenario.clock import by_hour
from twin.scenario.model import PRIORITIES, Scenario


class Team(NamedTuple):
    """Agents of a pool with the same skills and calendar: all of it, or some members.

    Those numbers are None who are no members, or where all of the pool is one team.
    """

    pool: str
    skills: list[str]
    numbers: frozenset[int] | None
    heads: Staircase

    def has(self, visits):
        """True for the visits that its agents made."""
        here = (visits["pool"] == self.pool).to_numpy()
        if self.numbers is None:
            return here
        return here & np.isin(visits["agent"].to_numpy(), list(self.numbers))


@dataclass
class Run:
    """A run, and what its tables do not say of visits: skill, patience and place in the queue.

    Rests of work that was paused at the end of a shift, which wait in no queue, are apart.
    """

    scenario: Scenario
    demand: Demand
    log: RunLog
    visits: pd.DataFrame
    rests: pd.DataFrame

    @property
    def waits_for_one(self):
        """Visits that may have waited for the agent who knows the ticket, not for anybody."""
        return (self.visits["returns"] > 0).to_numpy() & (self.scenario.routing.same_agent > 0)

    @cached_property
    def teams(self):
        """All teams of the desk."""
        return [team for name in self.scenario.agents for team in self.teams_of(name)]

    def teams_of(self, name):
        """The teams of a pool: by who has which skills, and comes when."""
        pool = self.scenario.agents[name]
        if not any(member.skills or member.shifts is not None for member in pool.members):
            return [Team(name, pool.skills, None, levels.on_shift(self.log, self.scenario, name))]
        turnout = Turnout(pool, self.demand)
        hours = calendars.pool_hours(pool, self.scenario, turnout)
        found, rank, teams = {}, 0, []
        # Agents without a name are there where more come than members without own shifts.
        named = [member for member in pool.members if member.shifts is None]
        more = max(int(hours.values.max()) - len(named), 1 if pool.anonymous else 0)
        everybody = range(1, len(pool.members) + 1 + more)
        for number in everybody:
            member = pool.members[number - 1] if number <= len(pool.members) else None
            own = None if member is None else member.shifts
            skills = (member.skills if member else None) or pool.skills
            alone = number if own is not None and pool.shrinkage else 0
            key = tuple(sorted(skills)), repr(own), alone
            found.setdefault(key, []).append((number, None if own is not None else rank))
            rank += own is None
        for (skills, _, _), members in found.items():
            numbers = frozenset(number for number, _ in members)
            if members[0][1] is None:
                one = calendars.member_hours(pool, members[0][0], self.scenario, turnout)
                level = Staircase(one.times, one.values * len(members))
            else:
                there = [hours.values > rank for _, rank in members]
                level = Staircase(hours.times, np.sum(there, axis=0))
            teams.append(Team(name, list(skills), numbers, level))
        return teams

    def may_work(self, team, at):
        """Agents of a team who are on shift and not away, at the end of each moment.

        Of several teams of a pool the tables do not tell who is away: at most so many.
        """
        return self.present(team.pool, at) if team.numbers is None else level_at(team.heads, at)

    def is_known(self, team):
        """True if it is known of each moment how many of a team may take a ticket.

        With more tickets in hand, who leaves takes no new one before they are away.
        """
        pool = self.scenario.agents[team.pool]
        return pool.away is None or (team.numbers is None and pool.concurrency == 1)

    def in_hand(self, name, at, team=None):
        """Places that a pool's agents have taken, wrap-up included, at each moment of `at`.

        Mostly a ticket takes one.
        """
        visits = self.log.visits
        here = visits["pool"] == name if team is None else team.has(visits)
        return taken(visits[here], self.places[here], at)

    @cached_property
    def places(self):
        """Places that each row of the table visits takes in the hand of its agent."""
        known = {visit.row: self.weight(visit.pool, visit) for visit in self.visits.itertuples()
                 if visit.row >= 0}  # fmt: skip
        known |= {visit.row: self.weight(visit.pool, visit) for visit in self.rests.itertuples()
                  if visit.row >= 0}  # fmt: skip
        table = self.log.visits
        # A wrap-up those of the touch that it follows.
        touches = {(row.ticket_id, row.pool, row.ended_s): known[k]
                   for k, row in enumerate(table.itertuples()) if k in known}  # fmt: skip
        return np.array([
            known[k] if k in known else touches.get((row.ticket_id, row.pool, row.started_s), 0)
            for k, row in enumerate(table.itertuples())
        ], dtype=int)  # fmt: skip

    def weight(self, name, visit):
        """Places that a visit would take of a pool: by channel, else by category."""
        pool, demand = self.scenario.agents[name], self.demand
        code = visit.category
        # What is passed on to one pool alone goes by what it is about.
        about = demand.categories[code if code < len(demand.categories)
                                  else demand.category[visit.ticket]]  # fmt: skip
        if demand.channel is not None:
            channel = demand.channels[demand.channel[visit.ticket]]
            if channel in pool.weights_by_channel:
                return pool.weights_by_channel[channel]
        return pool.weights.get(about, 1)

    @cached_property
    def weights(self):
        """Places that each visit would take, by pool."""
        return {
            name: np.array([self.weight(name, visit) for visit in self.visits.itertuples()], int)
            for name in self.scenario.agents
        }

    def present(self, name, at):
        """Agents of a pool who are on shift and not away, at the end of each moment of `at`."""
        heads = level_at(levels.on_shift(self.log, self.scenario, name), at)
        away = levels.away(self.log, self.scenario, name)
        return heads if away is None else heads - level_at(away, at)


def taken(rows, places, at):
    """Places that visits take at each moment of `at`."""
    at = np.reshape(at, (-1, 1))
    there = (rows["started_s"].to_numpy() <= at) & (rows["ended_s"].fillna(np.inf).to_numpy() > at)
    return there @ places


def level_at(level, at):
    """A level at the end of each moment."""
    return level.values[np.searchsorted(level.times, at, side="right") - 1]


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
        "returns": np.array([visit.returns for visit in seen], dtype=int),
    }
    visits = pd.DataFrame(known | {"row": rows})
    for name in ("started_s", "ended_s"):
        visits[name] = np.where(
            rows >= 0, table[name].to_numpy()[rows] if len(table) else 0, np.nan
        )
    out = table[table["end"].isin(["blocked", "balked"])]
    moments = zip(out["ticket_id"] - 1, out["queued_s"], strict=True)
    ends = dict(zip(moments, out["end"], strict=True))
    visits["end"] = [ends.get((visit.ticket, visit.queued_s)) for visit in seen]
    visits["pool"] = [table["pool"].iloc[row] if row >= 0 else None for row in rows]
    visits["agent"] = [table["agent"].iloc[row] if row >= 0 else np.nan for row in rows]
    assert len(visits) == (table["activity"] != "wrap-up").sum()
    rest = visits["queued_s"].isna()
    return Run(scenario, demand, log, visits[~rest].reset_index(drop=True), visits[rest])


INVARIANTS = []


def invariant(check):
    """Count a function of a run among those that hold of every desk."""
    INVARIANTS.append(check)
    return check


runs = scenarios().map(play).filter(lambda run: len(run.demand) <= MAX_TICKETS)


def changes(log):
    """The timeline ticket by ticket: pairs of moment and status."""
    names = log.timeline["status"].astype(str)
    rows = zip(log.timeline["ticket_id"], log.timeline["time_s"], names, strict=True)
    found: dict[int, list[tuple[float, str]]] = {k: [] for k in log.tickets["ticket_id"]}
    for ticket, moment, status in rows:
        found[ticket].append((moment, status))
    return found


@invariant
def arrivals_are_the_sum_of_outcomes(run):
    found = balance.conservation(run.log)
    assert found["arrivals"] == len(run.demand)
    assert found["arrivals"] == found["resolved"] + found["abandoned"] + found["open"]


@invariant
def littles_law_holds_exactly(run):
    table = balance.little(run.log, run.scenario)
    assert table["level"].to_numpy() == pytest.approx(
        table["product"].to_numpy(), rel=1e-9, abs=1e-9
    )


@invariant
def no_pool_begins_work_above_its_staffing(run):
    for name in run.scenario.agents:
        here = run.log.visits[run.log.visits["pool"] == name]
        start_s = here["started_s"].to_numpy()[(here["activity"] != "wrap-up").to_numpy()]
        heads = run.present(name, start_s)
        assert (levels.on_shift(run.log, run.scenario, name).values >= 0).all()
        # An agent who is away returns before they take a ticket; nobody begins past their shift.
        assert (heads > 0).all()
        # Of several in hand, agents whose shift is over may still have some to finish.
        pool = run.scenario.agents[name]
        for team in run.teams_of(name) if pool.concurrency == 1 else ():
            own = here[team.has(here) & (here["activity"] != "wrap-up").to_numpy()]
            begun_s = own["started_s"].to_numpy()
            assert (run.in_hand(name, begun_s, team) <= run.may_work(team, begun_s)).all()


@invariant
def nobody_begins_work_outside_their_own_shifts(run):
    for team in run.teams:
        if team.numbers is None:
            continue
        visits = run.log.visits[team.has(run.log.visits)]
        begun_s = visits["started_s"][visits["activity"] != "wrap-up"].to_numpy()
        assert (level_at(team.heads, begun_s) > 0).all()
        # At most so many of them are there at any moment.
        assert visits["agent"].nunique() <= len(team.numbers)


@invariant
def agents_away_are_on_shift_and_do_not_work(run):
    for name, pool in run.scenario.agents.items():
        rows = run.log.staffing[run.log.staffing["pool"] == name]
        assert len(rows) > 0 or pool.away is None
        if pool.away is None:
            continue
        assert rows["time_s"].is_monotonic_increasing
        assert (rows["away"] >= 0).all()
        assert (rows["away"] <= rows["on_shift"]).all()
        at = rows["time_s"].drop_duplicates().to_numpy()
        calendar = level_at(staffing(pool, run.scenario, Turnout(pool, run.demand)), at)
        on_shift = level_at(levels.on_shift(run.log, run.scenario, name), at)
        assert (on_shift == calendar).all()
        # Busy beyond those present are only who finish past their shift.
        away = level_at(levels.away(run.log, run.scenario, name), at)
        grows = np.diff(away, prepend=0) > 0
        if run.is_known(run.teams_of(name)[0]):
            assert (run.in_hand(name, at)[grows] + away[grows] <= on_shift[grows]).all()


@invariant
def no_agent_has_more_in_hand_than_they_may(run):
    table = run.log.visits
    for name, pool in run.scenario.agents.items():
        mine = (table["pool"] == name).to_numpy()
        here = table[mine]
        told_apart = run.scenario.told_apart(pool)
        assert here["agent"].notna().all() if told_apart else here["agent"].isna().all()
        used = levels.busy(run.log, name)
        assert used.values.max() <= max(1, here["agent"].nunique()) or not told_apart
        places = pd.Series(run.places[mine], here.index)
        assert (places >= 1).all()
        for _, own in here.groupby("agent"):
            in_hand = taken(own, places[own.index].to_numpy(), own["started_s"])
            assert (in_hand <= pool.concurrency).all()
    table = measure(run.log, run.scenario)
    shares = table[(table["kpi"] == "occupancy").to_numpy()]["value"].dropna()
    assert shares.between(0, 1 + 1e-9).all()


@invariant
def handed_over_work_leaves_no_pool_above_its_staffing_at_any_moment(run):
    for name, pool in run.scenario.agents.items():
        # A wrap-up is finished past the shift.
        if pool.at_shift_end == "finish" or pool.wrap_up is not None:
            continue
        here = run.log.visits[run.log.visits["pool"] == name]
        level = levels.on_shift(run.log, run.scenario, name)
        at = np.concatenate([level.times, here["started_s"]])
        at = at[at < run.scenario.horizon]
        assert (run.in_hand(name, at) <= run.present(name, at) * pool.concurrency).all()


def pauses_s(run, name):
    """Moments at which work of a pool stopped, and at which it went on; infinite: never."""
    visits = run.log.visits[run.log.visits["activity"] != "wrap-up"]
    stopped = visits[(visits["pool"] == name) & (visits["end"] == "paused")]
    rests = visits[visits["queued_s"].isna()]
    again_s = [
        rests["started_s"][(rests["ticket_id"] == one.ticket_id)
                           & (rests["started_s"] >= one.ended_s)].min()
        for one in stopped.itertuples()
    ]  # fmt: skip
    return stopped["ended_s"].to_numpy(), np.nan_to_num(np.array(again_s), nan=np.inf)


@invariant
def paused_work_goes_on_in_its_pool_before_anything_else(run):
    visits = run.log.visits
    assert (visits["end"] == "paused").sum() == len(run.rests)
    for name, pool in run.scenario.agents.items():
        own = visits[(visits["pool"] == name) & (visits["activity"] != "wrap-up")]
        begun_s = own["started_s"].to_numpy()
        moments = np.concatenate([begun_s, own["ended_s"], run.log.staffing["time_s"]])
        stopped_s, again_s = pauses_s(run, name)
        assert not len(stopped_s) or pool.at_shift_end == "continue"
        assert np.isin(again_s, [*begun_s[own["queued_s"].isna()], np.inf]).all()
        if divided(run, name):
            continue
        for since_s, until_s in zip(stopped_s, again_s, strict=True):
            # Nobody is free in between, and who begins then goes on with paused work, too.
            between = (begun_s > since_s) & (begun_s < until_s)
            # But for lighter tickets, which may fit where it does not.
            if not pool.weights and not pool.weights_by_channel:
                assert own["queued_s"][between].isna().all()
            at = moments[(moments >= since_s) & (moments < min(until_s, run.scenario.horizon))]
            assert (run.in_hand(name, at) >= run.present(name, at)).all()


def divided(run, name):
    """True where members of a pool differ: work that one of them paused not all can go on with."""
    return len(run.teams_of(name)) > 1


def takes(run, team, categories, tickets):
    """True for the tickets that a team takes, by the categories that they go by (codes).

    Behind the categories: what is transferred to its pool alone, by any channel.
    """
    pool, channels = run.scenario.agents[team.pool], run.demand.channels
    known = run.demand.categories
    able = knows(run, team, categories)
    if pool.channels:
        there = [k for k, channel in enumerate(channels) if channel in pool.channels]
        able &= np.isin(run.demand.channel[np.asarray(tickets, dtype=int)], there)
    return able | np.isin(categories, len(known) + list(run.scenario.agents).index(team.pool))


def knows(run, team, categories):
    """True for the categories (codes) that a team can handle."""
    pool, known = run.scenario.agents[team.pool], run.demand.categories
    codes = [k for k, category in enumerate(known) if category in (team.skills or known)]
    return np.isin(categories, [] if pool.transfers_only else codes)


def overflows_to(run, team):
    """Teams whose tickets a team may take, too, with their pools."""
    return [(other, run.scenario.agents[other.pool]) for other in run.teams
            if team.pool in run.scenario.agents[other.pool].overflow_to]  # fmt: skip


def may_take_s(run, team, visits):
    """Moment from which a team may take each visit, however few wait; infinite: never."""
    queued_s = visits["queued_s"].to_numpy()
    about = visits["category"].to_numpy(), visits["ticket"].to_numpy()
    since_s = np.where(takes(run, team, *about), queued_s, np.inf)
    for other, pool in overflows_to(run, team):
        over_s = np.where(takes(run, other, *about), queued_s + pool.overflows_after_s, np.inf)
        since_s = np.minimum(since_s, over_s)
    return since_s


@invariant
def every_touch_is_wrapped_up_once_by_who_made_it(run):
    visits = run.log.visits
    touch = visits["activity"].isin(["handle", "follow up"])
    answered = visits[touch & (visits["end"] == "done")]
    # Who finds that they cannot do it passes it on, too, but has made no touch.
    sorted_out = run.visits[run.visits["misrouted"] & run.visits["started_s"].notna()]
    sorted_out = set(zip(sorted_out["ticket"] + 1, sorted_out["ended_s"], strict=True))
    over = ["Resolved", "Waiting for customer", "On hold", "Escalated"]
    resolved = run.log.timeline[run.log.timeline["status"].isin(over)]
    ends = set(zip(resolved["ticket_id"], resolved["time_s"], strict=True)) - sorted_out
    for name, pool in run.scenario.agents.items():
        own = answered[answered["pool"] == name]
        expected = sorted(pair for pair in zip(own["ticket_id"], own["ended_s"], strict=True)
                          if pair in ends)  # fmt: skip
        after = visits[(visits["activity"] == "wrap-up") & (visits["pool"] == name)]
        found = sorted(zip(after["ticket_id"], after["started_s"], strict=True))
        assert found == (expected if pool.wrap_up else [])


@invariant
def no_skill_is_violated_but_by_misrouted_visits(run):
    taken = run.visits["pool"].notna().to_numpy()
    visits, of_one = run.visits[taken], run.waits_for_one[taken]
    truth = run.demand.category[visits["ticket"].to_numpy(dtype=int)]
    for team in run.teams:
        here = team.has(visits)
        own = visits[here]
        may_s = np.where(of_one[here], own["queued_s"], may_take_s(run, team, own))
        helps = helped_at(run, team, own)
        assert ((may_s <= own["started_s"].to_numpy()) | helps).all()
        handles = here & (visits["activity"] == 0).to_numpy()
        # The rest of work that was handed over stays what it was.
        able = knows(run, team, truth[handles])
        for other, _ in overflows_to(run, team):
            able |= knows(run, other, truth[handles])
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


def helped_at(run, team, visits):
    """True for visits taken while so many waited that a helping pool could take them."""
    helps = np.zeros(len(visits), dtype=bool)
    started_s = visits["started_s"].to_numpy()
    for other, pool in overflows_to(run, team):
        if pool.overflow_at is not None:
            waiting = waiting_with(run, visits, started_s)
            about = visits["category"].to_numpy(), visits["ticket"].to_numpy()
            # Those that were taken at that moment were waiting until then.
            helps |= takes(run, other, *about) & (waiting >= pool.overflow_at)
    return helps


def waiting_with(run, visits, at):
    """Visits that wait in the line of each visit at a moment of its own, or leave it then."""
    everyone = run.visits
    line, lines = line_of(run, visits), line_of(run, everyone)
    queued_s, left_s = everyone["queued_s"].to_numpy(), leaves_s(everyone)
    return np.array([
        ((lines == own) & (queued_s <= now) & (left_s >= now)).sum()
        for own, now in zip(line, at, strict=True)
    ])  # fmt: skip


def line_of(run, visits):
    """The line of each visit: by the teams that take it, whatever waits."""
    return np.array([
        sum(
            takes(run, team, [category], [ticket])[0] << k
            for k, team in enumerate(run.teams)
        )
        for category, ticket in zip(visits["category"], visits["ticket"], strict=True)
    ], dtype=int)  # fmt: skip


def leaves_s(visits):
    """Moment each visit left its queue, into work or for good."""
    return visits["started_s"].fillna(visits["deadline_s"]).to_numpy()


@invariant
def nobody_waits_while_an_agent_who_could_take_them_is_free(run):
    visits = run.visits
    moments = run.log.visits[["queued_s", "started_s", "ended_s"]].to_numpy().ravel()
    steps = {name: staffing(pool, run.scenario) for name, pool in run.scenario.agents.items()}
    moments = np.concatenate([moments, *(level.times for level in steps.values()),
                              run.log.staffing["time_s"]])  # fmt: skip
    at = np.unique(moments[moments < run.scenario.horizon])[:, None]
    waits = (visits["queued_s"].to_numpy() <= at) & (leaves_s(visits) > at) & ~run.waits_for_one
    for team in filter(run.is_known, run.teams):
        in_hand, heads = run.in_hand(team.pool, at, team), run.may_work(team, at[:, 0])
        able = may_take_s(run, team, visits) <= at
        # With fewer taken than if each had one place too few, somebody has enough of them.
        per_head = run.scenario.agents[team.pool].concurrency + 1 - run.weights[team.pool]
        most = heads[:, None] * per_head
        assert not (waits & able & (in_hand[:, None] < most)).any()


@invariant
def the_next_is_the_most_urgent_then_the_longest_waiting(run):
    visits = run.visits
    queued_s, left_s = visits["queued_s"].to_numpy(), leaves_s(visits)
    urgency = run.demand.priority[visits["ticket"].to_numpy(dtype=int)]
    bonus_s = run.scenario.routing.wait_bonus
    if bonus_s is not None:
        # Work that is handed over keeps its place, by when it first queued.
        again = ~visits["fresh"].to_numpy()
        urgency = np.where(again, [place[0] for place in visits["place"]],
                           queued_s + urgency * bonus_s)  # fmt: skip
    assert [place[0] for place in visits["place"]] == urgency.tolist()
    order = np.array([place[1] for place in visits["place"]], dtype=int)
    taken = visits[visits["pool"].notna()]
    by_team = [taken[team.has(taken)].assign(team=k) for k, team in enumerate(run.teams)]
    for visit in pd.concat(by_team).itertuples() if by_team else ():
        able = may_take_s(run, run.teams[visit.team], visits) < visit.started_s
        waiting = able & (queued_s < visit.started_s) & (left_s > visit.started_s)
        waiting &= ~run.waits_for_one
        # Who is first is passed over by who takes fewer places.
        weights = run.weights[run.teams[visit.team].pool]
        waiting &= weights <= weights[visit.Index]
        first = (urgency < visit.place[0]) | (
            (urgency == visit.place[0]) & (order < visit.place[1])
        )
        assert not (waiting & first).any()


@invariant
def who_is_picked_up_stays_and_who_leaves_was_never_picked_up(run):
    visits = run.log.visits
    left = visits[visits["end"] == "abandoned"]
    assert left["started_s"].isna().all()
    assert left["pool"].isna().all()
    started = run.visits[run.visits["started_s"].notna()]
    waited = started["started_s"] > started["queued_s"]
    assert (started["started_s"][waited] < started["deadline_s"][waited]).all()
    # Everybody who leaves does so at the end of their patience; they try again or end Abandoned.
    customers, luck = run.scenario.customers, run.demand.uniform(Stream.PATIENCE)
    for row in left.itertuples():
        ticket = row.ticket_id - 1
        category = run.demand.categories[run.demand.category[ticket]]
        by_priority = customers.patience_by_priority
        patience = by_priority.get(PRIORITIES[run.demand.priority[ticket]], customers.patience)
        patience = customers.patience_by_category.get(category, patience)
        if run.demand.channel is not None:
            channel = run.demand.channels[run.demand.channel[ticket]]
            patience = customers.patience_by_channel.get(channel, patience)
        longest_s = patience.quantile(luck[ticket : ticket + 1])
        if customers.patience_hours:
            came_s = run.demand.arrived_s[ticket : ticket + 1]
            longest_s *= by_hour(customers.patience_hours, came_s, run.scenario.midnight)
        assert row.ended_s == row.queued_s + longest_s[0]
    # And who is turned away or put off leaves at the moment at which they come.
    out = visits[visits["end"].isin(["blocked", "balked"])]
    assert (out["queued_s"] == out["ended_s"]).all()
    left = pd.concat([left, out])
    moments = sorted(zip(left["ticket_id"], left["ended_s"], strict=True))
    gone = run.log.timeline[run.log.timeline["status"] == "Abandoned"]
    lost = sorted(zip(gone["ticket_id"], gone["time_s"], strict=True))
    if customers.retrial is None:
        assert lost == moments
        return
    waiting = run.log.timeline[run.log.timeline["status"] == "Waiting for customer"]
    again = set(zip(waiting["ticket_id"], waiting["time_s"], strict=True))
    assert set(lost) <= set(moments) <= {*lost, *again}
    assert len(lost) == (run.log.tickets["status"] == "Abandoned").sum()
    # A try after each that failed, but for the last: at most so many.
    for ticket, own in left.groupby("ticket_id"):
        kinds = own["activity"].nunique()
        assert len(own) <= customers.retrial.most + max(1, kinds), ticket


@invariant
def who_finds_no_place_is_turned_away_and_nobody_else(run):
    visits, queue = run.visits, run.scenario.queue
    places = np.inf if queue.capacity is None else queue.capacity
    luck = run.demand.uniform(Stream.BALKING)
    line = line_of(run, visits)
    queued_s, left_s = visits["queued_s"].to_numpy(), leaves_s(visits)
    for row, visit in enumerate(visits.itertuples()):
        others = np.delete(np.concatenate([queued_s, left_s]), [row, row + len(visits)])
        if (others == visit.queued_s).any():
            continue  # what comes first at one moment is tested elsewhere
        waiting = (
            (queued_s < visit.queued_s) & (line == line[row]) & (left_s > visit.queued_s)
        ).sum()
        if visit.end in ("blocked", "balked"):
            assert (visit.end == "blocked") == (waiting >= places)
        if visit.end == "balked":
            assert 1 - luck[visit.ticket] > (1 - queue.balking) ** waiting
        # Work that is handed over keeps its place.
        elif visit.fresh and left_s[row] > visit.queued_s:
            assert waiting < places
            assert 1 - luck[visit.ticket] <= (1 - queue.balking) ** waiting * (1 + 1e-9)


@invariant
def no_quota_is_above_its_limit(run):
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


@invariant
def the_provider_keeps_its_concurrency_timeout_and_outages(run):
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


@invariant
def the_timeline_goes_by_allowed_transitions_and_agrees_with_the_tickets(run):
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


@invariant
def the_timeline_agrees_with_visits_and_calls(run):
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
        paused = visit.activity != "wrap-up" and np.isnan(visit.queued_s)
        rest = paused or (visit.ticket_id, visit.queued_s) in continued
        begun = visit.started_s == visit.started_s
        if visit.activity == "handle" and begun and not rest:
            assert (visit.ticket_id, visit.started_s, "In Progress") in found
            first = responded.get(visit.ticket_id, np.inf)
            responded[visit.ticket_id] = min(first, visit.started_s)
        if visit.activity == "review" and not rest:
            assert (visit.ticket_id, visit.queued_s, "Pending Review") in found
        if visit.activity == "wrap-up":
            ends = ("Resolved", "Waiting for customer", "On hold", "Escalated")
            assert any((visit.ticket_id, visit.started_s, status) in found for status in ends)
        elif visit.end == "done":
            touch = ("Resolved", "Escalated", "Waiting for customer", "On hold")
            ends = {"handle": touch, "follow up": touch, "triage": ("Categorized",)}
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


@invariant
def moments_are_in_order(run):
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


@invariant
def who_gives_up_has_left_at_that_moment(run):
    left = run.log.visits[run.log.visits["end"].isin(["abandoned", "blocked", "balked"])]
    gone = {"Abandoned", "Waiting for customer"}
    own = changes(run.log)
    for ticket, moment in zip(left["ticket_id"], left["ended_s"], strict=True):
        if moment < run.scenario.horizon:
            assert gone & {status for at, status in own[ticket] if at == moment}


@invariant
def a_ticket_counts_its_transfers(run):
    tickets = run.log.tickets.set_index("ticket_id")
    handed = run.log.visits.loc[run.log.visits["end"] == "handed over", "ticket_id"].value_counts()
    for ticket, own in changes(run.log).items():
        least = [status for _, status in own].count("Escalated") + handed.get(ticket, 0)
        assert least <= tickets["transfers"][ticket] <= least + tickets["reopens"][ticket]


# A desk is played once for all: that is most of the time that it takes.
@settings(SETTINGS, max_examples=40)
@given(runs)
def test_every_invariant_holds_of_every_desk(run):
    for check in INVARIANTS:
        check(run)
