"""Arrivals ahead of a history: days and weeks with bands, drawn as ways in which they may go on."""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import isnan

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.history.desk_history import DeskHistory
from twin.history.fit.arrivals import ArrivalsFit, DailyCounts, fit_arrivals, unusual_days
from twin.history.forecast.edges import cut_short, edges
from twin.history.forecast.held import Held, held_on
from twin.history.forecast.level import LevelFit, Paths, fit_level
from twin.history.whole_days import Days
from twin.scenario.model import Scenario

Floats = npt.NDArray[np.float64]
# Fewer days show no week twice.
FEWEST_DAYS = 14
# Days ahead for each of the history, at most: bands were not tested beyond.
_FARTHEST = 2
# Ways that are drawn: bands are their quantiles.
PATHS = 4000
# Of the ways, unless another is given.
SEED = 17
# Bands, in per cent, and their quantiles.
BANDS = {"low95": 0.025, "low80": 0.1, "high80": 0.9, "high95": 0.975}
# A year that was not seen twice says nothing of the season.
_SEASONS = 2 * 365
# Part of the tickets of other days that a quiet weekday has, and tickets of which one surely comes:
# exp(-3) is the chance of none.
_QUIET, _CERTAIN = 0.1, 3.0
# Growth a week in per cent that is none.
_FLAT = 0.05


@dataclass(frozen=True)
class Forecast:
    """Arrivals ahead.

    Attributes
    ----------
    desk : Scenario
        The desk of the history: its time zone and first day.
    seen : DailyCounts
        Days with data that the forecast rests on; none of a weekday on which the desk is closed.
    unusual : tuple of date
        Days with far fewer arrivals than their weekday has: what holidays ahead are taken to be
        like, and in nothing else.
    missing : tuple of date
        Days without data.
    days : tuple of date
        Those ahead.
    holidays : dict of date to float
        Holidays among these, with their share of the usual; missing: as unusual days were.
    paths : Paths
        Ways in which the days may go, holidays included.
    counts : array of float, shape (number, days)
        Tickets of each, with the luck of single days.
    fit : LevelFit
    came : ArrivalsFit
        For the hours of a day.
    held : Held
        What bands of this history held in it: its back-test.
    said : tuple of str
        What to look out for.
    """

    desk: Scenario
    seen: DailyCounts
    unusual: tuple[date, ...]
    missing: tuple[date, ...]
    days: tuple[date, ...]
    holidays: dict[date, float]
    paths: Paths
    counts: Floats
    fit: LevelFit
    came: ArrivalsFit
    held: Held
    said: tuple[str, ...]

    @property
    def basis(self) -> str:
        """Sentence on what was found in the history."""
        fit, seen = self.fit, self.seen
        growth = 100 * fit.growth
        rises = f"{'rises' if growth > 0 else 'falls'} by {abs(growth):.2g} % a week"
        return (
            f"From {len(seen.days)} days with data, {seen.days[0]} to {seen.days[-1]}: the level "
            f"{rises if abs(growth) >= _FLAT else 'neither rises nor falls'}, and moves by about "
            f"{100 * fit.step:.2g} % a week besides; the variance of a day's tickets is "
            f"{fit.dispersion:.2g} times that of chance."
        )

    def by_day(self) -> pd.DataFrame:
        """Each day ahead: day, expected, low95, low80, high80, high95 (tickets), holiday."""
        table = _bands(self.counts, self.paths.mean)
        table.insert(0, "day", list(self.days))
        return table.assign(holiday=[day in self.holidays for day in self.days])

    def by_week(self) -> pd.DataFrame:
        """Weeks from the first day on, and all of it: first, last, days and the columns of days.

        The last row is the whole; the last week may be shorter.
        """
        ends = [(k, min(k + 7, len(self.days))) for k in range(0, len(self.days), 7)]
        parts = [*ends, (0, len(self.days))]
        tables = [
            _bands(
                self.counts[:, low:high].sum(axis=1, keepdims=True),
                self.paths.mean[:, low:high].sum(axis=1, keepdims=True),
            )
            for low, high in parts
        ]
        table = pd.concat(tables, ignore_index=True)
        table.insert(0, "first", [self.days[low] for low, _ in parts])
        table.insert(1, "last", [self.days[high - 1] for _, high in parts])
        table.insert(2, "days", [high - low for low, high in parts])
        return table


def _bands(counts: Floats, mean: Floats) -> pd.DataFrame:
    found = {"expected": mean.mean(axis=0)}
    found |= {name: np.quantile(counts, at, axis=0) for name, at in BANDS.items()}
    return pd.DataFrame(found)


def forecast(
    history: DeskHistory,
    ahead: int = 28,
    holidays: Mapping[date, float] | None = None,
    *,
    number: int = PATHS,
    seed: int | None = None,
) -> Forecast:
    r"""Forecast the arrivals of the days after a history.

    Parameters
    ----------
    history : DeskHistory
    ahead : int
        Days ahead; at most twice as many as the history has with data.
    holidays : mapping of date to float, optional
        Holidays among them, with their share of the usual arrivals; missing (nan): as the unusual
        days of the history were.
    number : int
        Of ways that are drawn.
    seed : int, optional
        Of these.

    Raises
    ------
    ScenarioError
        If the history is too short, or says nothing of holidays.

    Examples
    --------
    >>> import tempfile, twin
    >>> rows = ["case,activity,timestamp"]
    >>> for k in range(280):
    ...     day = f"2026-03-{1 + k % 28:02d}T{8 + k % 9:02d}"
    ...     rows += [f"{k},New,{day}:00:00", f"{k},Resolved,{day}:{10 + k % 40}:00"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open(f"{folder}/log.csv", "w") as file:
    ...         print(*rows, sep="\n", file=file)
    ...     history = twin.read_history(f"{folder}/log.csv", zone="UTC")
    >>> week = twin.forecast(history, ahead=7).by_week().iloc[-1]
    >>> bool(week["low95"] < week["low80"] < 70 < week["high80"] < week["high95"])
    True
    """
    whole = Days.of(history)
    where = "the history" if history.path is None else str(history.path)
    known = int(whole.known.sum())
    _refuse(where, known, ahead)
    at = history.log.tickets["arrived_s"].to_numpy(dtype=np.float64)
    counts = whole.counts(at, history.desk.midnight)
    half_day = counts.days[-1] if cut_short(counts) else None
    if half_day is not None:
        counts = counts.some(np.arange(len(counts.days) - 1))
    odd = unusual_days(counts)
    usual = counts.some(~odd)
    if usual.totals.sum() == 0:
        raise ScenarioError(where, [Fault("tickets", "none came on its whole days")])
    # On a weekday on which nobody ever came, the desk is closed.
    closed = np.bincount(usual.weekday, usual.totals, minlength=7) == 0
    doubted = _perhaps_open(usual, closed)
    usual = usual.some(~closed[usual.weekday])
    first = whole.days[-1] + timedelta(days=1)
    days = tuple(first + timedelta(days=k) for k in range(ahead))
    given = {day: float(share) for day, share in (holidays or {}).items()}
    shares = _holiday_shares(where, given, days, counts, odd)
    rng = np.random.default_rng(np.random.SeedSequence(SEED if seed is None else seed))
    fit = fit_level(usual)
    paths = ahead_of(fit, usual.days[-1], days, number, rng)
    paths.mean[:, closed[[day.weekday() for day in days]]] = 0.0
    for day, seen in shares.items():
        paths.mean[:, days.index(day)] *= rng.choice(seen, number)
    missing = tuple(day for day, there in zip(whole.days, whole.known, strict=True) if not there)
    unusual = tuple(day for day, one in zip(counts.days, odd, strict=True) if one)
    held = held_on(usual, ahead)
    return Forecast(
        history.desk,
        usual,
        unusual,
        missing,
        days,
        given,
        paths,
        paths.counts(rng),
        fit,
        fit_arrivals(counts),
        held,
        (*_said(usual, missing, half_day, ahead, held), *doubted),
    )


def ahead_of(
    fit: LevelFit, last: date, days: Sequence[date], number: int, rng: np.random.Generator
) -> Paths:
    """Paths of days that need not begin on the day after the last one that was fitted."""
    skipped = (days[0] - last).days - 1
    drawn = fit.paths(skipped + len(days), number, rng)
    return Paths(drawn.mean[:, skipped:].copy(), drawn.dispersion)


def _refuse(where: str, known: int, ahead: int) -> None:
    if known < FEWEST_DAYS:
        reason = f"holds {known} whole days with data; a forecast needs at least {FEWEST_DAYS}"
        raise ScenarioError(where, [Fault("days", reason)])
    if not 1 <= ahead <= _FARTHEST * known:
        reason = f"is {ahead} days, and the history holds {known} whole days with data"
        hint = f"at most twice as many days ahead as it holds: 1d to {_FARTHEST * known}d"
        raise ScenarioError(where, [Fault("ahead", reason, hint=hint)])


def _holiday_shares(
    where: str,
    given: Mapping[date, float],
    days: Sequence[date],
    counts: DailyCounts,
    odd: npt.NDArray[np.bool_],
) -> dict[date, Floats]:
    """Shares of the usual that each holiday may have."""
    usual = counts.some(~odd)
    seen = []
    for day, total in zip(counts.some(odd).days, counts.some(odd).totals, strict=True):
        near = [abs((one - day).days) <= 28 and one.weekday() == day.weekday()
                for one in usual.days]  # fmt: skip
        if any(near):
            seen.append(total / max(float(usual.totals[near].mean()), 1e-9))
    found = {}
    for day, share in given.items():
        if day not in days:
            reason = f"is not among the days ahead, {days[0]} to {days[-1]}"
            raise ScenarioError(where, [Fault("holiday", reason, str(day))])
        if isnan(share) and not seen:
            hint = f"say their share of the usual arrivals, as --holiday {day}=20%"
            reason = "the history has no day with far fewer arrivals to learn from"
            raise ScenarioError(where, [Fault("holiday", reason, str(day), hint)])
        if not isnan(share) and not 0 <= share <= 100:
            reason = "its share of the usual arrivals must be from 0 to 100"
            raise ScenarioError(where, [Fault("holiday", reason, str(day))])
        found[day] = np.array(seen if isnan(share) else [share])
    return found


def _perhaps_open(usual: DailyCounts, closed: npt.NDArray[np.bool_]) -> list[str]:
    """Sentences on weekdays that are taken to be closed, and may be quiet, or were not seen."""
    days = np.bincount(usual.weekday, minlength=7)
    quiet = _QUIET * usual.totals[~closed[usual.weekday]].mean()
    found = []
    for k in map(int, np.flatnonzero(closed & (days * quiet < _CERTAIN))):
        name = calendar.day_name[k]
        count = f"{days[k]} {name}s" if days[k] > 1 else name
        why = f"Nobody came on the {count} with data" if days[k] else f"No {name} has data"
        found.append(f"{why}: the desk is taken to be closed then, so no tickets are expected.")
    return found


def _said(
    seen: DailyCounts, missing: Sequence[date], half_day: date | None, ahead: int, held: Held
) -> list[str]:
    said = edges(seen)
    last = seen.days[-1]
    span = (last - seen.days[0]).days + 1
    if half_day is not None:
        said.append(
            f"The last day, {half_day}, ends long before tickets cease to come on others of its "
            "weekday: it counts as not known."
        )
    recent = [day for day in missing if (last - day).days < 7]
    if recent:
        named = ", ".join(map(str, recent))
        said.append(f"No data on {named}: what came just before the days ahead is not known.")
    if span < _SEASONS:
        said.append(
            f"The history spans {span} days: a season of the year (a rise before Christmas, a "
            "summer that is quiet) cannot be told from it, and is not in the bands."
        )
    if ahead * 3 > span:
        said.append(
            f"{ahead} days ahead of {span} is far: the bands rest on how levels of desks move, "
            "not on how this one did."
        )
    if held.warning:
        said.append(held.warning)
    return said
