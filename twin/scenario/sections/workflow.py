"""A measured workflow: a desk's own statuses, the chances of what follows each, and delays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from twin.common.errors import Fault, nearest
from twin.scenario.distributions import TimeDistribution
from twin.scenario.sections.base import LongDuration, Section, Share, Weight

# Of twin.records.tables, which lies above this room; a test holds that they are the same.
Core = Literal[
    "Open",
    "Categorized",
    "In Progress",
    "Waiting for customer",
    "On hold",
    "Pending Review",
    "Escalated",
    "Resolved",
    "Reopened",
    "Closed",
    "Abandoned",
]
FINAL: tuple[Core, ...] = ("Closed", "Abandoned")
AROUND, DESK_HOURS = "around the clock", "desk hours"
# In place of a next status: the ticket stays where it is. In place of the status before: none.
END, START = "end", "start"
_CLOCK = 'of the delay: "around the clock", "desk hours" (it passes while an agent is on shift), or'
_ROUNDING = 1e-6

StatusName = Annotated[str, Field(min_length=1, max_length=80)]
HourWeights = Annotated[list[Weight], Field(min_length=168, max_length=168)]


class Step(Section):
    """A change to a next status; a bare number is its chance."""

    chance: Share = Field(description="that it is this one that follows")
    delay: TimeDistribution | None = Field(
        None, description="time until it comes; default: the status's delay"
    )
    delay_by_age: list[TimeDistribution] = Field(
        [],
        description="instead of delay: by the ticket's age, one more than `workflow.ages` has",
    )
    clock: str | None = Field(None, description=f"{_CLOCK} one of workflow.clocks")

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, given: Any) -> Any:
        bare = isinstance(given, int | float) and not isinstance(given, bool)
        return {"chance": float(given)} if bare else given


class Status(Section):
    """A status of the desk's own."""

    counts_as: Core = Field(
        description="the twin's status that it stands for: it says whether a ticket is open, "
        "whose turn it is, and whether the clock of a promise stands still"
    )
    work: bool = Field(
        False,
        description="an agent with the skill does a touch in it, once the delay is over; the place "
        "in the queue is that of the moment at which the ticket entered the status",
    )
    until_taken: bool = Field(
        False,
        description="where a status in which agents work comes next, the ticket changes to it as "
        "an agent takes it; its place in the queue is that of the moment at which it entered this "
        "one, whose delay must be over, too",
    )
    responds: bool | None = Field(
        None,
        description="the customer hears from the desk as a ticket enters it; default: where it "
        "counts as In Progress, Waiting for customer, Resolved or Closed (assumed); where an agent "
        "works, as that agent takes it",
    )
    delay: TimeDistribution | None = Field(
        None, description="time in it that uses nobody, before the next one or the work; none: 0s"
    )
    clock: str | None = Field(None, description=f"{_CLOCK} one of workflow.clocks")
    next: dict[StatusName, Step] = Field(
        {},
        description="the chance of each next status, or a table of chance, delay and clock; "
        "what is missing to 1, like `end`, is the chance that the ticket rests here",
    )
    after: dict[StatusName, dict[StatusName, Step]] = Field(
        {},
        description="by the status before (`start`: none), instead of next; a delay or clock not "
        "given is that of next",
    )


class Workflow(Section):
    """Measured statuses in place of the twin's own life cycle: semi-Markov, of order 1 or 2."""

    start: dict[StatusName, Share] = Field(description="chances of the first status", min_length=1)
    statuses: dict[StatusName, Status] = Field(
        description="as [workflow.statuses.NAME]", min_length=1, max_length=100
    )
    clock: str = Field(
        AROUND, description=f"{_CLOCK} one of clocks; that of statuses that give none, and of ages"
    )
    clocks: dict[str, HourWeights] = Field(
        {},
        description="speed of time in each hour of the week (168, from Monday midnight), relative "
        "to its mean over the week: 0 stands still",
    )
    ages: list[LongDuration] = Field(
        [], description="bounds of a ticket's age since its arrival, for delay_by_age"
    )
    most: Annotated[int, Field(ge=1, le=10_000)] = Field(
        1000,
        description="most statuses of a ticket, one by one (assumed); it rests in the last",
    )

    @property
    def open_statuses(self) -> tuple[str, ...]:
        """Statuses in which a ticket is open."""
        over = ("Resolved", *FINAL)
        return tuple(name for name, one in self.statuses.items() if one.counts_as not in over)

    @property
    def works(self) -> bool:
        """True if agents work in a status."""
        return any(status.work for status in self.statuses.values())


def workflow_faults(workflow: Workflow) -> Iterator[Fault]:
    """Names that lead nowhere, chances above 1, ages out of order, lives that never end."""
    faults = [*_name_faults(workflow), *_age_faults(workflow), *_clock_faults(workflow)]
    total = math.fsum(workflow.start.values())
    if abs(total - 1) > _ROUNDING:
        faults.append(Fault("workflow.start", "the chances must add up to 1", f"{total:g}"))
    yield from faults
    if not faults:
        yield from _endless(workflow)


def steps(workflow: Workflow) -> Iterator[tuple[str, str, str | None, dict[str, Step]]]:
    """Key, status, status before (None: any) and steps, of all tables of next statuses."""
    for name, status in workflow.statuses.items():
        key = f"workflow.statuses.{name}"
        yield f"{key}.next", name, None, status.next
        for before, given in status.after.items():
            yield f"{key}.after.{before}", name, before, given


def _name_faults(workflow: Workflow) -> Iterator[Fault]:
    known = [*workflow.statuses]

    def strange(key: str, names: Iterable[str], more: str) -> Iterator[Fault]:
        for name in names:
            if name not in known and name != more:
                yield Fault(key, "no such status", name, nearest(name, known))

    for name in known:
        if name in (END, START):
            yield Fault(f"workflow.statuses.{name}", "is a word of the twin's: take another name")
    yield from strange("workflow.start", workflow.start, "")
    for name, status in workflow.statuses.items():
        key = f"workflow.statuses.{name}"
        yield from strange(f"{key}.after", status.after, START)
        if status.counts_as in FINAL and (status.next or status.after or status.work):
            hint = 'let it count as "Resolved" where tickets come back from it'
            yield Fault(key, f"{status.counts_as} is final: nothing follows", None, hint)
        if status.until_taken:
            after = {k for one in (status.next, *status.after.values()) for k in one}
            if not any(workflow.statuses[k].work for k in after if k in workflow.statuses):
                hint = "set work = true in the status of the agents' work"
                yield Fault(f"{key}.until_taken", "no status with work comes next", None, hint)
            if status.work:
                yield Fault(f"{key}.until_taken", "give work, or until_taken, not both")
    for key, _, _, given in steps(workflow):
        yield from strange(key, given, END)
        total = math.fsum(step.chance for step in given.values())
        if total > 1 + _ROUNDING:
            yield Fault(key, "the chances must add up to at most 1", f"{total:g}")


def _age_faults(workflow: Workflow) -> Iterator[Fault]:
    if sorted(set(workflow.ages)) != workflow.ages:
        yield Fault("workflow.ages", "must rise")
    for key, _, _, given in steps(workflow):
        for name, step in given.items():
            if step.delay_by_age and step.delay is not None:
                yield Fault(f"{key}.{name}", "give delay or delay_by_age, not both")
            if step.delay_by_age and len(step.delay_by_age) != len(workflow.ages) + 1:
                reason = f"must hold {len(workflow.ages) + 1}, one more than workflow.ages"
                yield Fault(f"{key}.{name}.delay_by_age", reason, str(len(step.delay_by_age)))


def _clock_faults(workflow: Workflow) -> Iterator[Fault]:
    known = [AROUND, DESK_HOURS, *workflow.clocks]
    named = [("workflow.clock", workflow.clock)]
    named += [(f"workflow.statuses.{k}.clock", s.clock or AROUND)
              for k, s in workflow.statuses.items()]  # fmt: skip
    named += [
        (f"{key}.{name}.clock", step.clock or AROUND)
        for key, _, _, given in steps(workflow)
        for name, step in given.items()
    ]
    for key, name in named:
        if name not in known:
            yield Fault(key, "no such clock", name, nearest(name, known))
    for name, weights in workflow.clocks.items():
        if name in (AROUND, DESK_HOURS):
            yield Fault(f"workflow.clocks.{name}", "is a clock of the twin's: take another name")
        if not any(weights):
            yield Fault(f"workflow.clocks.{name}", "time must pass in some hour")


def _endless(workflow: Workflow) -> Iterator[Fault]:
    """Statuses that tickets come to and from which they never come to rest."""
    moves: dict[tuple[str, str], dict[str, float]] = {}
    reached = [(START, name) for name, chance in workflow.start.items() if chance > 0]
    while reached:
        state = reached.pop()
        if state in moves:
            continue
        before, name = state
        status = workflow.statuses[name]
        given = status.after.get(before, status.next)
        chances = {k: step.chance for k, step in given.items() if step.chance > 0}
        moves[state] = chances
        reached += [(name, other) for other in chances if other != END]
    ends = {
        state
        for state, chances in moves.items()
        if END in chances or math.fsum(chances.values()) < 1 - _ROUNDING
    }
    while more := {
        state
        for state, chances in moves.items()
        if state not in ends and any((state[1], other) in ends for other in chances)
    }:
        ends |= more
    for name in dict.fromkeys(name for _, name in moves if any(
        state[1] == name and state not in ends for state in moves
    )):  # fmt: skip
        hint = "leave a chance that the ticket rests in some status that follows"
        yield Fault(f"workflow.statuses.{name}", "tickets in it never come to rest", None, hint)
