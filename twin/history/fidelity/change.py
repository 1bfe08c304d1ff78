"""Back-test of a change: what the twin says of it beside what happened.

The twin knows the days before the change. It plays those days, and the days after with the change
as the only difference; the tickets of both come when they came. What it does not know of the desk
is the same in both, and so is not in the difference. Scored is the real change less the predicted
one. Its error is that of days, each left out in turn of the real and the played records alike (the
jackknife), with that of the runs and, where the scenario carries versions, of what its history left
open. A control plays the days after without the change: where it misses nothing either, the days
are no test.

*As predicted* is said where the intervals of all figures together, by Bonferroni's rule, hold no
difference: of 95 in 100 right twins. `tests/test_change.py` measures how often.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.common.text import amount, signed
from twin.experiments.versions import sources
from twin.history.fidelity import rungs, stretch
from twin.history.fidelity.lines import FEWEST_DAYS
from twin.history.fidelity.measures import FIGURES, figures
from twin.history.fidelity.period import Period, period, pooled, with_data
from twin.history.fidelity.records import Recorded
from twin.history.fidelity.words import known_to_twin
from twin.history.told import Told
from twin.scenario.changes import flat
from twin.scenario.model import Scenario, from_data
from twin.stats.intervals import quantile_t
from twin.stats.nested import EACH, parts

Floats = npt.NDArray[np.float64]

LEVEL = 0.95
# Runs of each desk: with versions, ten of these.
RUNS = 20
# Days before and after that count, at most: later ones are seldom the change's.
MOST_DAYS = 28
AS_PREDICTED, OFF, UNKNOWN = "as predicted", "not as predicted", "not known"
_FEWEST_RUNS = 5
# Sections of which each ticket is as it came.
_WITH_TICKETS = ("arrivals.", "backlog.", "tickets.")
_BEFORE, _AFTER, _CONTROL = "before", "after", "after, unchanged"


@dataclass(frozen=True)
class ChangeTest:
    """A change as it was predicted, and as it came.

    Attributes
    ----------
    name : str
        Of the scenario with the change.
    changes : tuple of (str, str, str)
        Key path, value before and after.
    before, after : str
        Their days, in words.
    runs : int
    table : DataFrame
        A row a figure: figure, label, unit, before (real), real (change), real_low, real_high,
        predicted (change), predicted_low, predicted_high, miss (real less predicted), miss_low,
        miss_high (all rows hold together), verdict; and without (the change that the control
        predicts), without_low, without_high (real less that), needed (whether the control is off).
    notes : tuple of str
    """

    name: str
    changes: tuple[tuple[str, str, str], ...]
    before: str
    after: str
    runs: int
    table: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def as_predicted(self) -> bool:
        """True if no figure is off, and one is known; of a right twin in 95 of 100 cases."""
        verdicts = self.table["verdict"]
        return bool((verdicts != OFF).all() and (verdicts == AS_PREDICTED).any())

    @property
    def needed(self) -> bool:
        """True if what happened is not explained without the change."""
        return bool(self.table["needed"].any())

    def sentences(self) -> list[str]:
        """The verdict, in words."""
        shown = ", ".join(f"{key} = {new} (was {old})" for key, old, new in self.changes)
        found = [f"The change: {shown}."]
        off = self.table[self.table["verdict"] == OFF]
        if not len(off) and not self.as_predicted:
            found.append("What happened cannot be judged: no figure has an interval.")
        elif self.as_predicted and self.needed:
            names = ", ".join(self.table["label"][self.table["needed"]])
            found.append(
                f"What happened is as predicted, and not explained without the change ({names})."
            )
        elif self.as_predicted:
            found.append(
                "What happened is as predicted, but no change at all would explain it, too: these "
                "days are no test."
            )
        else:
            said = (
                f"{row['label']} (real {_signed(row, 'real')}, predicted "
                f"{_signed(row, 'predicted')})"
                for row in off.to_dict("records")
            )
            found.append(f"What happened is not as predicted: {', '.join(said)}.")
            if not self.needed:
                found.append("The twin without the change comes nearer.")
        return found


def _signed(row: Mapping[Any, Any], key: str) -> str:
    return signed(float(row[key]), str(row["unit"]))


def back_test(
    scenario: Scenario,
    changed: Scenario,
    history: Recorded,
    at: str,
    *,
    runs: int = RUNS,
    workers: int = 1,
    progress: Callable[[float, int], None] | None = None,
) -> ChangeTest:
    """Predict a change that a history holds, and score it against what happened.

    Parameters
    ----------
    scenario : Scenario
        The twin, calibrated to what lies before the change.
    changed : Scenario
        The same with the change; a file that extends the other's.
    history : Recorded
        Of the days before and after.
    at : str
        First day with the change.
    runs : int
        Of each desk; five or more, eight with versions and ranges.
    workers : int
    progress : callable, optional
        See `twin.run`.

    Raises
    ------
    ScenarioError
        If there is no change, or too few days lie on one side of it.
    ValueError
        If there are too few runs, or one failed.

    Examples
    --------
    >>> import twin
    >>> from twin.history.fidelity.records import Records
    >>> desk = twin.from_data({"horizon": "14d", "arrivals": {"rate": "4/h"},
    ...     "agents": {"all": {"heads": 1, "handle_time": "10min"}}})
    >>> slow = desk.vary({"agents.all.handle_time": "13min"}, name="slow")
    >>> real = Records(twin.simulate(desk, twin.draw(desk, 9)), desk)
    >>> back_test(desk, slow, real, "2026-01-12", runs=5).as_predicted
    False
    """
    differs = _differences(scenario, changed)
    desk = history.desk if isinstance(history.desk, Scenario) else from_data(history.desk)
    log = history.log
    gaps = tuple(day for day in getattr(history, "gaps", ()) if isinstance(day, date))
    days = with_data(log, desk, gaps)
    first = _day(at)
    before = [day for day in days if day < first][-MOST_DAYS:]
    after = [day for day in days if day >= first][:MOST_DAYS]
    for name, some in (("before", before), ("from", after)):
        if len(some) < FEWEST_DAYS:
            reason = f"{len(some)} whole days with data lie {name} it; {FEWEST_DAYS} are needed"
            raise ScenarioError("the history", [Fault("--at", reason, at)])
    wanted = sources(_tested(scenario.as_data().get("uncertainty")))
    least = max(_FEWEST_RUNS, 2 * EACH ** len(wanted))
    if runs < least:
        raise ValueError(f"a change to this desk takes at least {least} runs")
    there = period(log, desk, [*before, *after])
    stretches = {_BEFORE: before, _AFTER: after, _CONTROL: after}
    desks = {_BEFORE: scenario, _AFTER: changed, _CONTROL: scenario}
    with tempfile.TemporaryDirectory() as folder:
        made = {
            name: _given(one, log, desk, stretches[name], name, Path(folder))
            for name, one in desks.items()
        }
        played = rungs.played(made, stretches, runs, workers, progress, Told.of(log))
    real = {_BEFORE: there.on(before), _AFTER: there.on(after)}
    table = _scored(real, played, wanted)
    return ChangeTest(
        changed.name,
        tuple(differs),
        stretch.in_words(before),
        stretch.in_words(after),
        runs,
        table,
        tuple(_notes(scenario, differs, after)),
    )


def _day(text: str) -> int:
    try:
        return date.fromisoformat(text.strip()).toordinal()
    except ValueError:
        fault = Fault("--at", "is no day", text, "give the first day with it, as 2026-03-22")
        raise ScenarioError("the history", [fault]) from None


def _differences(scenario: Scenario, changed: Scenario) -> list[tuple[str, str, str]]:
    old, new = (flat(one.model_dump(mode="json")) for one in (scenario, changed))
    keys = [key for key in dict.fromkeys([*old, *new]) if key not in ("name", "question")]
    found = [(k, old.get(k, "-"), new.get(k, "-")) for k in keys if old.get(k) != new.get(k)]
    if not found:
        raise ScenarioError(changed.name, [Fault("", "changes nothing of the calibrated desk")])
    return found


def _notes(
    scenario: Scenario, differs: Sequence[tuple[str, str, str]], days: Sequence[int]
) -> list[str]:
    found = known_to_twin(scenario, days)
    given = [key for key, _, _ in differs if key.startswith(_WITH_TICKETS)]
    if given:
        found.append(f"Not tested, as the tickets come when they came: {', '.join(given)}.")
    return found


def _given(
    one: Scenario, log: Any, desk: Scenario, days: list[int], name: str, folder: Path
) -> Scenario:
    """The desk over some days, whose tickets come when they came."""
    moved = rungs.at(one, days, name, rungs.lead_of(log, desk, days))
    found = rungs.with_arrivals(moved, log, desk, folder / f"{name}.csv")
    kept = _tested(one.as_data().get("uncertainty"))
    return found if kept is None else from_data(found.as_data() | {"uncertainty": kept}, name)


def _tested(uncertainty: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Section [uncertainty] without what comes with the tickets, which are the real ones."""
    kept = dict(uncertainty or {})
    kept.pop("forecast", None)
    ranges = (kept.pop("assumed", None) or {}).items()
    if assumed := {key: value for key, value in ranges if not key.startswith(_WITH_TICKETS)}:
        kept["assumed"] = assumed
    return kept or None


def _scored(
    real: Mapping[str, Period], played: Mapping[str, Sequence[Period]], wanted: Sequence[str]
) -> pd.DataFrame:
    there = {name: _Residual(real[name], played[name]) for name in (_BEFORE, _AFTER)}
    there[_CONTROL] = _Residual(real[_AFTER], played[_CONTROL])
    names = [
        name
        for name in FIGURES
        if name != "arrivals_a_day" and all(np.isfinite(one.value(name)) for one in there.values())
    ]
    if "abandoned_share" in names and "resolved_a_day" in names:
        # Of tickets that are given, who did not leave was resolved.
        names.remove("resolved_a_day")
    tail = (1 - LEVEL) / (2 * max(len(names), 1))
    rows = []
    for name in names:
        label, unit, _ = FIGURES[name]
        old, new = there[_BEFORE], there[_AFTER]
        row: dict[str, Any] = {"figure": name, "label": label, "unit": unit}
        row["before"] = old.real[name]
        row["real"] = new.real[name] - old.real[name]
        own = old.real_error(name) ** 2 + new.real_error(name) ** 2
        half = float(quantile_t(old.days + new.days - 2, 0.975)) * own**0.5
        row |= {"real_low": row["real"] - half, "real_high": row["real"] + half}
        for key, last in (("predicted", new), ("without", there[_CONTROL])):
            change = last.twin[name] - old.twin[name]
            runs = last.each[name] - old.each[name]
            variance, freedom = _of_runs(runs, wanted)
            errors = [(one.error(name) ** 2, one.days - 1.0) for one in (old, last)]
            errors.append((variance, freedom))
            reach = _reach(errors, tail)
            miss = row["real"] - change
            row[key] = change
            if key == "predicted":
                half = float(quantile_t(freedom, 0.975)) * variance**0.5
                row |= {"predicted_low": change - half, "predicted_high": change + half}
                row |= {"miss": miss, "miss_low": miss - reach, "miss_high": miss + reach}
                row["verdict"] = _verdict(miss, reach)
            else:
                row |= {"without_low": miss - reach, "without_high": miss + reach}
                row["needed"] = bool(abs(miss) > reach)
        rows.append(row)
    columns = [
        "figure", "label", "unit", "before", "real", "real_low", "real_high", "predicted",
        "predicted_low", "predicted_high", "miss", "miss_low", "miss_high", "verdict", "without",
        "without_low", "without_high", "needed",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _verdict(miss: float, reach: float) -> str:
    if not np.isfinite(miss) or not np.isfinite(reach):
        return UNKNOWN
    return OFF if abs(miss) > reach else AS_PREDICTED


def _of_runs(values: Floats, wanted: Sequence[str]) -> tuple[float, float]:
    """Variance of the mean over runs, and of what versions leave open; its degrees of freedom."""
    if wanted:
        split = parts(values[None, :], np.arange(len(values)), wanted)
        return float(split.whole[0]), float(split.freedom[0])
    return float(values.var(ddof=1)) / len(values), len(values) - 1.0


def _reach(errors: Sequence[tuple[float, float]], tail: float) -> float:
    """Half-width of an interval whose variance is a sum, by Satterthwaite (1946)."""
    variance = np.array([one for one, _ in errors])
    shares = variance**2 / np.maximum([free for _, free in errors], 1.0)
    total = float(variance.sum())
    if not total:
        return 0.0
    freedom = total**2 / float(shares.sum())
    return float(quantile_t(freedom, 1 - tail)) * float(np.sqrt(total))


class _Residual:
    """Figures of real days less those of the twin, and their error over days.

    Parameters
    ----------
    real : Period
    twins : sequence of Period
        The same days, a run each.
    """

    def __init__(self, real: Period, twins: Sequence[Period]) -> None:
        together = pooled(twins)
        self.real, self.twin = figures(real), figures(together)
        self.each = {
            name: np.array([one[name] for one in map(figures, twins)]) for name in self.real
        }
        days = real.busy_dates
        self.days = len(days)
        lean, mean = real.lean(), together.lean()
        left = [[day for day in real.dates if day != out] for out in days]
        self._real = [figures(lean.on(rest)) for rest in left]
        self._twin = [figures(mean.on(rest)) for rest in left]

    def value(self, name: str) -> float:
        """The figure's residual."""
        return self.real[name] - self.twin[name]

    def real_error(self, name: str) -> float:
        """Error of the real figure over days."""
        return _jackknife(np.array([one[name] for one in self._real]))

    def error(self, name: str) -> float:
        """Error of the residual over days."""
        pairs = zip(self._real, self._twin, strict=True)
        return _jackknife(np.array([one[name] - other[name] for one, other in pairs]))


def _jackknife(without: Floats) -> float:
    n = len(without)
    return float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))


def cells(found: ChangeTest) -> list[list[str]]:
    """Rows of the table as texts: figure, before, changes, what they miss, control, verdict."""
    rows = []
    for row in found.table.to_dict("records"):
        unit = str(row["unit"])

        def change(key: str, low: str, high: str, row: Any = row, unit: str = unit) -> str:
            ends = (signed(float(row[end]), unit) for end in (low, high))
            return f"{signed(float(row[key]), unit)} ({' to '.join(ends)})"

        rows.append([
            str(row["label"]),
            amount(float(row["before"]), unit),
            change("real", "real_low", "real_high"),
            change("predicted", "predicted_low", "predicted_high"),
            change("miss", "miss_low", "miss_high"),
            signed(float(row["without"]), unit),
            str(row["verdict"]) + ("; off without the change" if row["needed"] else ""),
        ])  # fmt: skip
    return rows
