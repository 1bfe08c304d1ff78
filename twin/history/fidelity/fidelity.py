"""Fidelity of a twin: its records beside those of the desk, floors, replay and Erlang A."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from twin.common.formulas import harmless
from twin.history.fidelity import inputs as inputs_of
from twin.history.fidelity import lines, rosters, rungs, stretch, verdicts, words
from twin.history.fidelity.measures import (
    FIGURES,
    MEASURES,
    Alike,
    alike,
    by_group,
    compared,
    figures,
    hour_means,
)
from twin.history.fidelity.period import Period, period, pooled, with_data
from twin.history.fidelity.records import Recorded
from twin.history.priorities import with_priorities
from twin.history.told import Told
from twin.records.tables import RunLog
from twin.scenario.model import Scenario, from_data

Progress = Callable[[float, int], None]
# Runs of each rung: a median of fewer says little.
RUNS = 5


@dataclass(frozen=True)
class Fidelity:
    """Distances of a twin from the desk's records, and what is behind them; all as frames.

    Attributes
    ----------
    name : str
        Of the scenario.
    training, test : str
        Their days, in words; training is empty where nothing came before the test.
    runs : int
        Runs of each rung.
    inputs : DataFrame
        See `twin.history.fidelity.inputs.inputs`.
    lines : DataFrame
        A row a line: line, kind (real, floor, replay, formula or twin), a column a measure (the
        twin's are medians over runs) and a column a figure.
    rungs : DataFrame
        A row a rung and measure: rung and the columns of `twin.history.fidelity.verdicts.judged`.
    hours : DataFrame
        A row an hour of the weekdays that are alike: hour, tickets, real (mean wait), twin (mean
        over runs of the forecast), low, high (where the desk's mean wait lies in 95 of 100 cases if
        the twin is right), inside.
    groups : DataFrame
        Measures of the forecast, all runs together, by kind, priority and channel.
    weeks : DataFrame
        A row a week and measure: week (its first day), days, seen (whether it lies before the
        test), measure, unit, value, low, high, replay (of the week before).
    definitions : DataFrame
        Measure, unit, definition.
    culprit : str
        Where the error of the forecast comes from, in a sentence.
    alarm : str
        Sentence on errors that cancel; empty without an alarm.
    notes : tuple of str
        Gaps and all that a reader must know.
    """

    name: str
    training: str
    test: str
    runs: int
    inputs: pd.DataFrame
    lines: pd.DataFrame
    rungs: pd.DataFrame
    hours: pd.DataFrame
    groups: pd.DataFrame
    weeks: pd.DataFrame
    definitions: pd.DataFrame
    culprit: str
    alarm: str
    notes: tuple[str, ...]

    @property
    def leading(self) -> str:
        """The measure that leads: that of waits where they are known."""
        return words.leading(self.rungs)

    def verdict(self, measure: str = "", rung: str = "F") -> str:
        """Verdict on a measure (by default the leading one) of a rung.

        Examples
        --------
        >>> import twin
        >>> from twin.history.fidelity.records import Records
        >>> desk = twin.from_data({"horizon": "14d", "arrivals": {"rate": "4/h"},
        ...     "agents": {"all": {"heads": 1, "handle_time": "10min"}}})
        >>> real = Records(twin.simulate(desk, twin.draw(desk, 9)), desk)
        >>> twin.fidelity(desk, real).verdict("abandonment", rung="V")
        'within the floor'
        """
        table = self.rungs.set_index(["rung", "measure"])
        return str(table.loc[(rung, measure or self.leading), "verdict"])

    def beyond(self, rung: str = "F") -> list[str]:
        """Measures in which a rung is beyond the floor; none of a right twin in 95 of 100 cases.

        Examples
        --------
        >>> import twin
        >>> from twin.history.fidelity.records import Records
        >>> desk = twin.from_data({"horizon": "14d", "arrivals": {"rate": "4/h"},
        ...     "agents": {"all": {"heads": 1, "handle_time": "10min"}}})
        >>> real = Records(twin.simulate(desk, twin.draw(desk, 9)), desk)
        >>> slow = desk.vary({"agents.all.handle_time": "13min"})
        >>> "handle" in twin.fidelity(slow, real).beyond()
        True
        """
        rows = self.rungs[(self.rungs["rung"] == rung).to_numpy()]
        off = ~rows["verdict"].isin([verdicts.WITHIN, verdicts.UNKNOWN]).to_numpy()
        return [str(name) for name in rows["measure"][off]]


def fidelity(
    scenario: Scenario,
    history: Recorded,
    test: str | None = None,
    *,
    runs: int = RUNS,
    workers: int = 1,
    roster: str | Path | None = None,
    sessions: pd.DataFrame | None = None,
    fit: Callable[[date], Scenario] | None = None,
    progress: Progress | None = None,
) -> Fidelity:
    """Compare a twin with a desk's records: inputs, distances, rungs, hours, groups, weeks.

    Parameters
    ----------
    scenario : Scenario
        The twin, made from what lies before the test.
    history : Recorded
        Anything with a `log` and a `desk`.
    test : str, optional
        Days to be predicted: a month (2026-10), a first day, or two days (2026-10-12..2026-10-25);
        by default the last quarter, in whole weeks.
    runs : int
        Of each rung; five or more.
    workers : int
    roster : path, optional
        Roster by date of the test, for the rung with the roster given; it is taken as it is.
    sessions : DataFrame, optional
        Instead of a roster: a row a session of an agent, with pool, start_s and end_s (seconds
        since the start of the history). The twin's heads change as the heads on shift did.
    fit : callable, optional
        Makes the twin anew from what lies before a day: then each of the rolling weeks is predicted
        by a twin that has not seen it.
    progress : callable, optional
        See `twin.run`.

    Returns
    -------
    Fidelity

    Raises
    ------
    ScenarioError
        If the history holds no such days, or a variant of the scenario cannot be played.
    ValueError
        If fewer than five runs are asked for, or one failed.

    Examples
    --------
    >>> import twin
    >>> from twin.history.fidelity.records import Records
    >>> desk = twin.from_data({"horizon": "28d", "arrivals": {"rate": "4/h"},
    ...     "agents": {"all": {"heads": 1, "handle_time": "10min"}}})
    >>> found = twin.fidelity(desk, Records(twin.simulate(desk, twin.draw(desk, 9)), desk))
    >>> found.test, found.verdict()
    ('2026-01-26 to 2026-02-01 (7 days)', 'within the floor')
    """
    if runs < RUNS:
        raise ValueError(f"a median takes at least {RUNS} runs")
    desk = history.desk if isinstance(history.desk, Scenario) else from_data(history.desk)
    log = with_priorities(history.log)
    gaps = tuple(day for day in getattr(history, "gaps", ()) if isinstance(day, date))
    days = with_data(log, desk, gaps)
    there = period(log, desk, days)
    wanted = stretch.tested(test, days)
    trained = stretch.before(days, wanted)
    real, hours = there.on(wanted), alike(there)
    train = there.on(trained) if trained else None
    old = None if train is None else lines.replay(train, real)
    with tempfile.TemporaryDirectory() as folder:
        lead = rungs.lead_of(log, desk, wanted)
        if roster is None and sessions is not None and trained:
            seen = rosters.heads_seen(sessions, desk, [*trained, *wanted])
            roster = Path(folder) / "roster.csv"
            table = rosters.roster_of(scenario, seen, trained, wanted)
            harmless(table).to_csv(roster, index=False)
        scenarios, over = _rungs(scenario, log, desk, trained, wanted, roster, Path(folder))
        later = rolling(scenario, fit, stretch.weeks(days, wanted), wanted, lead)
        scenarios |= {name: one for name, (one, _) in later.items()}
        over |= {name: week for name, (_, week) in later.items()}
        found = rungs.played(scenarios, over, runs, workers, progress, Told.of(log))
    known = there.on([*trained, *wanted])
    apart = lines.random_halves(known, hours)
    tables: dict[str, pd.DataFrame] = {}
    for name in scenarios.keys() - later.keys():
        mine, replayed = (there.on(over[name]), None) if name == rungs.SAMPLE else (real, old)
        bound = verdicts.limits(apart, known.busy_dates, len(mine.busy_dates))
        table = verdicts.judged(mine, found[name], hours, bound, replayed)
        table.insert(0, "rung", name)
        tables[name] = table
    table = pd.concat([tables[n] for n in rungs.WORDS if n in tables], ignore_index=True)
    twins = found[rungs.FORECAST]
    together = pooled(twins)
    given = inputs_of.inputs(real, together, hours, old, known)
    leads = words.leading(table)
    fits = table.set_index(["rung", "measure"]).loc[(rungs.FORECAST, leads), "verdict"]
    off = inputs_of.cancelling(given, str(fits) == verdicts.WITHIN)
    floors = {
        "floor: odd and even days": lines.odd_even(real, hours),
        "floor: every other ticket": compared(
            period(log, desk, wanted, (1, 2)), period(log, desk, wanted, (0, 2)), hours
        ),
    }
    beside, notes = _beside(train, real, hours)
    return Fidelity(
        name=scenario.name,
        training=stretch.in_words(trained) if trained else "",
        test=stretch.in_words(wanted),
        runs=runs,
        inputs=given,
        lines=_lines(real, floors, old, beside, found, table, hours),
        rungs=table,
        hours=_hours(real, twins, hours),
        groups=by_group(real, together, hours),
        weeks=_by_week(there, found, wanted, stretch.weeks(days, wanted), hours),
        definitions=pd.DataFrame(
            [(one.name, one.label, one.unit, one.definition) for one in MEASURES.values()],
            columns=["measure", "label", "unit", "definition"],
        ),
        culprit=words.culprit(table),
        alarm=words.alarm(given, off),
        notes=(
            *words.known_to_twin(scenario, wanted),
            *words.cut_short(stretch.missing(test, wanted)),
            *words.other_desk(scenario, log),
            *words.notes(log, desk, days, wanted, trained, roster, fit is not None),
            *notes,
        ),
    )


def _rungs(
    scenario: Scenario, log: RunLog, desk: Scenario, trained: list[int], wanted: list[int],
    roster: str | Path | None, folder: Path,
) -> tuple[dict[str, Scenario], dict[str, list[int]]]:  # fmt: skip
    """Scenarios of the rungs, and the days that each is judged by."""
    forecast = rungs.at(scenario, wanted, rungs.FORECAST, rungs.lead_of(log, desk, wanted))
    given = rungs.with_arrivals(forecast, log, desk, folder / "test.csv")
    found = {rungs.FORECAST: forecast, rungs.ARRIVALS: given}
    if roster is not None:
        found[rungs.ROSTER] = rungs.with_roster(given, roster)
    days = dict.fromkeys(found, wanted)
    sample = stretch.last_of(trained, wanted)
    if len(sample) >= lines.FEWEST_DAYS:
        seen = rungs.at(scenario, sample, rungs.SAMPLE, rungs.lead_of(log, desk, sample))
        found[rungs.SAMPLE] = rungs.with_arrivals(seen, log, desk, folder / "training.csv")
        days[rungs.SAMPLE] = sample
    return found, days


def rolling(
    scenario: Scenario,
    fit: Callable[[date], Scenario] | None,
    weeks: list[list[int]],
    wanted: list[int],
    lead: int = 0,
) -> dict[str, tuple[Scenario, list[int]]]:
    """Further runs that the rolling weeks take: all with a fit, else those before the test."""
    found = {}
    for week in weeks:
        first = date.fromordinal(week[0])
        if fit is None and week[0] >= wanted[0]:
            continue
        one = scenario if fit is None else fit(first)
        found[f"week {first}"] = (rungs.at(one, week, f"week {first}", lead), week)
    return found


def _by_week(
    there: Period,
    found: Mapping[str, Sequence[Period]],
    wanted: list[int],
    weeks: list[list[int]],
    hours: Alike,
) -> pd.DataFrame:
    rows = []
    for week in weeks:
        first = date.fromordinal(week[0])
        twins = found.get(f"week {first}") or [one.on(week) for one in found[rungs.FORECAST]]
        real = there.on(week)
        source = [day - stretch.WEEK for day in week]
        old = there.on(source).standing_for(dict(zip(week, source, strict=True)))
        table = pd.DataFrame([compared(real, one, hours) for one in twins]).abs()
        replayed = compared(real, old, hours)
        for name, measure in MEASURES.items():
            value, low, high = verdicts.middle(table[name].tolist())
            rows.append((first, len(week), week[0] < wanted[0], name, measure.unit, value, low,
                         high, abs(replayed[name])))  # fmt: skip
    columns = ["week", "days", "seen", "measure", "unit", "value", "low", "high", "replay"]
    return pd.DataFrame(rows, columns=columns)


def _beside(train: Period | None, real: Period, hours: Alike) -> tuple[Period | None, list[str]]:
    """Erlang A by hour, or a note why there is none."""
    if train is None:
        return None, []
    why = lines.one_touch(train)
    formula = None if why else lines.erlang_by_hour(train, real, hours)
    if formula is None:
        return None, [f"No Erlang A: {why or 'no hour has enough tickets'}."]
    return formula, []


def _lines(
    real: Period,
    floors: Mapping[str, Mapping[str, float]],
    old: Period | None,
    formula: Period | None,
    found: Mapping[str, Sequence[Period]],
    table: pd.DataFrame,
    hours: Alike,
) -> pd.DataFrame:
    nothing = dict.fromkeys([*MEASURES, *FIGURES], math.nan)
    rows: list[dict[str, Any]] = [{"line": "real", "kind": "real"} | nothing | figures(real)]
    rows += [{"line": n, "kind": "floor"} | nothing | dict(found) for n, found in floors.items()]
    for name, one, kind in (("replay", old, "replay"), ("Erlang A by hour", formula, "formula")):
        if one is not None:
            measured = compared(real, one, hours)
            rows.append({"line": name, "kind": kind} | nothing | measured | figures(one))
    for rung in dict.fromkeys(table["rung"]):
        if rung == rungs.SAMPLE:
            continue
        mine = table[table["rung"] == rung].set_index("measure")["signed"].to_dict()
        middle = pd.DataFrame([figures(one) for one in found[rung]]).median().to_dict()
        rows.append({"line": f"twin, {rung}", "kind": "twin"} | nothing | mine | middle)
    return pd.DataFrame(rows)


def _hours(real: Period, twins: Sequence[Period], hours: Alike) -> pd.DataFrame:
    number, mean = hour_means(real, hours)
    each = np.array([hour_means(one, hours)[1] for one in twins])
    rows = []
    for hour in hours.hours:
        value, low, high = verdicts.next_one(each[:, hour])
        wait = float(mean[hour])
        rows.append((hour, int(number[hour]), wait, value, low, high, low <= wait <= high))
    columns = ["hour", "tickets", "real", "twin", "low", "high", "inside"]
    return pd.DataFrame(rows, columns=columns)
