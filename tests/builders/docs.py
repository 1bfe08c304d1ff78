"""Reference text, generated from the code that it describes.

``python -m tests.builders.docs`` writes scenarios/README.md and results/README.md of a checkout; a
test holds that they are up to date.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from twin.measures.figures import FIGURES
from twin.records.columns import data_dictionary
from twin.scenario import distributions, units
from twin.scenario import model as scenario
from twin.scenario.model import Scenario

_WORDS: dict[Any, str] = {
    units.Duration: "duration",
    units.Rate: "rate",
    units.ClockTime: "time of day",
    scenario.LongDuration: "duration",
    scenario.TimeZone: "time zone",
    scenario.Days: "days",
    scenario.Day: "date",
    scenario.Share: "number (0 to 1)",
    distributions.TimeDistribution: "distribution of times",
    distributions.NumberDistribution: "distribution of numbers",
    distributions.AnyDistribution: "distribution",
    distributions.Amount: "number or duration",
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
}


# Keys of distributions, which mean the same in all of them.
_COMMON = {
    "distribution": "its name",
    "value": "the value",
    "low": "the smallest value",
    "mode": "the most frequent value",
    "high": "the largest value",
    "mean": "mean value",
}


def _type_words(hint: Any) -> str:
    for known, words in _WORDS.items():
        if hint is known or hint == known:
            return words
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _bounded(_type_words(args[0]), args[1:])
    if origin in (Union, UnionType):
        return " or ".join(_type_words(arg) for arg in args if arg is not NoneType)
    if origin is Literal:
        return ", ".join(f'`"{value}"`' for value in args)
    if origin is list:
        return f"list of {_type_words(args[0])}"
    if origin is dict:
        key = "priority" if args[0] == scenario.Priority else "name"
        return f"table of {_type_words(args[1])} by {key}"
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return str(hint)


def _bounded(words: str, metadata: tuple[Any, ...]) -> str:
    """The words with the range that pydantic's metadata give."""
    found: dict[str, Any] = {}
    for item in metadata:
        for part in item.metadata if isinstance(item, FieldInfo) else [item]:
            for name in ("ge", "gt", "le", "lt"):
                if getattr(part, name, None) is not None:
                    found[name] = getattr(part, name)
    if "ge" in found and "le" in found:
        return f"{words} ({found['ge']:g} to {found['le']:g})"
    names = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    limits = ", ".join(f"{names[key]} {value:g}" for key, value in found.items())
    return f"{words} ({limits})" if limits else words


def _default_words(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    if field.is_required():
        return "must be given"
    default: Any = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, distributions.Lognormal):
        return f"`{_toml(default.model_dump(mode='json', exclude_none=True))}`"
    if default is None or isinstance(default, BaseModel) or default in ([], {}, ""):
        return ""
    if isinstance(default, list) and len(set(default)) == 1:
        return f"{len(default)} times `{default[0]:g}`"
    dumped = model.model_construct(**{name: default}).model_dump(
        mode="json", include={name}, warnings=False
    )
    return f"`{_toml(dumped[name])}`"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _models(model: type[BaseModel], seen: list[type[BaseModel]]) -> list[type[BaseModel]]:
    """A model and all that it holds, each once, in the order of the file."""
    if model not in seen:
        seen.append(model)
        for hint in _hints(model).values():
            for inner in _inside(hint):
                _models(inner, seen)
    return seen


def _hints(model: type[BaseModel]) -> dict[str, Any]:
    hints = get_type_hints(model, localns={"Path": Path}, include_extras=True)
    return {name: hints[name] for name in model.model_fields}


def _inside(hint: Any) -> Iterator[type[BaseModel]]:
    if any(hint is known for known in _WORDS):
        return
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    for arg in get_args(hint):
        yield from _inside(arg)


def _section(model: type[BaseModel]) -> list[str]:
    doc = (model.__doc__ or "").strip().splitlines()[0]
    lines = [f"### {model.__name__}", "", doc.replace("; frozen.", "."), ""]
    lines += ["| key | what it takes | default | meaning |", "| --- | --- | --- | --- |"]
    for name, hint in _hints(model).items():
        field = model.model_fields[name]
        words = _type_words(hint)
        if words in ("number", "whole number"):
            words = _bounded(words, tuple(field.metadata))
        meaning = field.description or _meaning(name, hint)
        lines.append(f"| `{name}` | {words} | {_default_words(model, name)} | {meaning} |")
    return [*lines, ""]


def _meaning(name: str, hint: Any) -> str:
    """Meaning of a key without a description: a section's first line, or a common word."""
    for inner in _inside(hint):
        return (inner.__doc__ or "").strip().splitlines()[0]
    return _COMMON.get(name, "")


def scenario_reference() -> str:
    """Every key of scenario files as Markdown: scenarios/README.md."""
    lines = [_prose("scenarios.md"), "## Keys", ""]
    for model in _models(Scenario, []):
        lines += _section(model)
    lines += ["## Distributions", "", _prose("distributions.md")]
    kinds: list[Any] = [*distributions.KINDS.values(), distributions.Part]
    for model in kinds:
        lines += _section(model)
    return "\n".join(lines).rstrip() + "\n"


def results_reference() -> str:
    """Every table and column of results as Markdown: results/README.md."""
    tables = f"## Tables\n\n{data_dictionary().rstrip()}\n"
    return f"{_prose('results.md')}\n{_figures()}\n{tables}"


def _figures() -> str:
    """A row for every figure: what it covers, and when a difference of it is judged."""
    lines = ["## All figures", "", _prose("figures.md").rstrip(), ""]
    heads = ["figure", "meaning", "unit", "better", "covers", "abandoned and open tickets",
             "differs from", "verdict"]  # fmt: skip
    lines += [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for figure in FIGURES.values():
        absolute, relative = figure.matters
        words = f"{100 * absolute:g} points" if figure.unit == "share" else f"{absolute:g}"
        sizes = [f"{words} s" if figure.unit == "s" else words] if absolute else []
        sizes += [f"{100 * relative:g} %"] if relative else []
        cells = [f"`{figure.name}`", figure.description, figure.unit, figure.better or "-",
                 figure.population, figure.gone, " or ".join(sizes),
                 figure.when_judged]  # fmt: skip
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _prose(name: str) -> str:
    return (Path(__file__).parent / "prose" / name).read_text(encoding="utf-8")


def write(root: Path) -> None:
    """Write both references into a checkout."""
    (root / "scenarios" / "README.md").write_text(scenario_reference(), encoding="utf-8")
    (root / "results" / "README.md").write_text(results_reference(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(__file__).resolve().parents[2])
