"""Differences of a scenario from the file it extends, and the values set in it."""

from __future__ import annotations

from pathlib import Path

from twin.scenario.changes import flat
from twin.scenario.file import base_of, load
from twin.scenario.model import Scenario
from twin.scenario.units import short_rate

# Items of a list that are written out.
_MOST_ITEMS = 24


def differences(path: str | Path) -> list[tuple[str, str, str]]:
    """Changes of a file to the scenario that it extends.

    Returns
    -------
    list of (str, str, str)
        Key path, value in the base, value here; empty without a base.

    Raises
    ------
    ScenarioError
        If either cannot be read.
    """
    base = base_of(path)
    return [] if base is None else _changed(load(base), load(path))


def changes(scenario: Scenario) -> tuple[str, list[tuple[str, str, str]]]:
    """Changes of a scenario to its base: those of its file, of ``--set`` and of ``vary``.

    Returns
    -------
    base : str
        Name of the file that its file extends, else of its file; empty if it is from no file.
    list of (str, str, str)
        Key path, value in the base, value here.

    Raises
    ------
    ScenarioError
        If the base cannot be read.
    """
    if scenario._path is None:
        return "", []
    base = base_of(scenario._path) or scenario._path
    return base.name, _changed(load(base), scenario)


def _changed(base: Scenario, scenario: Scenario) -> list[tuple[str, str, str]]:
    old, new = (flat(s.model_dump(mode="json")) for s in (base, scenario))
    keys = dict.fromkeys([*old, *new])
    return [
        (key, _short(old.get(key, "-")), _short(new.get(key, "-")))
        for key in keys
        if old.get(key) != new.get(key) and key not in ("name", "question")
    ]


def _short(text: str) -> str:
    """A value as text, of long lists how many there are: nobody compares 168 hours by eye."""
    items = text.count(", ") + 1
    return f"{items} values" if items > _MOST_ITEMS and "{" not in text else short_rate(text)


def set_values(scenario: Scenario) -> list[tuple[str, str]]:
    """Key path and value of every setting, defaults left out."""
    return list(flat(scenario.as_data()).items())
