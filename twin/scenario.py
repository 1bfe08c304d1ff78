"""What a scenario file may say: the whole of it, frozen; its sections live in `twin.sections`.

Reading files, `extends`, `--set` and error messages live in `scenario_file`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr, model_validator

from twin.sections.assistant import (
    Assistant,
    Learning,
    MaxTokens,
    Measured,
    MeasuredStep,
    Outage,
    Profile,
    Provider,
    RandomOutages,
)
from twin.sections.base import (
    DAYS,
    PRIORITIES,
    Count,
    Day,
    Days,
    LongDuration,
    Model,
    Positive,
    Priority,
    PriorityTimes,
    Quantiles,
    Share,
    TimeZone,
    fail,
    parse_days,
)
from twin.sections.demand import Arrivals, Bursts, Busyness, Surge, Tickets, Week
from twin.sections.people import Break, Customers, Pool, Satisfaction, Shift, Solved, Targets
from twin.units import Duration

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "DAYS",
    "PRIORITIES",
    "Arrivals",
    "Assistant",
    "Break",
    "Bursts",
    "Busyness",
    "Count",
    "Customers",
    "Day",
    "Days",
    "Learning",
    "LongDuration",
    "MaxTokens",
    "Measured",
    "MeasuredStep",
    "Model",
    "Outage",
    "Pool",
    "Positive",
    "Priority",
    "PriorityTimes",
    "Profile",
    "Provider",
    "Quantiles",
    "RandomOutages",
    "Satisfaction",
    "Scenario",
    "Share",
    "Shift",
    "Solved",
    "Surge",
    "Targets",
    "Tickets",
    "TimeZone",
    "Week",
    "parse_days",
]


# Calendars and time zones are sound there, and a century of hours fits in memory.
_FIRST_YEAR, _LAST_YEAR = 1900, 2999
_MAX_HORIZON_S = 36_525 * 86400.0


class Scenario(Model):
    """A support desk and the question asked of it; frozen.

    Examples
    --------
    >>> desk = Scenario.model_validate({"horizon": "1d", "arrivals": {"rate": "6/h"}, "agents":
    ...                                {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> desk.horizon
    86400.0
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+=,@-]{0,120}$")] = Field(
        "scenario", description="default: the file's name"
    )
    question: str = Field("", description="what the scenario answers, in a sentence")
    horizon: LongDuration = Field(604800.0, description="length of the run")
    warm_up: Duration = Field(0.0, description="left out when measuring")
    seed: Count = Field(1, description="of all luck; the same seed, the same customers")
    replications: Annotated[int, Field(ge=1, le=100_000)] = Field(
        10, description="times it is played, each with other luck"
    )
    start: Day = Field(date(2026, 1, 5), description="day on which the run starts, at midnight")
    time_zone: TimeZone = Field("UTC", description="of start, shifts and the hours of the week")
    arrivals: Arrivals
    tickets: Tickets = Tickets()
    assistant: Assistant = Assistant(role="off")
    provider: Provider = Provider()
    agents: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")], Pool] = Field(
        {}, description="pools by name, as [agents.frontline]; none: no humans"
    )
    targets: Targets = Targets()
    customers: Customers = Customers()

    # The file it came from, for messages only; set by scenario_file.
    _path: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check(self) -> Scenario:
        if not _FIRST_YEAR <= self.start.year <= _LAST_YEAR:
            raise fail(f"start must lie in the years {_FIRST_YEAR} to {_LAST_YEAR}")
        if self.horizon > _MAX_HORIZON_S:
            raise fail("horizon must be at most 100 years (36525d)")
        if self.warm_up >= self.horizon:
            raise fail("warm_up must be shorter than horizon")
        if self.assistant.role == "off" and not self.agents:
            raise fail("nobody works here: give [agents.NAME] or assistant.role")
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        """Time zone of the desk."""
        return ZoneInfo(self.time_zone)

    def as_data(self) -> dict[str, Any]:
        """What was set, defaults left out, as plain data that loads to the same scenario.

        The file that it came from is not in it.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> twin.from_data(desk.as_data()) == desk
        True
        """
        return self.model_dump(mode="json", exclude_unset=True)

    def _repr_html_(self) -> str:
        from twin.display import scenario_html

        return scenario_html(self)

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
        from twin.scenario_file import vary

        return vary(self, changes, name)
