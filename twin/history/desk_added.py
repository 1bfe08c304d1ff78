"""Keys that a person gave in the desk.toml of a history, kept as it is imported again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twin.common.errors import Fault, ScenarioError, TwinError
from twin.common.files import read_sealed
from twin.scenario.changes import flat
from twin.scenario.file import load
from twin.scenario.model import Scenario, from_data

Data = dict[str, Any]
# Of each history, as the import makes them.
_MADE = ("name", "question", "start", "time_zone", "horizon", "replications", "arrivals")
_OF_TABLES = ("start", "time_zone", "horizon")
_GONE = object()
_WAY_OUT = "take it out of that file, or import into another folder with --out"


def with_added(read: Data, manifest: Path, desk: Path) -> tuple[Scenario, list[str]]:
    """The desk as an export gives it, with what a person gave in the file of an older import.

    Parameters
    ----------
    read : dict
        The desk as the new export gives it.
    manifest, desk : Path
        Files of the older history; a desk.toml that is not there has nothing to keep.

    Returns
    -------
    Scenario
    list of str
        A sentence on what was kept, if anything was.

    Raises
    ------
    ScenarioError
        If the older file cannot be read, or a key that it gives does not fit the new desk.
    """
    if not desk.is_file():
        return from_data(read), []
    try:
        now = load(desk).as_data()
    except TwinError as error:
        why = f"cannot be read, so what you gave in it would be lost ({error.__class__.__name__})"
        hint = "mend it or remove it, or import into another folder with --out"
        raise ScenarioError(str(desk), [Fault("", why, hint=hint)]) from error
    was = _as_made(manifest, now)
    # The tables count from the start of the new export.
    now |= {key: was[key] for key in _OF_TABLES if key in was}
    gone = sorted(set(was.get("agents", {})) - set(read["agents"]))
    found, kept = _merged(was, now, read)
    faults = [
        Fault(key, "was given there, and the new export has no such group of agents", hint=_WAY_OUT)
        for key in kept if any(key.startswith(f"agents.{name}.") for name in gone)
    ]  # fmt: skip
    faults += [
        Fault(key, f"names a file of the folder that is replaced: {value}",
              hint="put it elsewhere and name it there")
        for key, value in flat(now).items() if value.startswith(f"{desk.parent.resolve()}{os.sep}")
    ]  # fmt: skip
    if faults:
        raise ScenarioError(str(desk), faults)
    try:
        scenario = from_data(found)
    except ScenarioError as error:
        raise ScenarioError(str(desk), [
            Fault(one.key, f"was given there, and does not fit the new export: {one.reason}",
                  one.given, _WAY_OUT) for one in error.faults
        ]) from None  # fmt: skip
    said = [f"Kept from {desk.name}, as you gave it there: {', '.join(kept)}."] if kept else []
    return scenario, said


def _as_made(manifest: Path, now: Data) -> Data:
    """The older desk as its import made it; an older manifest does not hold it."""
    try:
        told = read_sealed(manifest, "the manifest of a history").get("desk")
    except (TwinError, OSError, ValueError):
        told = None
    if isinstance(told, dict):
        return from_data(told).as_data()
    pools = {
        name: {"heads": 0} | {
            key: value for key, value in pool.items()
            if key == "concurrency" or (key == "handle_time" and "constant" in str(value))
        }
        for name, pool in now.get("agents", {}).items()
    }  # fmt: skip
    return {key: now[key] for key in _MADE if key in now} | {"agents": pools}


def _merged(was: Data, now: Data, new: Data, at: str = "") -> tuple[Data, list[str]]:
    """Keys of `new`, but those that `now` has otherwise than `was` as `now` has them; and these."""
    found, kept = dict(new), list[str]()
    for key in dict.fromkeys([*now, *was]):
        before, after = was.get(key, _GONE), now.get(key, _GONE)
        path = f"{at}{key}"
        if before == after:
            continue
        inner = new.get(key, {})
        if isinstance(after, dict) and isinstance(inner, dict) and not _is_choice(after):
            old = before if isinstance(before, dict) else {}
            found[key], below = _merged(old, after, inner, f"{path}.")
            kept += below
        elif after is _GONE:
            # Of a pool that the new export does not have nothing is left to take away.
            kept += [f"no {path}"] if found.pop(key, _GONE) is not _GONE else []
        else:
            found[key] = after
            kept.append(path)
    return found, kept


def _is_choice(value: Data) -> bool:
    """True for a distribution: its keys belong together."""
    return "distribution" in value
