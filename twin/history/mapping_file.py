"""The file mapping.toml of a history: how its export was read, to read the next one alike."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from twin.common.errors import Fault, ScenarioError, nearest
from twin.common.files import read_text, reason

_WORDS, _TABLES = ("tool", "zone"), ("columns", "statuses", "priorities")
_MOST_MAPPING = 10_000_000


def read_mapping(path: Path) -> dict[str, Any]:
    """Settings of an earlier import.

    Raises
    ------
    ScenarioError
        If the file is none.
    """
    try:
        found = tomllib.loads(read_text(path, _MOST_MAPPING, "a mapping"))
    except RecursionError:
        raise ScenarioError(str(path), [Fault("", "no mapping: nested too deeply")]) from None
    except (OSError, ValueError) as error:
        raise ScenarioError(str(path), [Fault("", f"no mapping: {reason(error)}")]) from None
    faults = [
        Fault(key, "must hold names")
        for key in _TABLES
        if not isinstance(table := found.get(key, {}), dict)
        or not all(isinstance(value, str) for value in table.values())
    ]
    faults += [
        Fault(key, "must be a text", found[key])
        for key in _WORDS
        if not isinstance(found.get(key, ""), str)
    ]
    if not isinstance(found.get("days_first", True), bool):
        faults.append(Fault("days_first", "must be true or false", found["days_first"]))
    known = (*_WORDS, "days_first", *_TABLES)
    faults += [Fault(key, "unknown key", hint=nearest(key, known)) for key in found
               if key not in known]  # fmt: skip
    if faults:
        raise ScenarioError(str(path), faults)
    return found
