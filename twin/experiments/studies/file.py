"""Study files: TOML that says which keys of a scenario vary, over which values, and how combined.

A study changes keys by their dotted path in quotes, as ``--set`` does::

    question = "Where does the quota bind?"
    scenario = "../baseline.toml"
    replications = 5
    [set]
    horizon = "2d"
    [factors]
    "assistant.model" = ["openai/gpt-oss-20b", "openai/gpt-oss-120b"]
    "arrivals.scale" = { low = 0.1, high = 2, log = true }

A factor is a list of levels, a range, or levels with names, each with the keys that it sets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from twin.common.errors import Fault, ScenarioError, nearest
from twin.measures.figures import FIGURES, beyond, figure_of
from twin.scenario.changes import PATH_KEYS, clean_name
from twin.scenario.faults import fault_of
from twin.scenario.file import load, read_toml
from twin.scenario.model import Count, Name, Scenario, Section, Target
from twin.stats.limits import Limit

Kind = Literal["full factorial", "one at a time", "latin hypercube"]
Bound = float | str
_NO_FACTOR = "must be a list of levels, a range { low, high }, or levels with names, each a table"
_QUOTED = 'key paths stand in quotes, as "arrivals.scale" = [1, 2]'
# Other columns of a study's frame.
_COLUMNS = {
    "point", "scenario", "base", "replication", "replications", "kpi", "group", "unit", "value",
}  # fmt: skip


class Range(Section):
    """A range of values; bounds may carry a unit, as "20/h" or "5min", the same in both."""

    low: Bound = Field(description="smallest value")
    high: Bound = Field(description="largest value")
    log: bool = Field(False, description="spread evenly by ratio")
    whole: bool = Field(False, description="whole numbers only")

    @model_validator(mode="after")
    def _check(self) -> Range:
        low, high = self.bounds
        if unit_of(self.low) != unit_of(self.high):
            raise _fault("low and high must be numbers, or have the same unit")
        if not low < high:
            raise _fault("low must be below high")
        if self.log and low <= 0:
            raise _fault("low must be above 0 where log = true")
        if self.whole and (low % 1 or high % 1):
            raise _fault("low and high must be whole where whole = true")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """Both bounds without their unit."""
        return number_of(self.low), number_of(self.high)


class Crossing(Section):
    """A limit whose crossing along a factor is looked for."""

    kpi: str = Field(description='a figure, with its group as in "service_level:urgent"')
    along: str = Field(description="a factor with numbers")
    limit: float = Field(description="the value that it crosses")


class StudyFile(Section):
    """Keys of a study file."""

    name: Name = Field("study", description="default: the file's name")
    question: str = Field("", description="what the study answers, in a sentence")
    scenario: Any = Field(None, description="file of the scenario that varies")
    scenarios: list[Any] | None = Field(None, description="files, instead: each is played")
    design: Kind = Field("full factorial", description="how factors are combined")
    points: Annotated[int, Field(ge=2, le=100_000)] = Field(
        20, description="points of a latin hypercube"
    )
    factors: dict[str, list[Any] | Range | dict[str, dict[str, Any]]] = Field(
        {}, description="what varies, by dotted key path in quotes"
    )
    set: dict[str, Any] = Field({}, description="keys changed in every point")
    replications: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="of each point; default: the scenario's own"
    )
    seed: Count | None = Field(None, description="default: the scenario's own")
    kpis: list[str] = Field(
        ["service_level", "csat", "first_response_p95", "cost_per_resolution"],
        description="figures shown; all are kept",
    )
    crossings: list[Crossing] = Field([], description="where along a factor a limit is crossed")
    minimise: str = Field("cost_week", description="for `twin search`: what is to be low")
    targets: dict[str, Target] = Field(
        {},
        description="what must be reached: for `twin search`, and for yes or no on a report's page",
    )

    @model_validator(mode="after")
    def _check(self) -> StudyFile:
        if (self.scenario is None) == (self.scenarios is None):
            raise _fault('give scenario = "FILE" or scenarios = [...], one of them')
        shown = [*self.kpis, self.minimise, *self.targets, *(c.kpi for c in self.crossings)]
        if self.scenarios == []:
            raise _fault("scenarios must name at least one file")
        for name in shown:
            try:
                figure_of(name)
            except ValueError as error:
                raise _fault(str(error)) from None
        for name, target in self.targets.items():
            if reason := beyond(name, target.limit):
                raise _fault(f"targets: {name} {reason}")
        for crossing in self.crossings:
            if crossing.along not in self.factors:
                raise _fault(f'crossings: "{crossing.along}" is no factor of this study')
        for key, factor in self.factors.items():
            if key in _COLUMNS:
                raise _fault(f'a factor cannot be called "{key}"')
            if not isinstance(factor, Range) and not factor:
                raise _fault(f'factor "{key}" has no levels')
            if isinstance(factor, Range) and self.design == "one at a time":
                raise _fault(f'factor "{key}": one at a time needs a list of levels')
        return self


@dataclass(frozen=True)
class Plan:
    """A study file with its scenarios read.

    Attributes
    ----------
    file : StudyFile
    bases : tuple of Scenario
        As changed by `set`, with the study's seed and replications.
    folder : Path
        Folder in which the files that it names are looked for.
    """

    file: StudyFile
    bases: tuple[Scenario, ...]
    folder: Path

    def anchored(self, key: str, value: Any) -> Any:
        """The value of a key; a file's name from where the study lies."""
        path = key.split(".")[-1] in PATH_KEYS and isinstance(value, str)
        return str((self.folder / value).resolve()) if path else value


def limit_of(name: str, target: Target) -> Limit:
    """Return a target as `twin.stats.limits` takes it."""
    share = FIGURES[figure_of(name)[0]].unit == "share"
    return Limit(target.limit, target.upper, share)


def _fault(reason: str) -> PydanticCustomError:
    return PydanticCustomError("value", "{reason}", {"reason": reason})


def number_of(value: Bound) -> float:
    """The number in front of a unit.

    Examples
    --------
    >>> number_of("20/h"), number_of(3)
    (20.0, 3.0)
    """
    if not isinstance(value, str):
        return float(value)
    unit = unit_of(value)
    try:
        return float(value[: len(value) - len(unit)])
    except ValueError:
        raise _fault(f'"{value}" does not begin with a number') from None


def unit_of(value: Bound) -> str:
    """The unit behind the number: "/h" of "20/h", nothing of a number."""
    return value.lstrip("0123456789.+-").strip() if isinstance(value, str) else ""


def read_study(source: str | Path | Mapping[str, Any]) -> Plan:
    """Read a study and the scenarios that it starts from.

    Parameters
    ----------
    source : path or mapping
        A TOML file, or the same as data; `scenario` may then be a Scenario.

    Raises
    ------
    ScenarioError
        With one fault for everything that is wrong.
    """
    if isinstance(source, Mapping):
        data, where, folder = dict(source), "study", Path()
    else:
        path = Path(source)
        data, where, folder = read_toml(path), str(path), path.parent
        if not data.keys() & {"scenario", "scenarios"} and data.keys() & {"extends", "agents"}:
            hint = f'a study names it, as scenario = "{path.name}", and has [factors]'
            raise ScenarioError(where, [Fault("", "is a scenario, and no study", hint=hint)])
        data.setdefault("name", clean_name(path.stem))
    try:
        file = StudyFile.model_validate(data)
    except ValidationError as error:
        raise ScenarioError(where, _faults(error.errors())) from None
    plan = Plan(file, (), folder)
    changes = {key: plan.anchored(key, value) for key, value in file.set.items()}
    changes |= {k: v for k in ("replications", "seed") if (v := getattr(file, k)) is not None}
    given = file.scenarios if file.scenarios is not None else [file.scenario]
    bases: list[Scenario] = []
    for one in given:
        base = one if isinstance(one, Scenario) else load(folder / str(one))
        if any(other.name == base.name for other in bases):
            raise ScenarioError(where, [Fault("scenarios", "two have this name", base.name)])
        bases.append(base.vary(changes, name=base.name) if changes else base)
    return replace(plan, bases=tuple(bases))


def _faults(errors: Sequence[Any]) -> list[Fault]:
    """Faults found by pydantic, in plain words, one a factor."""
    factors: dict[str, Fault] = {}
    others: list[Fault] = []
    for item in errors:
        loc = [str(part) for part in item["loc"]]
        if loc[:1] == ["factors"] and len(loc) > 1:
            key = ".".join(loc[:2])
            if item["type"] == "value":
                factors[key] = Fault(key, item["msg"])
            factors.setdefault(key, Fault(key, _NO_FACTOR, None, _QUOTED))
        elif item["type"] == "extra_forbidden":
            nested: dict[str, type[Section]] = {"crossings": Crossing, "targets": Target}
            model = nested.get(loc[0], StudyFile) if len(loc) > 1 else StudyFile
            known = nearest(loc[-1], model.model_fields)
            others.append(Fault(".".join(loc), "unknown key", None, known))
        else:
            others.append(fault_of(item, Scenario) if loc else Fault("", item["msg"]))
    return [*factors.values(), *others]
