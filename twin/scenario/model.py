"""The scenario: all that a scenario file may say, frozen. Its sections live in `sections/`.

Files and `extends` are read in `file`, changes by key in `changes`, errors worded in `faults`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from twin.common.errors import Fault, ScenarioError
from twin.common.files import is_there
from twin.common.html import table, tag
from twin.scenario.changes import assign, clean_name, flat
from twin.scenario.clock import midnight
from twin.scenario.faults import faults_of
from twin.scenario.load_faults import load_faults
from twin.scenario.sections.assistant import (
    Assistant,
    Learning,
    MaxTokens,
    Outage,
    Provider,
    RandomOutages,
    Support,
)
from twin.scenario.sections.base import (
    DAYS,
    PRIORITIES,
    Count,
    Day,
    Days,
    LongDuration,
    Name,
    Positive,
    Priority,
    PriorityTimes,
    Quantiles,
    Section,
    Seed,
    Share,
    TimeZone,
    days_text,
    fail,
    parse_days,
)
from twin.scenario.sections.customers import Callback, Customers, Retrial, Satisfaction, Solved
from twin.scenario.sections.demand import (
    Arrivals,
    Backlog,
    Bursts,
    Busyness,
    Surge,
    Tickets,
    Week,
)
from twin.scenario.sections.individuals import Member
from twin.scenario.sections.models import ModelName, OwnModel
from twin.scenario.sections.people import Away, Break, Pool, Shift
from twin.scenario.sections.profile import Measured, MeasuredStep, Profile
from twin.scenario.sections.routing import Queue, Routing
from twin.scenario.sections.targets import Target, Targets
from twin.scenario.sections.touches import Touches
from twin.scenario.sections.uncertainty import Evidence, Uncertainty
from twin.scenario.sections.work_rules import WorkRules
from twin.scenario.sections.workflow import Status, Step, Workflow, workflow_faults
from twin.scenario.units import Duration

__all__ = [
    "DAYS",
    "PRIORITIES",
    "Arrivals",
    "Assistant",
    "Away",
    "Backlog",
    "Break",
    "Bursts",
    "Busyness",
    "Callback",
    "Count",
    "Customers",
    "Day",
    "Days",
    "Learning",
    "LongDuration",
    "MaxTokens",
    "Measured",
    "MeasuredStep",
    "Member",
    "Name",
    "Outage",
    "OwnModel",
    "Pool",
    "Positive",
    "Priority",
    "PriorityTimes",
    "Profile",
    "Provider",
    "Quantiles",
    "Queue",
    "RandomOutages",
    "Retrial",
    "Routing",
    "Satisfaction",
    "Scenario",
    "Section",
    "Share",
    "Shift",
    "Solved",
    "Status",
    "Step",
    "Support",
    "Surge",
    "Target",
    "Targets",
    "Tickets",
    "TimeZone",
    "Touches",
    "Uncertainty",
    "Week",
    "Workflow",
    "days_text",
    "parse_days",
]


# Calendars and time zones are sound there, and a century of hours fits in memory.
_FIRST_YEAR, _LAST_YEAR = 1900, 2999
_MAX_HORIZON_S = 36_525 * 86400.0


class Scenario(Section):
    """A support desk and the question asked of it; frozen.

    Examples
    --------
    >>> desk = Scenario.model_validate({"horizon": "1d", "arrivals": {"rate": "6/h"}, "agents":
    ...                                {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> desk.horizon
    86400.0
    """

    name: Name = Field("scenario", description="default: the file's name")
    question: str = Field("", description="what the scenario answers, in a sentence")
    horizon: LongDuration = Field(
        604800.0,
        description="length of the run, in real time: where the clocks change in it, it does not "
        "end at local midnight",
    )
    warm_up: Duration = Field(0.0, description="left out when measuring")
    seed: Seed = Field(1, description="of all luck; the same seed, the same customers")
    replications: Annotated[int, Field(ge=1, le=100_000)] = Field(
        10, description="times it is played, each with other luck"
    )
    start: Day = Field(date(2026, 1, 5), description="day on which the run starts, at midnight")
    time_zone: TimeZone = Field("UTC", description="of start, shifts and the hours of the week")
    arrivals: Arrivals
    tickets: Tickets = Tickets()
    backlog: Backlog | None = Field(
        None, description="tickets that are open when the run starts; not given: none"
    )
    assistant: Assistant = Assistant(role="off")
    provider: Provider = Provider()
    models: dict[ModelName, OwnModel] = Field(
        {}, description="models outside the catalogue, as [models.NAME], or a file of such tables"
    )
    agents: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")], Pool] = Field(
        {}, description="pools by name, as [agents.frontline]; none: no humans"
    )
    queue: Queue = Queue()
    routing: Routing = Routing()
    work_rules: WorkRules | None = Field(None, description="rules of the shifts of `twin roster`")
    targets: Targets = Targets()
    customers: Customers = Customers()
    touches: Touches | None = Field(
        None, description="further touches of a ticket; not given: an agent's touch answers"
    )
    workflow: Workflow | None = Field(
        None, description="the desk's own statuses; not given: the twin's own life cycle"
    )
    uncertainty: Uncertainty | None = Field(None, description="not given: numbers as they stand")
    evidence: Evidence | None = Field(None, description="what a history says of changes")

    # The file it came from, for messages only; set by `twin.load`.
    _path: Path | None = PrivateAttr(default=None)
    # What was changed in it since, by key.
    _set: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Scenario:
        if not _FIRST_YEAR <= self.start.year <= _LAST_YEAR:
            raise fail(f"start must lie in the years {_FIRST_YEAR} to {_LAST_YEAR}")
        if self.horizon > _MAX_HORIZON_S:
            raise fail("horizon must be at most 100 years (36525d)")
        if self.warm_up >= self.horizon:
            raise fail("warm_up must be shorter than horizon")
        if self.assistant.role == "off" and not self.agents and self.workflow is None:
            raise fail("nobody works here: give [agents.NAME] or assistant.role")
        for name, pool in self.agents.items():
            pool._name = name
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        """Time zone of the desk."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def midnight(self) -> datetime:
        """Moment at which a run starts, in the desk's time zone.

        A run lasts its `horizon` in real time, as "7d" is "168h": where the clocks change in it, it
        does not end at local midnight. So runs of one length hold as much time whatever their
        start, and a warm-up or a surge is as long as it says.
        """
        return midnight(self.start, self.zone)

    def told_apart(self, pool: Pool) -> bool:
        """True if the agents of a pool are told apart: visits say which agent worked.

        Examples
        --------
        >>> pool = {"heads": 1, "handle_time": "5min", "concurrency": 3}
        >>> desk = from_data({"arrivals": {"rate": "6/h"}, "agents": {"chat": pool}})
        >>> desk.told_apart(desk.agents["chat"])
        True
        """
        routing = self.routing
        asked = routing.choice is not None or routing.pool_choice == "longest idle"
        asked |= routing.same_agent > 0 or self.assistant.support is not None
        own = pool.individuals or pool.concurrency > 1 or bool(pool.members)
        return asked or own or pool.turnover > 0

    def as_data(self) -> dict[str, Any]:
        """The settings, without defaults and file, as plain data that loads to the same scenario.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> twin.from_data(desk.as_data()) == desk
        True
        """
        return self.model_dump(mode="json", exclude_unset=True)

    def __eq__(self, other: object) -> bool:
        # By its settings alone: where it was read from is for messages.
        if not isinstance(other, Scenario):
            return NotImplemented
        fields = type(self).model_fields
        return all(getattr(self, name) == getattr(other, name) for name in fields)

    def _repr_html_(self) -> str:
        # Shows settings and reads no file; `twin.scenario.diff` compares with the base.
        name = [tag("strong", self.name), f": {self.question}" if self.question else ""]
        rows = [[tag("code", key), value] for key, value in flat(self.as_data()).items()]
        inner = table(["key", "value"], rows, "What was set")
        return tag("div", *name, tag("details", tag("summary", "what was set"), inner))

    def vary(self, changes: Mapping[str, Any], name: str | None = None) -> Scenario:
        """A new scenario with some keys changed.

        Parameters
        ----------
        changes : mapping of str to value
            Dotted key paths, as ``{"arrivals.scale": 2, "agents.frontline.heads": 4}``.
        name : str, optional
            Name of the new scenario; by default the old one followed by the changes.

        Raises
        ------
        ScenarioError
            If a key is unknown or a value not allowed.

        Examples
        --------
        >>> desk = Scenario.model_validate({"arrivals": {"rate": "6/h"}, "agents":
        ...                                {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> desk.vary({"arrivals.scale": 2}).arrivals.scale
        2.0
        """
        data = self.as_data()
        for key, value in changes.items():
            assign(data, key, value, self.name)
        if name is not None:
            data["name"] = name
        elif "name" not in changes and changes:
            label = " ".join(f"{key}={value}" for key, value in changes.items())
            data["name"] = clean_name(f"{self.name} {label}")
        varied = from_data(data, self.name)
        varied._path, varied._set = self._path, {**self._set, **changes}
        return varied


def _workflow_faults(scenario: Scenario) -> Iterable[Fault]:
    """Faults of a workflow, alone and beside other sections."""
    if scenario.workflow is None:
        return
    yield from workflow_faults(scenario.workflow)
    if scenario.assistant.role != "off":
        yield Fault("workflow", "knows no assistant", hint='set assistant.role = "off"')
    if scenario.customers.retrial is not None:
        hint = "let a status lead back to that in which they wait"
        yield Fault("customers.retrial", "customers try again by the workflow alone", hint=hint)
    if scenario.touches is not None:
        yield Fault("workflow", "says itself what follows a touch", hint="leave out touches")
    if scenario.workflow.works and not scenario.agents:
        yield Fault("workflow", "agents work in some of its statuses", hint="give [agents.NAME]")


def consistency_faults(scenario: Scenario) -> Iterable[Fault]:
    """Faults between sections, and files that are not there."""
    work = {f"agents.{k}.handle_growth": p.handle_growth for k, p in scenario.agents.items()}
    yield from load_faults(scenario.arrivals, work, scenario.midnight, scenario.horizon)
    yield from _workflow_faults(scenario)
    tickets, assistant = scenario.tickets, scenario.assistant
    used = assistant.role != "off"
    files = {
        "tickets.corpus": tickets.corpus,
        "arrivals.trace": scenario.arrivals.trace,
        "backlog.file": scenario.backlog.file if scenario.backlog else None,
        "uncertainty.file": scenario.uncertainty.file if scenario.uncertainty else None,
        "uncertainty.forecast": scenario.uncertainty.forecast if scenario.uncertainty else None,
        "assistant.knowledge": assistant.knowledge if used else None,
        "assistant.learning.feedback": assistant.learning.feedback if used else None,
        "assistant.learning.change": assistant.learning.change if used else None,
        **{f"agents.{name}.roster": pool.roster for name, pool in scenario.agents.items()},
    }
    for key, name in files.items():
        folder = key == "assistant.knowledge"
        if name is not None and not is_there(name, folder):
            yield Fault(key, "no such folder" if folder else "no such file", name)
    for pool, settings in scenario.agents.items():
        named = [("overflow_to", name) for name in settings.overflow_to]
        for key, name in [*named, *(("transfers_to", name) for name in settings.transfers_to)]:
            if name == pool or name not in scenario.agents:
                others = [other for other in scenario.agents if other != pool]
                hint = f"other pools: {', '.join(others) or 'none'}"
                yield Fault(f"agents.{pool}.{key}", "not another pool", name, hint)
    if used and assistant.backend != "profile" and tickets.corpus is None:
        reason = f'backend "{assistant.backend}" reads text, so tickets.corpus must be given'
        yield Fault("assistant.backend", reason, hint='or use backend = "profile"')
    answers = assistant.role == "full" and assistant.backend == "embedded"
    if answers and assistant.knowledge is None:
        reason = 'backend "embedded" answers from articles, so it needs a folder of them'
        yield Fault("assistant.knowledge", reason)
    learning = assistant.learning
    if used and learning.mode != "off" and assistant.backend == "profile":
        if learning.mode == "examples":
            reason = 'backend "profile" has no texts to take examples from'
            yield Fault("assistant.learning.mode", reason, hint='use "bandit", and say its effect')
        elif not learning.effect:
            reason = 'backend "profile" must be told what a prompt version is worth'
            yield Fault("assistant.learning.effect", reason, hint="as { brief = -0.2 }")
    if used and assistant.judge == "model" and assistant.backend not in ("groq", "replay"):
        reason = 'a model judges with backend "groq" (live) or "replay" (recorded) only'
        yield Fault("assistant.judge", reason, hint='use judge = "evidence"')
    if assistant.role == "triage" and not scenario.agents:
        yield Fault("assistant.role", "triage only needs agents who answer: give [agents.NAME]")


def from_data(data: Mapping[str, Any], where: str = "scenario") -> Scenario:
    """A scenario from plain data.

    Raises
    ------
    ScenarioError
        With one fault for everything that is wrong in it.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"arrivals": {"rate": "6/h"}, "agents":
    ...                        {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> desk.arrivals.rate * 3600
    6.0
    """
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioError(where, faults_of(error.errors(), Scenario, data)) from None
    faults = list(consistency_faults(scenario))
    if faults:
        raise ScenarioError(where, faults)
    return scenario
