"""A forecast as a scenario: a desk whose replications play ways in which arrivals may go on."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.common.errors import Fault, ScenarioError
from twin.common.files import whole_folder, write_sealed, write_text
from twin.common.tables import one_line
from twin.common.toml import dump
from twin.experiments.checks import check
from twin.experiments.versions import sources_of
from twin.history.calibrated import Data, whole_days
from twin.history.calibrated_file import annotated
from twin.history.forecast.ahead import Forecast
from twin.scenario.clock import DAY_S
from twin.scenario.file import load
from twin.scenario.model import Scenario
from twin.stats.nested import EACH

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Versions of the arrivals: two replications each are enough for a hundred.
VERSIONS = 50
# Draws of the outermost source of uncertainty that a run plays.
_DRAWN = 10
_VERSIONS = "forecast.json"
# Less spread is none; more than this is of days on which the desk is closed.
_LEAST_CV, _MOST_CV, _MOST_FACTOR = 0.001, 3.0, 20.0
# Each first few of the versions are spread over all: multiples of this, modulo 1 (Weyl).
_GOLDEN = (math.sqrt(5) - 1) / 2


def write_forecast(
    found: Forecast,
    desk: str | Path,
    path: str | Path,
    first: date | None = None,
    replace_old: bool = False,
) -> Path:
    r"""Write a scenario that extends a desk's file and plays the arrivals ahead.

    Parameters
    ----------
    found : Forecast
    desk : str or Path
        Scenario file of the desk: calibrated to the history, or another one.
    path : str or Path
        The versions of the arrivals go into a folder of its name with ``-data``.
    first : date, optional
        Day from which on is measured; default: the first one ahead. Those before it are played.
    replace_old : bool
        Whether files of those names may be replaced.

    Returns
    -------
    Path
        Of the scenario file.

    Raises
    ------
    ScenarioError
        If something is there already, or the desk cannot take the arrivals.
    OSError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile, twin
    >>> rows = ["case,activity,timestamp"]
    >>> for k in range(280):
    ...     day = f"2026-03-{1 + k % 28:02d}T{8 + k % 9:02d}"
    ...     rows += [f"{k},New,{day}:00:00", f"{k},Resolved,{day}:{10 + k % 40}:00"]
    >>> desk = 'arrivals.rate = "1/h"\nagents.all = { heads = 2, handle_time = "5min" }'
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, text in {"log.csv": "\n".join(rows), "desk.toml": desk}.items():
    ...         with open(f"{folder}/{name}", "w") as file:
    ...             print(text, file=file)
    ...     found = twin.forecast(twin.read_history(f"{folder}/log.csv", zone="UTC"), ahead=7)
    ...     path = twin.write_forecast(found, f"{folder}/desk.toml", f"{folder}/week.toml")
    ...     twin.load(path).start.isoformat()
    '2026-03-29'
    """
    desk, path = Path(desk), Path(path)
    folder = path.with_name(f"{path.stem}-data")
    _refuse(desk, path, folder, replace_old)
    data, numbers = scenario_data(found, load(desk), first)
    try:
        base = os.path.relpath(desk.resolve(), path.resolve().parent)
    except ValueError:  # on another drive
        base = str(desk.resolve())

    def extending(at: str, forecast: str) -> Data:
        return {"extends": at, **data, "uncertainty": {"forecast": forecast}}

    # An older forecast stays until the new one is seen to play.
    with whole_folder(folder) as part:
        write_sealed(part / _VERSIONS, {"first": str(found.days[0]), "numbers": numbers})
        plain = part / "plain.toml"
        write_text(plain, dump(extending(str(desk.resolve()), _VERSIONS)))
        check(load(plain))
        plain.unlink()
    whole = extending(Path(base).as_posix(), f"{folder.name}/{_VERSIONS}")
    write_text(path, f"{_text(found, whole)}\n")
    return path


def _refuse(desk: Path, path: Path, folder: Path, replace_old: bool) -> None:
    if path.is_dir():
        raise ScenarioError(str(path), [Fault("", "is a folder; name a file")])
    if path.resolve() == desk.resolve():
        raise ScenarioError(str(path), [Fault("", "is the desk itself; name another file")])
    if folder.exists() and not (folder / _VERSIONS).is_file():
        reason = "is there already, and is no folder of a forecast; name another file"
        raise ScenarioError(str(folder), [Fault("", reason)])
    for one in (path, folder):
        if one.exists() and not replace_old:
            hint = "name another file, or replace it with --replace"
            raise ScenarioError(str(one), [Fault("", "is there already", hint=hint)])
    path.parent.mkdir(parents=True, exist_ok=True)


def scenario_data(
    found: Forecast, desk: Scenario, first: date | None = None
) -> tuple[Data, list[dict[str, Any]]]:
    """Changes of a desk for the days ahead, and its numbers in all versions.

    Raises
    ------
    ScenarioError
        If the desk has recorded arrivals, or another time zone than the history, or the first day
        is not ahead.
    """
    first = found.days[0] if first is None else first
    if first not in found.days:
        reason = f"is not among the days ahead, {found.days[0]} to {found.days[-1]}"
        raise ScenarioError("the forecast", [Fault("from", reason, str(first))])
    if desk.arrivals.kind == "trace":
        reason = "has recorded arrivals; a forecast needs a desk without"
        raise ScenarioError(desk.name, [Fault("arrivals.kind", reason)])
    if desk.time_zone != found.desk.time_zone:
        reason = f"is not that of the history, {found.desk.time_zone}"
        raise ScenarioError(desk.name, [Fault("time_zone", reason, desk.time_zone)])
    lead = max(math.ceil(desk.warm_up / DAY_S), (first - found.days[0]).days)
    start = first - timedelta(days=lead)
    length = (found.days[-1] - start).days + 1
    usual = found.fit.by_weekday()
    # A weekday of which no day was seen is one on which the desk is closed.
    usual[~np.isin(np.arange(7), found.seen.weekday)] = 0.0
    weights, share = _hours(found, usual)
    mean = float(weights.mean())
    chosen = _spread_out(found.paths.mean.sum(axis=1))
    ahead = [start + timedelta(days=k) for k in range(length)]
    each = np.ones((len(chosen), length))
    whole = np.ones(length)
    for k, day in enumerate(ahead):
        if day in found.days and usual[day.weekday()] > 0:
            own = found.paths.mean[:, found.days.index(day)] / usual[day.weekday()]
            own = np.minimum(own, _MOST_FACTOR)
            each[:, k], whole[k] = own[chosen], own.mean()
    factors = _rounded(whole)
    numbers: list[dict[str, Any]] = [
        {
            "key": ["arrivals", "day_factors"],
            "calibrated": factors,
            "versions": [_rounded(row) for row in each],
        }
    ]
    arrivals: Data = {
        "kind": "hourly",
        "rate": f"{mean:.6g}/h",
        "scale": 1.0,
        "growth": 0.0,
        "surges": [],
        "day_factors": factors,
        "week": {"hours": [round(float(one / mean), 4) for one in weights], "days": [1.0] * 7},
    }
    cvs = _day_cvs(found, desk, usual, share)
    if cvs is not None:
        typical = float(f"{np.median(cvs[chosen]):.4g}")
        arrivals["busyness"] = {"cv": typical}
        numbers.append(
            {
                "key": ["arrivals", "busyness", "cv"],
                "calibrated": typical,
                "versions": _rounded(cvs[chosen]),
            }
        )
    count = len(found.days) - found.days.index(first)
    zone = desk.time_zone
    data: Data = {
        "question": f"What comes from {first} to {found.days[-1]}, and is the desk ready for it?",
        "start": start.isoformat(),
        "horizon": whole_days(start, lead + count, zone),
        "warm_up": whole_days(start, lead, zone) if lead else "0s",
        # Two draws of each source within one of the next: as many replications of the outer one.
        "replications": max(desk.replications, _DRAWN * EACH ** (1 + len(sources_of(desk)))),
        "arrivals": arrivals,
    }
    return data, numbers


def _hours(found: Forecast, usual: Floats) -> tuple[Floats, Floats]:
    """Tickets an hour by hour of week, shape (168,); and hours' share of their day, (7, 24)."""
    course = found.came.rates.reshape(7, 24)
    every = course.sum(axis=0)
    every = every / every.sum() if every.sum() > 0 else np.full(24, 1 / 24)
    total = course.sum(axis=1, keepdims=True)
    share = np.where(total > 0, course / np.maximum(total, 1e-12), every)
    return (usual[:, None] * share).ravel(), share


def _spread_out(sizes: Floats) -> Ints:
    """Paths that stand for all: one from each stratum by size, each first few of them spread."""
    order = np.argsort(sizes, kind="stable")
    middle = ((np.arange(VERSIONS) + 0.5) / VERSIONS * len(order)).astype(np.int64)
    turn = np.argsort(np.argsort(np.arange(1, VERSIONS + 1) * _GOLDEN % 1.0))
    found: Ints = order[middle][turn]
    return found


def _day_cvs(found: Forecast, desk: Scenario, usual: Floats, share: Floats) -> Floats | None:
    """Coefficient of variation of days in each path, beyond that of hours; None: days are alike.

    Where calibration found that the roster follows the busy days of a desk, its waits say that
    they are to be left out; the bands of single days in a run are the narrower for it.
    """
    given = desk.arrivals.busyness
    if desk.evidence is not None and (given is None or given.cv is None):
        return None
    # Of many tickets: as their variance over mean is the same on all days, busy ones count most.
    square = (found.paths.dispersion - 1) * usual.sum() / (usual**2).sum()
    if given is not None and given.part_cv is not None:
        hours = int(given.part_s // 3600)
        lag = np.abs(np.subtract.outer(np.arange(24) // hours, np.arange(24) // hours))
        together = np.einsum("di,ij,dj->d", share, given.carried**lag, share)
        square = square - given.part_cv**2 * float(np.average(together, weights=usual))
    cvs: Floats = np.clip(np.sqrt(np.maximum(square, 0.0)), _LEAST_CV, _MOST_CV)
    return cvs


def _rounded(values: Floats | Sequence[float]) -> list[float]:
    return [float(f"{value:.5g}") for value in values]


def _text(found: Forecast, data: Data) -> str:
    whole = found.by_week().iloc[-1]
    head = [
        f"Question: {data['question']}",
        "",
        f"Forecast from {len(found.seen.days)} days of arrivals, {found.seen.days[0]} to "
        f"{found.seen.days[-1]}.",
        f"{found.days[0]} to {found.days[-1]}: {whole['expected']:,.0f} tickets expected; 80 % "
        f"band {whole['low80']:,.0f} to {whole['high80']:,.0f}, 95 % band {whole['low95']:,.0f} to "
        f"{whole['high95']:,.0f}.",
        str(found.held),
        *found.said,
    ]
    lines = "".join(f"# {one_line(line)}\n" if line else "#\n" for line in head)
    comments = {
        "arrivals.rate": "mean of the hours at the level of the history's last day",
        "arrivals.day_factors": f"of each day from {data['start']} on: level, growth, holidays; "
        f"the mean of {VERSIONS} versions",
        "arrivals.busyness.cv": "of days beyond what versions differ by; the middle one of them",
        "replications": "so that versions of the forecast (and of the history) differ enough to "
        "tell how wide the band is",
    }
    return lines + annotated(dump(data), comments)
