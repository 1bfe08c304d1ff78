"""Statuses of a workflow that had begun when the run starts, of which some time is spent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.demand.tickets import Demand
from twin.desk.clocks import past_clock
from twin.scenario.chain import Chain
from twin.scenario.model import Scenario
from twin.scenario.residual import longer, rest

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Begun:
    """Tickets of the opening backlog of which it is known since when they are in their status.

    What follows a status and when depends on the time already spent in it: a delay that is still
    not over is one of the longer ones. Where agents work in a status it may also have waited for
    them, so nothing is concluded from it: what is left is the delay less the time spent.

    Attributes
    ----------
    ticket : array of int, shape (m,)
    spent_s : array of float, shape (delays of the chain, m)
        Each by the clock of the delay.
    band : array of int, shape (m,)
        By the age at which the status began, of delays by age.
    works : array of bool, shape (m,)
        Whether agents work in its status.
    """

    ticket: Ints
    spent_s: Floats
    band: Ints
    works: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, scenario: Scenario, chain: Chain, demand: Demand) -> Begun | None:
        """Those of a run; None where there are none."""
        workflow = scenario.workflow
        since = {k: s for k, s in demand.opening_since.items() if k in demand.opening_status}
        if workflow is None or not since:
            return None
        ticket, since_s = np.array([*since]), np.array([*since.values()])
        arrived_s = demand.arrived_s[ticket]
        first_s = float(min(arrived_s.min(), since_s.min()))
        names = {workflow.clock, *(one.clock for one in chain.delays)}
        clocks = {name: past_clock(name, scenario, first_s) for name in names}

        def passed(name: str, start_s: Floats, end_s: Floats) -> Floats:
            clock = clocks[name]
            if clock is None:
                return end_s - start_s
            pairs = zip(start_s.tolist(), end_s.tolist(), strict=True)
            return np.array([clock.between(start, end) for start, end in pairs])

        age_s = passed(workflow.clock, arrived_s, since_s)
        bounds = np.array(workflow.ages, dtype=np.float64)
        spent = [passed(one.clock, since_s, np.zeros(len(ticket))) for one in chain.delays]
        statuses = list(workflow.statuses.values())
        works = [statuses[demand.opening_status[k]].work for k in since]
        return cls(
            ticket,
            np.array(spent).reshape(len(chain.delays), len(ticket)),
            (age_s[:, None] >= bounds).sum(axis=1),
            np.array(works, dtype=np.bool_),
        )

    def next(self, chain: Chain, row: Ints, u: Floats) -> Ints:
        """Next status of each, given that it has not come yet; the number behind all: it rests.

        Parameters
        ----------
        chain : Chain
        row : array of int, shape (m,)
            Of the chain's chances.
        u : array of float, shape (m,)
        """
        weights = chain.chances[row]
        ends = len(chain.names)
        lasts = np.ones(weights.shape)
        # What follows at once has not been waited for.
        lasts[:, :ends] = chain.delay[row][:, :ends] >= 0
        for number, delay in enumerate(chain.delays):
            for band, one in enumerate(delay.by_age):
                in_band = np.minimum(self.band, len(delay.by_age) - 1) == band
                here = (chain.delay[row] == number) & in_band[:, None]
                here[:, ends] = False
                who, _ = np.nonzero(here)
                lasts[here] = longer(one, self.spent_s[number][who])
        given = weights * lasts
        # One that is longer in its status than it ever lasts goes by the chances.
        known = ~self.works & (given.sum(axis=1) > 0)
        given = np.where(known[:, None], given, weights)
        cumulated = np.cumsum(given / given.sum(axis=1, keepdims=True), axis=1)
        cumulated[:, -1] = 1.0
        found: Ints = (u[:, None] >= cumulated).sum(axis=1)
        return found

    def rest_s(self, chain: Chain, which: Ints, u: Floats) -> Floats:
        """Rest of the delay of each; of those without one 0.

        Parameters
        ----------
        chain : Chain
        which : array of int, shape (m,)
            Index into the chain's delays; -1: none.
        u : array of float, shape (m,)
        """
        left = np.zeros(len(which))
        for number in np.unique(which[which >= 0]).tolist():
            by_age = chain.delays[number].by_age
            for band, one in enumerate(by_age):
                here = (which == number) & (np.minimum(self.band, len(by_age) - 1) == band)
                spent_s, luck = self.spent_s[number][here], u[here]
                whole = np.maximum(one.quantile(luck) - spent_s, 0.0)
                left[here] = np.where(self.works[here], whole, rest(one, spent_s, luck))
        return left
