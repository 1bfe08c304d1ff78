"""Faults of a scenario, in words a person can act on instead of pydantic's."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from twin.common.errors import Fault, nearest
from twin.scenario.distributions import KINDS

_MOST = 100
# What is allowed, by type of pydantic error; {..} are the values of its context.
_WORDS = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": 'must be text in quotes, as "..."',
    "list_type": "must be a list, as [...]",
    "dict_type": "must be a table, as {{ key = value }}",
    "model_type": "must be a table, as {{ key = value }}",
    "model_attributes_type": "must be a table, as {{ key = value }}",
    "date_type": "must be a date such as 2026-01-05",
    "date_parsing": "must be a date such as 2026-01-05",
    "date_from_datetime_parsing": "must be a date such as 2026-01-05",
    "date_from_datetime_inexact": "must be a date such as 2026-01-05, without a time",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must hold at least {min_length}, not {actual_length}",
    "too_long": "must hold at most {max_length}, not {actual_length}",
    "recursion_loop": "is nested too deeply",
}
_MISSING = "must be given"
_PATTERNS = {
    "name": "must start with a letter or digit; letters, digits, spaces and ._+=,@- may follow",
    "agents": "must be a name of letters, digits, _ and -",
}


def faults_of(
    items: Sequence[Any], root: type[BaseModel], data: Mapping[str, Any] | None = None
) -> list[Fault]:
    """Faults of entries of ``pydantic.ValidationError.errors()``: the first ones, and their number.

    Nobody reads thousands, and to look for the nearest names takes its time.
    """
    found = [_near_pool(fault_of(item, root), data or {}) for item in items[:_MOST]]
    if len(items) > _MOST:
        found.append(Fault("", f"and {len(items) - _MOST:,} faults more"))
    return found


def _near_pool(fault: Fault, data: Mapping[str, Any]) -> Fault:
    """The fault; where a pool lacks what all need, its name may be a misspelt one of another."""
    parts = fault.key.split(".")
    if (parts[0], parts[2:], fault.reason) != ("agents", ["handle_time"], _MISSING):
        return fault
    near = difflib.get_close_matches(parts[1], data.get("agents", {}).keys() - {parts[1]}, n=1)
    return replace(fault, hint=f'did you mean "agents.{near[0]}"?') if near else fault


def fault_of(item: Any, root: type[BaseModel]) -> Fault:
    """Return the fault that an entry of ``pydantic.ValidationError.errors()`` tells of.

    Parameters
    ----------
    item : dict
    root : type
        The model that was checked; its fields are the keys to choose from.
    """
    loc, distribution = _key_path(item["loc"], root)
    key = ".".join(loc)
    kind, given, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "extra_forbidden":
        known = list(distribution.model_fields) if distribution else _known_keys(loc[:-1], root)
        return Fault(key, "unknown key", None, nearest(loc[-1], known))
    if kind == "missing":
        return Fault(key, _MISSING)
    if kind == "literal_error":
        allowed = context["expected"].split("'")[1::2]
        words = ", ".join(f'"{name}"' for name in allowed)
        near = difflib.get_close_matches(str(given), allowed, n=1)
        hint = f'did you mean "{near[0]}"?' if near else ""
        return Fault(key, f"must be one of {words}", given, hint)
    if kind == "string_pattern_mismatch":
        return Fault(key, _PATTERNS.get(loc[0], "has a character that is not allowed"), given)
    reason = _WORDS[kind].format(**context) if kind in _WORDS else item["msg"]
    shown = None if isinstance(given, dict | list | BaseModel) else given
    return Fault(key, reason, shown)


def _key_path(
    loc: Iterable[int | str], root: type[BaseModel]
) -> tuple[list[str], type[BaseModel] | None]:
    """The location as written in the file, without pydantic's own tags, and its distribution."""
    path: list[str] = []
    distribution: type[BaseModel] | None = None
    kinds: Mapping[str, Any] = KINDS
    for part in map(str, loc):
        if part in kinds and path and not _known_keys(path, root):
            distribution = kinds[part]
        elif part != "[key]":
            path.append(part)
    return path, distribution


def _known_keys(path: list[str], root: type[BaseModel]) -> list[str]:
    """Keys that the schema allows at a path, without distributions' own."""
    node: Any = root
    for part in path:
        node = _step(node, part)
    if isinstance(node, type) and issubclass(node, BaseModel):
        return list(node.model_fields)
    return []


def _step(node: Any, part: str) -> Any:
    if isinstance(node, type) and issubclass(node, BaseModel):
        field = node.model_fields.get(part)
        return _model_in(field.annotation) if field else None
    if get_origin(node) in (dict, list):
        return _model_in(get_args(node)[-1])
    return None


def _model_in(annotation: Any) -> Any:
    """The model, dict or list inside an annotation such as ``Week | None``."""
    if get_origin(annotation) in (Union, UnionType):
        options = [a for a in get_args(annotation) if a is not type(None)]
        return _model_in(options[0]) if len(options) == 1 else None
    return annotation
