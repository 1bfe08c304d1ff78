"""The life of a ticket, readable top to bottom.

Receive, categorize, respond, update status, collect feedback. Each method that waits is a generator
on the desk's clock: a visit to the provider or to the agents is one event. It returns None when the
customer has left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator
from typing import Any

from twin.assistant.protocol import OK
from twin.demand.luck import view
from twin.demand.tickets import Demand
from twin.desk.agents import AgentPools
from twin.desk.assistant import AssistantDesk
from twin.desk.customers import Customers
from twin.desk.kernel import Clock
from twin.desk.ledger import Ledger
from twin.desk.rules import Rules
from twin.desk.touches import Transfers, Wait, Waits
from twin.desk.waiting import Place, Visit
from twin.records.tables import (
    ABANDONED,
    AUTOMATIC,
    BY_AGENT,
    BY_ASSISTANT,
    BY_REVIEW,
    CATEGORIZED,
    CLOSED,
    ESCALATED,
    FOLLOW_UP,
    HANDLE,
    IN_PROGRESS,
    OPEN,
    PENDING_REVIEW,
    REOPENED,
    RESOLVED,
    REVIEW,
    TRIAGE,
    WAITING_FOR_CUSTOMER,
)
from twin.scenario.model import Scenario

# In place of a category: there is nobody to answer any more.
GONE = -1

Life = Generator[Any, Any, Any]


class Lifecycle:
    """The rules by which tickets live on one desk.

    Parameters
    ----------
    clock : Clock
    scenario : Scenario
    demand : Demand
    customers : Customers
    agents : AgentPools
    assistant : AssistantDesk or None
        Behind its provider; None where humans work alone.
    ledger : Ledger
    waits : Waits or None
        Between the touches of a ticket; None where an agent's touch always answers.
    transfers : Transfers or None
        From pool to pool; None where no pool passes tickets on.
    """

    def __init__(
        self,
        clock: Clock,
        scenario: Scenario,
        demand: Demand,
        customers: Customers,
        agents: AgentPools,
        assistant: AssistantDesk | None,
        ledger: Ledger,
        waits: Waits | None = None,
        transfers: Transfers | None = None,
    ) -> None:
        self._clock = clock
        self._customers = customers
        self._agents = agents
        self._assistant = assistant
        self._ledger = ledger
        self._waits = waits
        self._transfers = transfers
        # Touches of a ticket after its first, where there are any.
        self._further: defaultdict[int, int] = defaultdict(int)
        self._arrived_s = view(demand.arrived_s)
        self._truth = view(demand.category)
        self._rules = Rules.of(scenario, demand.categories)
        # Behind the categories: the queues of each pool alone.
        self._one_pool = len(demand.categories)
        # Looked up, not worked out for each ticket; two of them by category.
        codes = range(len(demand.categories))
        self._escalates = self._rules.handed_on() == ESCALATED
        self._routed = [self._rules.routed(code) for code in codes]
        self._drafted = [self._rules.drafted(code) for code in codes]
        self._close_after_s = scenario.customers.close_after

    def life(self, ticket: int, escalated: bool = False) -> Life:
        """The whole life of a ticket, from its arrival (received, Open) to its last status.

        One of the opening backlog that is escalated waits for an agent already.
        """
        category = None
        if self._assistant is not None and not escalated:
            category = yield from self.categorize(ticket)
        worker = None
        if category != GONE:
            worker = yield from self.respond(ticket, category)
        while worker is not None and self.update_status(ticket, worker):
            worker = yield from self.reopen(ticket)

    def categorize(self, ticket: int) -> Life:
        """The assistant names a category; where it is unsure, an agent does, or answers at once.

        Returns the category, None where an agent is to answer, or GONE where the customer has left.
        """
        ledger, assistant = self._ledger, self._assistant
        assert assistant is not None
        outcome, answers = yield from assistant.ask(ticket, "categorize")
        if outcome != OK:
            return None
        confidence = ledger.confidence[ticket] = answers.confidence[ticket]
        category = answers.category[ticket]
        if self._rules.categorized(confidence) == ESCALATED:
            if self._rules.handled(confidence):
                return None
            ledger.status(ticket, ESCALATED)
            ledger.transfers[ticket] += 1
            if (yield from self._agent(ticket, category, TRIAGE)) is None:
                return GONE
            self._categorized(ticket, self._truth[ticket], BY_AGENT)
            category = self._truth[ticket]
        else:
            self._categorized(ticket, category, BY_ASSISTANT)
        ledger.status(ticket, CATEGORIZED)
        return category

    def respond(self, ticket: int, category: int | None, visit: int = 0) -> Life:
        """Somebody answers. Returns who, or None where the ticket's life is over without."""
        ledger = self._ledger
        if category is None or self._routed[category] != IN_PROGRESS:
            return (yield from self.respond_by_agent(ticket, category, visit))
        assert self._assistant is not None
        ledger.status(ticket, IN_PROGRESS)
        by_human = ledger.categorized_by[ticket] == BY_AGENT
        outcome, answers = yield from self._assistant.ask(ticket, "respond", by_human, visit)
        if outcome != OK:
            return (yield from self.respond_by_agent(ticket, category, visit))
        ledger.quality[ticket] = answers.quality[ticket]
        ledger.answer[ticket] = answers.answer[ticket]
        if self._drafted[category] == PENDING_REVIEW:
            ledger.status(ticket, PENDING_REVIEW)
            if (yield from self._agent(ticket, category, REVIEW, visit)) is None:
                return None
            return BY_REVIEW
        return BY_ASSISTANT

    def respond_by_agent(self, ticket: int, category: int | None, visit: int) -> Life:
        """An agent answers, if the customer waits for one."""
        ledger = self._ledger
        # Who comes back goes to an agent at once: nothing is taken from the assistant now.
        if self._escalates and not (visit and self._agents.teams):
            ledger.status(ticket, ESCALATED)
            ledger.transfers[ticket] += 1
        truth = self._truth[ticket]
        done = yield from self._agent(
            ticket, truth if category is None else category, HANDLE, visit
        )
        if done is None:
            return None
        if done.misrouted:
            ledger.status(ticket, ESCALATED)
            ledger.transfers[ticket] += 1
            done = yield from self._agent(ticket, truth, HANDLE, visit)
            if done is None:
                return None
        if category is None:
            self._categorized(ticket, truth, BY_AGENT)
        if self._transfers is not None:
            done = yield from self.pass_on(ticket, done, self._transfers)
            if done is None:
                return None
        if self._waits is None:
            return BY_AGENT
        return (yield from self.follow_up(ticket, self._waits))

    def follow_up(self, ticket: int, waits: Waits) -> Life:
        """An agent's touch may end with a question; the ticket comes back for a further touch.

        Returns who answers in the end, or None where the customer left or never replied.
        """
        ledger, clock = self._ledger, self._clock
        while True:
            wait = waits.after_touch(ticket, clock.now)
            if wait is None:
                return BY_AGENT
            ledger.status(ticket, wait.status)
            in_time = wait.back_s <= wait.closes_s
            if not in_time:
                yield clock.at(wait.closes_s)
                if not self.resolve_unanswered(ticket, wait):
                    return None
            yield clock.at(wait.back_s)
            ledger.reopens[ticket] += not in_time
            ledger.status(ticket, OPEN if in_time else REOPENED)
            done = yield from self._touch_again(ticket, self._truth[ticket])
            if done is not None and self._transfers is not None:
                done = yield from self.pass_on(ticket, done, self._transfers)
            if done is None:
                return None

    def pass_on(self, ticket: int, done: Visit, transfers: Transfers) -> Life:
        """An agent's touch may end with a transfer to another pool, for a further touch there.

        Returns the last touch, or None where the customer left first.
        """
        while done is not None:
            pool = transfers.after_touch(ticket, done.pool)
            if pool is None:
                return done
            self._ledger.passed_on(ticket)
            done = yield from self._touch_again(ticket, self._one_pool + pool)
        return None

    def resolve_unanswered(self, ticket: int, wait: Wait) -> bool:
        """The customer did not reply in time. Returns whether a late reply reopens the ticket."""
        ledger, now = self._ledger, self._clock.now
        ledger.resolved_s[ticket] = now
        ledger.resolved_by[ticket] = AUTOMATIC
        ledger.solved[ticket] = wait.solved
        ledger.status(ticket, RESOLVED)
        closed_s = now + self._close_after_s
        if wait.back_s < closed_s:
            return True
        ledger.status_at(ticket, CLOSED, closed_s)
        return False

    def update_status(self, ticket: int, worker: int) -> bool:
        """The answer reaches the customer. Returns whether they will come back."""
        ledger, customers = self._ledger, self._customers
        now = self._clock._now
        ledger.responded(ticket)
        ledger.resolved_s[ticket] = now
        ledger.resolved_by[ticket] = worker
        ledger.status(ticket, RESOLVED)
        visit = ledger.reopens[ticket]
        right = worker == BY_AGENT or ledger.category[ticket] == self._truth[ticket]
        solved = customers.is_solved(
            ticket, worker, right, ledger.quality[ticket], visit, ledger.solves_more
        )
        ledger.solved[ticket] = solved
        if not solved and customers.comes_back(ticket, visit):
            return True
        ledger.status_at(ticket, CLOSED, now + self._close_after_s)
        if customers.answers_survey(ticket):
            self.collect_feedback(ticket, worker, solved, right)
        return False

    def collect_feedback(self, ticket: int, worker: int, solved: bool, right: bool) -> None:
        """The customer rates the desk."""
        ledger, customers = self._ledger, self._customers
        response_s = ledger.responded_s[ticket] - self._arrived_s[ticket]
        transfers, reopens = ledger.transfers[ticket], ledger.reopens[ticket]
        handed_over = transfers > 0 and worker == BY_AGENT and self._assistant is not None
        rating = customers.rating(
            ticket, solved, right, transfers, reopens, response_s, handed_over
        )
        model = version = -1
        if worker != BY_AGENT and self._assistant is not None:
            model, version = self._assistant.signature(ticket)
            if worker == BY_ASSISTANT:
                self._assistant.rated(ticket, rating)
        ledger.rated(ticket, rating, model, version, customers.comment(ticket, rating))

    def reopen(self, ticket: int) -> Life:
        """The customer comes back after a while, to a human where there are any."""
        ledger, clock = self._ledger, self._clock
        yield clock.at(clock.now + self._customers.reopen_delay_s(ticket, ledger.reopens[ticket]))
        ledger.reopens[ticket] += 1
        visit = ledger.reopens[ticket]
        ledger.status(ticket, REOPENED)
        if self._agents.teams:
            category = ledger.category[ticket]
            if ledger.resolved_by[ticket] == BY_ASSISTANT:
                ledger.transfers[ticket] += 1
            elif ledger.resolved_by[ticket] == BY_AGENT:
                # The agent who worked on it knows better than the assistant.
                category = self._truth[ticket]
            return (yield from self.respond_by_agent(ticket, category, visit))
        return (yield from self.respond(ticket, ledger.category[ticket], visit))

    def _touch_again(self, ticket: int, category: int) -> Life:
        """A further touch; each has luck of its own."""
        self._further[ticket] += 1
        return (yield from self._agent(ticket, category, FOLLOW_UP, self._further[ticket]))

    def _agent(
        self,
        ticket: int,
        category: int,
        activity: int,
        visit: int = 0,
        place: Place | None = None,
    ) -> Life:
        """Wait for an agent and their work; None where the customer left first, for good."""
        patience_s = self._customers.patience_s(ticket)
        while True:
            done = self._agents.visit(ticket, category, activity, visit, patience_s, place)
            # A customer who is turned away, or put off by the queue, is gone already.
            if not done.abandoned:
                yield done
            if not done.abandoned:
                return done
            after_s = self._customers.tries_again_s(ticket)
            if after_s is None:
                self._ledger.status_at(ticket, ABANDONED, done.deadline_s)
                return None
            self._ledger.status(ticket, WAITING_FOR_CUSTOMER)
            yield self._clock.at(self._clock.now + after_s)
            self._ledger.status(ticket, PENDING_REVIEW if activity == REVIEW else OPEN)

    def _categorized(self, ticket: int, category: int, worker: int) -> None:
        self._ledger.category[ticket] = category
        self._ledger.categorized_by[ticket] = worker
