"""Versions of a desk: the numbers that its history leaves open, and ranges of those assumed.

A scenario with `[uncertainty]` is not played as it stands: two replications in a row play the same
version of it, the next ones another. A version holds the numbers that calibration finds in
resampled days of the history (see `twin.history.versions`), one way in which arrivals may go on
(`twin.history.forecast`), and values from stated ranges; where there are several of these, two
draws of the next are within one of the former. A number that the scenario has changed since, such
as the heads of a what-if, is as it was set; one with a stated range is drawn from it. Which version
a replication plays hangs on its number alone: replication k of a what-if plays the version that
replication k of its baseline plays. What the spread over versions says is in `twin.stats.nested`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from twin.common.errors import DamagedFile, Fault, ScenarioError
from twin.common.files import read_sealed
from twin.common.text import amount
from twin.demand.luck import Stream, uniforms
from twin.scenario.changes import assign
from twin.scenario.distributions import Seconds
from twin.scenario.model import Scenario, Uncertainty, from_data
from twin.scenario.units import format_duration
from twin.stats.nested import ASSUMED, DATA, EACH, FORECAST, LUCK, PARTS

# Sources of uncertainty in words, and what makes each smaller.
NAMES = {LUCK: "luck", DATA: "the history", FORECAST: "the forecast", ASSUMED: "stated assumptions"}
_SPEND = {
    LUCK: "more replications make the intervals narrower",
    DATA: "a longer history makes the intervals narrower, more replications hardly do",
    FORECAST: "a forecast nearer to its days makes the intervals narrower, more replications "
    "hardly do",
    ASSUMED: "to measure what is assumed makes the intervals narrower, more replications hardly do",
}
# Every row of a list of tables, as of the shifts of a pool.
EACH_ROW = "*"


@dataclass(frozen=True)
class Number:
    """A number of a scenario, or several in a list, in all versions.

    Attributes
    ----------
    key : tuple of str
        Names of the tables that it lies in, and its own; in a list, a row's place, or "*" for each.
    calibrated : number, str or list
        Value in the scenario, as `Scenario.as_data` writes it.
    versions : list
        Value in each version.
    """

    key: tuple[str, ...]
    calibrated: Any
    versions: list[Any]


def as_played(scenario: Scenario, replication: int) -> Scenario:
    """The scenario that a replication plays: itself, or a version of it.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}},
    ...                        "uncertainty": {"assumed": {"arrivals.scale": [0.8, 1.2]}}})
    >>> scales = [as_played(desk, k).arrivals.scale for k in range(4)]
    >>> scales[0] == scales[1], scales[1] == scales[2], scales[2] == scales[3]
    (True, False, True)
    """
    if scenario.uncertainty is None:
        return scenario
    return _version(scenario, scenario.uncertainty, replication)


def sources(uncertainty: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Sources of uncertainty beside luck in a section [uncertainty], the outer one first.

    Parameters
    ----------
    uncertainty : mapping or None
        As plain data; None: there is none.
    """
    given = uncertainty or {}
    wanted = {
        DATA: given.get("file"),
        FORECAST: given.get("forecast"),
        ASSUMED: given.get("assumed"),
    }
    return tuple(name for name, there in wanted.items() if there)


def sources_of(scenario: Scenario) -> tuple[str, ...]:
    """Sources of uncertainty beside luck of a scenario, the outer one first."""
    return () if scenario.uncertainty is None else sources(scenario.uncertainty.model_dump())


def faults(scenario: Scenario) -> list[Fault]:
    """Faults of the section [uncertainty] beside the rest of the scenario and its files."""
    given = scenario.uncertainty
    if given is None:
        return []
    data, found = scenario.model_dump(mode="json"), []
    for key, (low, high) in given.assumed.items():
        value = _at(data, key)
        if type(value) in (int, float) and not low <= value <= high:
            reason = f"its range is {low:g} to {high:g}, and it is set to {value:g}"
            hint = "change one of them, or both"
            found.append(Fault(f"uncertainty.assumed.{key}", reason, hint=hint))
    plain, tried = scenario.as_data(), {0}
    for key, path, length in _files(given):
        numbers = read(path)
        now = [value_at(plain, one.key) for one in numbers]
        # A what-if sets numbers otherwise, and keeps their keys.
        gone = any(value is None or value == [] for value in now)
        if gone and all(v != one.calibrated for v, one in zip(now, numbers, strict=True)):
            reason = "holds versions of another desk: no number of it is as in this scenario"
            found.append(Fault(f"uncertainty.{key}", reason, str(path), "take the key out"))
        tried |= {length * number for number in range(len(numbers[0].versions))}
    for replication in sorted(tried):
        try:
            _version(scenario, given, replication)
        except ScenarioError as error:
            return found + error.faults
    return found


def _files(given: Uncertainty) -> list[tuple[str, Path, int]]:
    """Files of versions, the outer one first: key, path, and replications in a row of each."""
    wanted = sources(given.model_dump())
    both = [("file", DATA, given.file), ("forecast", FORECAST, given.forecast)]
    return [
        (key, Path(path), EACH ** (len(wanted) - wanted.index(source)))
        for key, source, path in both
        if path is not None
    ]


def notes(scenario: Scenario) -> list[str]:
    """Sentences on numbers that versions do not vary, because they were changed since."""
    given = scenario.uncertainty
    if given is None:
        return []
    data = scenario.as_data()
    # What a forecast gives takes the place of what the history leaves open of it.
    ahead = () if given.forecast is None else ("arrivals",)
    names = [
        ".".join(one.key)
        for _, path, _ in _files(given)
        for one in read(path)
        if one.key[:1] != ahead and _with(value_at(data, one.key), one, 0) is None
    ]
    if not names:
        return []
    words = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return [f"taken as set, whatever the history leaves open of it: {words}"]


def unseen(base: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Keys that differ between two scenarios as run, and are drawn from a range in the second.

    Such a change shows nothing: what a key says is not played where its range is stated.
    """
    assumed = (other.get("uncertainty") or {}).get("assumed") or {}
    return [key for key in assumed if _at(base, key) != _at(other, key)]


def _at(data: Any, key: str) -> Any:
    for part in key.split("."):
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _version(scenario: Scenario, given: Uncertainty, replication: int) -> Scenario:
    data = scenario.as_data()
    del data["uncertainty"]
    for _, path, length in _files(given):
        numbers = read(path)
        version = replication // length % len(numbers[0].versions)
        for one in numbers:
            new = _with(value_at(data, one.key), one, version)
            if new is not None:
                _put(data, one.key, new)
    draw = replication // EACH
    for key, (low, high) in given.assumed.items():
        luck = uniforms(scenario.seed, draw, Stream.ASSUMED, 1, crc32(key.encode()))[0]
        value = float(low) + (float(high) - float(low)) * float(luck)
        assign(data, key, format_duration(value) if isinstance(low, Seconds) else value, key)
    found = from_data(data, scenario.name)
    found._path = scenario._path
    return found


def value_at(data: Any, key: Sequence[str]) -> Any:
    """Value at the key of a `Number`; None where there is none."""
    for k, part in enumerate(key):
        if part == EACH_ROW:
            rows = data if isinstance(data, list) else []
            return [value_at(row, key[k + 1 :]) for row in rows]
        data = _inner(data, part)
    return data


def _inner(data: Any, part: str) -> Any:
    if isinstance(data, list):
        return data[int(part)] if part.isdecimal() and int(part) < len(data) else None
    return data.get(part) if isinstance(data, dict) else None


def _put(data: Any, key: Sequence[str], value: Any) -> None:
    for k, part in enumerate(key[:-1]):
        if part == EACH_ROW:
            for row, own in zip(data, value, strict=True):
                _put(row, key[k + 1 :], own)
            return
        data = _inner(data, part)
    data[key[-1]] = value


def _with(value: Any, one: Number, version: int) -> Any:
    """Value of a version; None where the scenario has another one than was calibrated."""
    new = one.versions[version]
    if not isinstance(value, list):
        return new if value == one.calibrated and value is not None else None
    if not isinstance(one.calibrated, list) or len(value) != len(one.calibrated):
        return None
    kept = [own == was for own, was in zip(value, one.calibrated, strict=True)]
    if not any(kept):
        return None
    return [other if same else own for own, other, same in zip(value, new, kept, strict=True)]


def read(path: Path) -> tuple[Number, ...]:
    """Read the versions of a desk.

    Raises
    ------
    DamagedFile
        If the file is not as it was written, or holds no versions.
    OSError, ValueError
        If it cannot be read.
    """
    told = path.stat()
    return _read(path, told.st_mtime_ns, told.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, changed: int, size: int) -> tuple[Number, ...]:
    del changed, size  # of the file, so that another one is read anew
    try:
        rows = read_sealed(path, "versions of a desk").get("numbers")
        if not isinstance(rows, list) or not rows:
            raise ValueError("numbers must be a list of at least one")
        found = tuple(_number(k, row) for k, row in enumerate(rows))
        if len({len(one.versions) for one in found}) > 1:
            raise ValueError("not as many values of each number")
    except DamagedFile:
        raise
    except ValueError as error:
        raise DamagedFile(path, f"no versions of a desk: {error}") from None
    return found


def _number(place: int, row: Any) -> Number:
    """A number of the file, which may have been changed by hand."""
    key = row.get("key") if isinstance(row, dict) else None
    if not isinstance(key, list) or not key or not all(isinstance(part, str) for part in key):
        raise ValueError(f"numbers[{place}]: key must be a list of names")
    name, calibrated, values = ".".join(key), row.get("calibrated"), row.get("versions")
    if not _is_value(calibrated):
        raise ValueError(f"{name}: calibrated must be a number, a text or a list of them")
    if not isinstance(values, list) or not values:
        raise ValueError(f"{name}: versions must be a list of at least one value")
    for version, value in enumerate(values, 1):
        if not _is_value(value) or _form(value) != _form(calibrated):
            form = "a list as long as the calibrated one" if isinstance(calibrated, list) else (
                "a number" if _form(calibrated) is float else "a text"
            )  # fmt: skip
            raise ValueError(f"{name}: version {version} must be {form}")
    return Number(tuple(key), calibrated, values)


def _is_value(value: Any) -> bool:
    if isinstance(value, list):
        # Rows of a list of tables need not all have the key.
        return bool(value) and all(one is None or _is_value(one) for one in value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str) or (number and math.isfinite(value))


def _form(value: Any) -> Any:
    if isinstance(value, list):
        return [_form(one) for one in value]
    return str if isinstance(value, str) else None if value is None else float


def sentence(scenario: Scenario) -> str:
    """Sentence on what differs from replication to replication; empty without [uncertainty].

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}},
    ...                        "uncertainty": {"assumed": {"arrivals.scale": [0.8, 1.2]}}})
    >>> sentence(desk)
    'Not known for sure, and drawn anew for each two replications: arrivals.scale 0.800 to 1.20.'
    """
    given = scenario.uncertainty
    if given is None:
        return ""
    parts = []
    for key, path, length in _files(given):
        what = "what its history leaves open" if key == "file" else "the arrivals ahead"
        each = f" (one for each {length})" if length > EACH else ""
        parts.append(f"{len(read(path)[0].versions)} versions of {what}{each}")
    for key, (low, high) in given.assumed.items():
        unit = "s" if isinstance(low, Seconds) else ""
        parts.append(f"{key} {amount(low, unit)} to {amount(high, unit)}")
    return f"Not known for sure, and drawn anew for each two replications: {', '.join(parts)}."


def spend(summary: pd.DataFrame, figures: Sequence[str], what: str = "figures") -> list[str]:
    """Sentences on what most of the uncertainty comes from, and so what to spend on.

    Parameters
    ----------
    summary : DataFrame
        From `Results.summary`, or the table of a `Comparison`.
    figures : sequence of str
        The shares are means over these.
    what : str
        Figures, or differences.

    Returns
    -------
    list of str
        One a scenario that is played in versions.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}},
    ...                        "uncertainty": {"assumed": {"arrivals.scale": [0.5, 1.5]}}})
    >>> spend(twin.run(desk, replications=20).summary(), ["occupancy"])[0].partition(":")[0]
    'scenario'
    """
    if DATA not in summary:
        return []
    rows = summary[(summary["group"] == "") & summary["kpi"].isin(figures)]
    found = []
    for name, own in rows.groupby("scenario", sort=False):
        variance = own[list(PARTS)].to_numpy(dtype=float) ** 2
        whole = variance.sum(axis=1)
        known = np.isfinite(whole) & (whole > 0)
        if not known.any():
            continue
        shares = (variance[known] / whole[known, None]).mean(axis=0)
        most = PARTS[int(shares.argmax())]
        parts = ", ".join(
            f"{NAMES[part]} {100 * share:.0f} %"
            for part, share in sorted(zip(PARTS, shares, strict=True), key=lambda pair: -pair[1])
            if share > 0
        )
        found.append(f"{name}: uncertainty of these {what} by its source: {parts}; {_SPEND[most]}")
    return found
