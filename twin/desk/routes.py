"""Routes of tickets: the teams that may take a ticket, and the line in which it waits.

Tickets that the same teams can take share a line: those of a category, or of a channel and a
category where pools take some channels only. Where tickets take several places in the hand of an
agent, each line holds those of the same weights: so that its first is passed over with all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from twin.demand.luck import view
from twin.demand.tickets import Demand
from twin.desk.waiting import Line, Overflow, WaitingCount
from twin.scenario.model import Scenario

# Teams that may take a ticket at once, in order, and the line in which it waits for them.
Route = tuple[tuple[Any, ...], Line]


class Routes:
    """All routes of a desk.

    Parameters
    ----------
    teams : sequence of Team
    scenario : Scenario
    demand : Demand
    counted : bool
        Whether it matters how many wait in a line.

    Attributes
    ----------
    by_category : list or None
        The route of each category; None where it differs by channel.
    lines : list of Line
        All of them.
    """

    def __init__(
        self, teams: Sequence[Any], scenario: Scenario, demand: Demand, counted: bool
    ) -> None:
        self._teams = {
            name: [team for team in teams if team.number == k]
            for k, name in enumerate(scenario.agents)
        }
        self._pools = list(scenario.agents.values())
        self.weighs = any(team.weights != (1,) for team in teams)
        self._found: dict[tuple[Any, ...], Route] = {}
        self._all, self._categories = teams, len(demand.categories)
        # Behind the categories: tickets that are passed on to one team alone, by any channel.
        passing = any(pool.transfers_to for pool in scenario.agents.values())
        self._codes = range(self._categories + len(self._teams) * passing)
        self.by_category: list[Route] | None = None
        if self.weighs or any(team.pool.channels for team in teams):
            channel = np.full(len(demand), -1) if demand.channel is None else demand.channel
            self._channel, self._truth = view(channel), view(demand.category)
            # The last one is that of an unknown channel, -1.
            self._by_channel = [
                self._of(
                    [t for t in teams if not t.pool.channels or name in t.pool.channels],
                    demand.categories,
                    name,
                )
                for name in (*demand.channels, "")
            ]
        else:
            self.by_category = self._of(teams, demand.categories)
        firsts = [first for _, first in self._found.values()]
        self.lines = [line for first in firsts for line in first.stages]
        # Tickets of all weights that wait for the same teams are one queue.
        queues: dict[tuple[Any, ...], list[Line]] = {}
        for (able, _), (_, first) in self._found.items():
            queues.setdefault(able, []).append(first)
        for alike in queues.values():
            if counted or alike[0].helpers:
                waiting = WaitingCount([line for first in alike for line in first.stages])
                for first in alike:
                    first.waiting = waiting

    def of(self, ticket: int, category: int) -> Route:
        """The route of a ticket that goes by a category."""
        if self.by_category is not None:
            return self.by_category[category]
        known = self._categories
        if self.weighs and category >= known:
            category = known * (1 + category - known) + self._truth[ticket]
        return self._by_channel[self._channel[ticket]][category]

    def _of(
        self, teams: Sequence[Any], categories: tuple[str, ...], channel: str = ""
    ) -> list[Route]:
        """The route of each category to some teams.

        Where tickets have weights, those that are passed on go by their true categories, too.
        """
        found = []
        for code in self._codes:
            passed_on = code >= self._categories
            able = tuple(t for t in (self._all if passed_on else teams) if code in t.skills)
            names = categories if passed_on else categories[code : code + 1]
            for name in names if self.weighs else ("",):
                weights = tuple(pool.weight(name, channel) for pool in self._pools)
                key = able, weights if self.weighs else ()
                if key not in self._found:
                    self._found[key] = self._route(*key)
                found.append(self._found[key])
        return found

    def _route(self, able: tuple[Any, ...], weights: tuple[int, ...]) -> Route:
        """The route of tickets of some weights to some teams, made known to them.

        Lines that a line overflows to are its own: no other line's tickets wait there.
        """
        after: dict[float, list[Any]] = {}
        helpers: list[tuple[int, Any]] = []
        for team in able:
            others = [one for name in team.pool.overflow_to for one in self._teams[name]]
            after.setdefault(team.pool.overflows_after_s, []).extend(others)
            if team.pool.overflow_at is not None:
                helpers += [(team.pool.overflow_at, other) for other in others]
        after.pop(inf, None)
        able = tuple(dict.fromkeys([*able, *after.pop(0.0, [])]))
        line, taken, overflows = Line(), list(able), []
        for after_s in sorted(after):
            more = tuple(team for team in dict.fromkeys(after[after_s]) if team not in taken)
            taken += more
            if more:
                overflows.append(Overflow(after_s, more, Line()))
        line.overflows = tuple(overflows)
        for one in line.stages:
            one.weights = weights
        # Teams that may take a ticket after a while may take it later, too.
        stages = [(able, line), *((one.teams, one.line) for one in overflows)]
        for k, (teams, _) in enumerate(stages):
            for team in teams:
                team.queues += [later for _, later in stages[k:]]
        helpers = list(dict.fromkeys(helpers))
        line.helpers = tuple((least, team) for least, team in helpers if team not in able)
        for least, team in line.helpers:
            team.helps.append((least, line))
        return able, line
