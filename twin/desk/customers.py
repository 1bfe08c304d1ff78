"""The simulated customer: patience, does the answer solve it, the 1-5 rating, coming back.

Ratings follow a cumulative logit (proportional odds) model (McCullagh 1980, Regression models for
ordinal data, J. R. Stat. Soc. B 42): a latent opinion, logistic noise less what went wrong, is cut
by four thresholds. Thresholds and the fall with response time were fitted to a public log of an
e-commerce desk (85,907 contacts): 69.4 % fives, 13.1 % fours, 3.0 % threes, 1.5 % twos, 13.1 %
ones, and mean ratings from 4.48 (answered within 5 minutes) to 3.87 (8 to 16 hours), for agents
who solve 92 % at first. The shares of its response times are not published; the fit takes 46, 16,
10, 10, 9 and 9 % in the six bands, which reproduces its mean of 4.24.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from math import inf, log

import numpy as np
from pydantic import BaseModel
from scipy import special

from twin.common.kept import MadeOnce
from twin.demand.luck import Floats, Lazy, Stream, Use, view
from twin.demand.tickets import Demand
from twin.records.tables import BY_AGENT, BY_REVIEW
from twin.scenario.clock import by_hour
from twin.scenario.model import PRIORITIES, Scenario

# Kept in each run's manifest: ratings of different raters do not compare.
RATER_VERSION = "cumulative-logit-1"
THRESHOLDS = (-2.586, -2.447, -2.201, -1.402)
# Fall of the latent opinion with minutes to the first response, at the middle of each band.
BAND_MINUTES = (2.5, 10.0, 22.0, 44.0, 170.0, 680.0)
BAND_FALL = (0.0, 0.464, 0.859, 0.946, 1.003, 1.072)
_LOG_MINUTES = tuple(log(m) for m in BAND_MINUTES)

COMMENTS = (
    ("Still not solved.", "This did not help at all.", "I had to ask again and again.", "Useless."),
    ("Not really what I asked.", "Took far too long.", "Only half an answer.", "Disappointing."),
    ("It was okay.", "Solved in the end.", "Could be clearer.", "Average."),
    ("Good, thank you.", "Helpful answer.", "Worked after a moment.", "Nice service."),
    ("Perfect, thanks!", "Fast and clear.", "Exactly what I needed.", "Great help."),
)
ALL_COMMENTS = [comment for row in COMMENTS for comment in row]


_AS_USUAL: Mapping[int, float] = {}
# What is said of customers as texts, which each replication asks for.
_TEXTS = MadeOnce[str](most=128)


def _text(of: BaseModel) -> str:
    return _TEXTS.get(of, of.model_dump_json)


class Customers:
    """All customers of a replication, with their luck.

    Parameters
    ----------
    scenario : Scenario
    demand : Demand
    """

    def __init__(self, scenario: Scenario, demand: Demand) -> None:
        settings = self._settings = scenario.customers

        def luck(stream: Stream) -> Lazy[int, memoryview]:
            return Lazy(lambda visit: demand.column(lambda: demand.uniform(stream, Use(visit))))

        def below(stream: Stream, share: float) -> Lazy[int, memoryview]:
            # A byte a ticket, not eight.
            return Lazy(
                lambda visit: demand.column(lambda: demand.uniform(stream, Use(visit)) < share)
            )

        def delay(visit: int) -> memoryview:
            def make() -> Floats:
                u = demand.uniform(Stream.REOPEN_DELAY, Use(visit))
                return settings.reopen_delay.quantile(u)

            of = settings.reopen_delay
            return demand.column(lambda: demand.once(lambda: ("delay", _text(of), visit), make))

        def opinion(_: int) -> memoryview:
            def make() -> Floats:
                found: Floats = special.logit(demand.uniform(Stream.RATING))
                return found

            return demand.column(lambda: demand.once(lambda: "opinion", make))

        def comment(_: int) -> memoryview:
            number = len(COMMENTS[0])
            return demand.column(lambda: (demand.uniform(Stream.COMMENT) * number).astype(np.int8))

        # By visit: 0, and 1 and more for those who come back.
        self._solved = luck(Stream.SOLVED)
        self._returns = below(Stream.REOPEN, settings.reopen_rate)
        self._delay = Lazy(delay)
        self._tries: defaultdict[int, int] = defaultdict(int)
        if settings.retrial is not None:
            retrial = settings.retrial
            self._most_tries = retrial.most
            self._again = below(Stream.RETRIAL, retrial.chance)

            def until_retrial(visit: int) -> memoryview:
                def make() -> Floats:
                    return retrial.delay.quantile(demand.uniform(Stream.RETRIAL_DELAY, Use(visit)))

                return demand.column(make)

            self._again_s = Lazy(until_retrial)
        self._surveyed = below(Stream.SURVEY, settings.survey_rate)
        self._opinion = Lazy(opinion)
        self._truth = view(demand.category)
        weight = settings.satisfaction
        emotional = weight.repair if weight.emotional_repair is None else weight.emotional_repair
        # By category.
        self._repair = [
            emotional if name in weight.emotional_categories else weight.repair
            for name in demand.categories
        ]
        self._comment = Lazy(comment)
        self._patience: memoryview | None = None
        if settings.gives_up:
            # Of all that is said of customers, as it may be by category, channel and hour.
            self._patience = demand.column(
                lambda: demand.once(
                    lambda: ("patience", _text(settings), scenario.midnight),
                    lambda: patience_s(scenario, demand),
                )
            )

    def patience_s(self, ticket: int) -> float:
        """Time that the customer waits for a human before giving up; seconds."""
        return inf if self._patience is None else self._patience[ticket]

    def tries_again_s(self, ticket: int) -> float | None:
        """Time until a customer who left without an agent tries again; None: they never do."""
        if self._settings.retrial is None:
            return None
        tries = self._tries[ticket]
        if tries >= self._most_tries or not self._again[tries][ticket]:
            return None
        self._tries[ticket] += 1
        return self._again_s[tries][ticket]

    def is_solved(
        self,
        ticket: int,
        worker: int,
        right: bool,
        quality: float,
        visit: int,
        more: Mapping[int, float] = _AS_USUAL,
    ) -> bool:
        """True if the answer solves the ticket.

        Parameters
        ----------
        ticket : int
        worker : int
            BY_ASSISTANT, BY_AGENT or BY_REVIEW.
        right : bool
            Whether it was answered in its true category.
        quality : float
            Of the assistant's answer, 0 to 1.
        visit : int
            How often the customer came back before.
        more : mapping of int to float
            By ticket, what support by an assistant adds to the chance of its agent; mostly empty.
        """
        solved = self._settings.solved
        if worker == BY_AGENT:
            chance = solved.agent
            if more:
                chance += more.get(ticket, 0.0)
        elif worker == BY_REVIEW:
            chance = solved.reviewed
        elif right:
            chance = solved.assistant * quality
        else:
            chance = solved.wrong_category
        return self._solved[visit][ticket] < chance

    def comes_back(self, ticket: int, visit: int) -> bool:
        """True if a customer whose ticket is unsolved reopens it."""
        return visit < self._settings.max_reopens and bool(self._returns[visit][ticket])

    def reopen_delay_s(self, ticket: int, visit: int) -> float:
        """Time until the customer reopens; seconds."""
        return self._delay[visit][ticket]

    def answers_survey(self, ticket: int) -> bool:
        """True if the customer rates at all."""
        return bool(self._surveyed[0][ticket])

    def rating(
        self,
        ticket: int,
        solved: bool,
        right: bool,
        transfers: int,
        reopens: int,
        response_s: float,
        handed_over: bool = False,
    ) -> int:
        """The rating, 1 to 5.

        Parameters
        ----------
        ticket : int
        solved : bool
            Whether the last answer solved it.
        right : bool
            Whether it was answered in its true category.
        transfers, reopens : int
        response_s : float
            First response time; seconds.
        handed_over : bool
            Whether an agent answered what the assistant had before.
        """
        weight = self._settings.satisfaction
        opinion = self._opinion[0][ticket] - weight.wait * fall_with_wait(response_s)
        fall = weight.transfer * transfers + weight.reopened * reopens
        if handed_over and solved:
            fall *= 1.0 - self._repair[self._truth[ticket]]
        opinion -= fall
        if not solved:
            opinion -= weight.unsolved
        if not right:
            opinion -= weight.wrong_category
        return bisect_right(THRESHOLDS, opinion) + 1

    def comment(self, ticket: int, rating: int) -> int:
        """Comment that the customer writes: an index into `ALL_COMMENTS`."""
        return (rating - 1) * len(COMMENTS[0]) + self._comment[0][ticket]

    def forget(self) -> None:
        """Let go of all columns; the run is over."""
        for columns in (self._solved, self._returns, self._delay, self._surveyed):
            columns.clear()
        if self._settings.retrial is not None:
            self._again.clear()
            self._again_s.clear()
        self._opinion.clear()
        self._comment.clear()
        self._patience = None


def patience_s(scenario: Scenario, demand: Demand) -> Floats:
    """Longest wait of each customer for a human, shape (n,); seconds, infinite where endless.

    By the ticket's channel where it has a patience of its own, else by category, else by priority,
    else as all; times the factor of the hour in which it arrived.
    """
    settings, u = scenario.customers, demand.uniform(Stream.PATIENCE)
    longest: Floats = np.full(len(u), inf)
    if settings.patience is not None:
        longest = settings.patience.quantile(u)
    for column, names, given in (
        (demand.priority, PRIORITIES, settings.patience_by_priority),
        (demand.category, demand.categories, settings.patience_by_category),
        (demand.channel, demand.channels, settings.patience_by_channel),
    ):
        for name, distribution in given.items():
            here = column == names.index(name)
            longest[here] = distribution.quantile(u[here])
    if settings.patience_hours:
        longest *= by_hour(settings.patience_hours, demand.arrived_s, scenario.midnight)
    return longest


def fall_with_wait(response_s: float) -> float:
    """Fall of the latent opinion with the first response time (seconds).

    Linear in the logarithm between the middles of the published bands, level outside them.

    Examples
    --------
    >>> fall_with_wait(60.0), fall_with_wait(86400.0)
    (0.0, 1.072)
    """
    if response_s <= BAND_MINUTES[0] * 60:
        return BAND_FALL[0]
    if response_s >= BAND_MINUTES[-1] * 60:
        return BAND_FALL[-1]
    x = log(response_s / 60)
    k = bisect_right(_LOG_MINUTES, x)
    share = (x - _LOG_MINUTES[k - 1]) / (_LOG_MINUTES[k] - _LOG_MINUTES[k - 1])
    return BAND_FALL[k - 1] + share * (BAND_FALL[k] - BAND_FALL[k - 1])
