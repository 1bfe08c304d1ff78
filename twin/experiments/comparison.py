"""Differences of what-ifs from a baseline, with their intervals and verdicts, in plain words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from twin.common.errors import nearest
from twin.common.text import duration, label
from twin.experiments import versions
from twin.experiments.display import comparison_html
from twin.experiments.evidence import assumed_figures, evidence_notes, unseen_changes
from twin.experiments.guards import lost
from twin.experiments.remarks import same_by_assumption
from twin.experiments.results import Results
from twin.experiments.rows import sentence
from twin.measures.figures import FIGURES, GUARDS, JUDGED, figure_of
from twin.scenario.changes import flat
from twin.scenario.model import Targets
from twin.stats.differences import differences
from twin.stats.verdicts import (
    BETTER,
    EQUAL,
    HIGHER,
    LOWER,
    UNJUDGED,
    WORSE,
    verdict,
)

if TYPE_CHECKING:
    from twin.experiments.results import Run

_CONDITIONS = {
    "seed": "another seed",
    "start": "another start",
    "time_zone": "another time zone",
    "horizon_s": "another horizon",
    "warm_up_s": "another warm-up",
    "code": "another version of the twin's code or of its packages",
    "uncertainty": "other versions of what is not known for sure",
}


@dataclass(frozen=True)
class Comparison:
    """Differences of what-if scenarios from a baseline.

    Attributes
    ----------
    table : DataFrame
        A row a scenario and figure: scenario, kpi, group, unit, baseline, what_if, difference,
        low, high, p, p_adjusted, verdict, reason, rests_on, replications, more_replications,
        paired, matters. See `twin.stats.differences` for the numbers. Verdicts: better, worse
        (higher, lower for figures without a better direction), no difference shown, no difference
        that matters (the whole interval is within `matters`), equal (in every replication; what
        is too rare to have come is not ruled out), not known (no data, or too few replications),
        not judged (a difference that is no merit or fault: customers were lost, or another load
        came; `reason` says which). `rests_on` names the keys of assumed numbers that carry the
        figure.
    baseline : str
    level : float
        Joint level of all rows.
    notes : tuple of str
        What is not paired, and why; what the history of a calibrated desk says of the changes; and
        where versions are played, what most of the intervals comes from.
    """

    table: pd.DataFrame
    baseline: str
    level: float
    notes: tuple[str, ...]

    def _repr_html_(self) -> str:
        return comparison_html(self.table, self.baseline, self.method, self.notes)

    @property
    def method(self) -> str:
        """The method of the verdicts and intervals."""
        paired = self.table["paired"]
        if paired.all():
            how = "paired differences under common random numbers"
        else:
            how = "differences" if paired.any() else "differences of runs that do not pair (Welch)"
        count = int(self.table["p"].notna().sum())
        level = f"{100 * self.level:.4g}%"
        held = f"{how}; {level} interval"
        if count != 1:
            held = (
                f"{how}; over all {count} figures together, intervals hold with {level} and "
                f"verdicts err with at most {100 - 100 * self.level:.3g}% (Bonferroni)"
            )
        return (
            f"{held}; better is said only where {', '.join(map(label, GUARDS[:-1]))} and "
            f"{label(GUARDS[-1])} did not get worse (their joint {level} intervals)"
        )

    def sentences(self) -> list[str]:
        """A sentence for each figure that differs or is open, scenario by scenario.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> busier = desk.vary({"arrivals.scale": 1.5}, name="busier")
        >>> found = twin.compare(twin.run([desk, busier], replications=5), kpis=["occupancy"])
        >>> found.sentences()[0].partition(":")[0]
        'busier'
        """
        return [sentence(row) for row in _records(self.table) if row["verdict"] != EQUAL]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def compare(
    results: Results,
    baseline: str | None = None,
    kpis: Sequence[str] | None = None,
    level: float = 0.95,
    matters: Mapping[str, float] | None = None,
) -> Comparison:
    """Compare what-if scenarios with a baseline.

    Replications pair where both runs had the same seed, window of time and code; elsewhere the
    notes say why not, and the intervals are those of unrelated runs, which are wider.

    Parameters
    ----------
    results : Results
        Of two or more scenarios; of several runs: `twin.experiments.comparison.join`.
    baseline : str, optional
        Name of the scenario to compare with; by default "baseline" if there is one, else the first.
    kpis : sequence of str, optional
        Figures ("service_level") or figures and groups ("service_level:urgent"); by default the
        main ones that have a better direction, of all tickets. Fewer make narrower intervals.
    level : float
        Joint confidence level of all rows.
    matters : mapping of str to float, optional
        Smallest difference that matters by figure ("service_level", "service_level:urgent"), in
        its unit; by default that of the baseline's ``targets.matters``, else of
        `twin.measures.figure.Figure`.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If there is nothing to compare, or a name is unknown, also that of a group.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> busier = desk.vary({"arrivals.scale": 1.5}, name="busier")
    >>> found = twin.compare(twin.run([desk, busier], replications=5), kpis=["occupancy"])
    >>> str(found.table.at[0, "verdict"])
    'higher'
    """
    runs = {run.scenario: run for run in results.runs}
    there = list(dict.fromkeys(results.kpis["scenario"]))
    if baseline is None:
        baseline = "baseline" if "baseline" in runs else results.runs[0].scenario
    if baseline not in runs:
        raise ValueError(f"no scenario {baseline!r}; {nearest(baseline, runs)}")
    if baseline not in there or len(there) < 2:
        raise ValueError("a comparison needs two scenarios with a whole replication each")
    rows = [(name, "") for name in JUDGED]
    if kpis is not None:
        rows = _rows(kpis, results.kpis)
    paired, notes = {}, []
    for name in there:
        if name == baseline:
            continue
        reasons = unpaired_reasons(runs[baseline], runs[name])
        left_out, common = _unshared(results.kpis, baseline, name)
        if common < 2:
            reasons.append("fewer than two replications in common")
        elif left_out and not reasons:
            notes.append(
                f"{name}: {left_out} replications without a partner in the other are left out"
            )
        paired[name] = not reasons
        if reasons:
            notes.append(
                f"{name} and {baseline} do not pair ({', '.join(reasons)}): "
                "intervals are those of unrelated runs, which are wider"
            )
    notes += evidence_notes(runs[baseline], [runs[name] for name in paired])
    # Also of pairs whose ranges differ: there the key's own value is not played either.
    notes += unseen_changes(runs[baseline], [run for name, run in runs.items() if name != baseline])
    notes += same_by_assumption(runs[baseline], [runs[name] for name in paired])
    same_texts = {name: _corpus(runs[name]) == _corpus(runs[baseline]) for name in paired}
    sizes = _sizes(runs[baseline], matters or {})

    def differ(wanted: Sequence[tuple[str, str]]) -> pd.DataFrame:
        return differences(results.kpis, baseline, wanted, paired, level, same_texts,
                           [sizes(*row) for row in wanted], results.sources)  # fmt: skip

    table = differ(rows)
    watched = _records(differ([(name, "") for name in (*GUARDS, "arrivals")]))
    terms = {
        name: _Reasons.of(runs[baseline], runs[name],
                          {row["kpi"]: row for row in watched if row["scenario"] == name}, level)
        for name in paired
    }  # fmt: skip
    judged = [terms[row["scenario"]].judge(row, level) for row in _records(table)]
    at = list(table).index("p_adjusted") + 1
    table.insert(at, "verdict", [found for found, _ in judged])
    table.insert(at + 1, "reason", [reason for _, reason in judged])
    carried = {name: assumed_figures([runs[baseline], runs[name]]) for name in paired}
    table.insert(at + 2, "rests_on", [
        ", ".join(carried[name].get(kpi, ()))
        for name, kpi in zip(table["scenario"], table["kpi"], strict=True)
    ])  # fmt: skip
    notes += versions.spend(table, list(table["kpi"]), "differences")
    return Comparison(table, baseline, level, tuple(notes))


def _sizes(base: Run, given: Mapping[str, float]) -> Callable[[str, str], tuple[float, float]]:
    """Smallest difference that matters, of a figure and group: absolute, and relative."""
    targets = base.manifest.get("scenario_as_run", {}).get("targets", {})
    own = Targets.model_validate({"matters": targets.get("matters", {})}).matters
    for name, size in given.items():
        figure_of(name)
        if not size > 0:
            raise ValueError(f"matters: {name} must be above 0")
    known = {figure_of(name): float(size) for name, size in {**own, **given}.items()}

    def size_of(kpi: str, group: str) -> tuple[float, float]:
        size = known.get((kpi, group), known.get((kpi, "")))
        return FIGURES[kpi].matters if size is None else (size, 0.0)

    return size_of


@dataclass(frozen=True)
class _Reasons:
    """Reasons not to judge a scenario: customers are lost, other tickets came or need a person."""

    guards: str
    load: str
    assistant: str

    @classmethod
    def of(
        cls, base: Run, run: Run, watched: Mapping[str, Mapping[str, Any]], level: float
    ) -> _Reasons:
        keys = _changed(base, run, "assistant")
        # Other tickets are left for people, so a better figure of theirs is no merit.
        other = f"other tickets need a person ({', '.join(keys[:3])})" if keys else ""
        return cls(lost(watched), _load(base, run, watched.get("arrivals"), level), other)

    def judge(self, row: Mapping[str, Any], level: float) -> tuple[str, str]:
        """Verdict on a row, and the reason where it is not judged."""
        figure = FIGURES[row["kpi"]]
        found = verdict(row, figure.better, level)
        if found in (BETTER, WORSE) and figure.follows_load and self.load:
            return UNJUDGED, self.load
        if found == BETTER and figure.needs_person and self.assistant:
            return UNJUDGED, self.assistant
        if found == BETTER and figure.guarded and self.guards:
            return UNJUDGED, self.guards
        return found, ""


def _changed(base: Run, run: Run, section: str) -> list[str]:
    """Keys of a section in which two runs differ, by their manifests."""
    asked = [one.manifest.get("scenario_as_run") for one in (base, run)]
    if None in asked:  # runs that were put together by hand
        return []
    old, new = (flat({section: (data or {}).get(section, {})}) for data in asked)
    return [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]


def _load(base: Run, run: Run, row: Mapping[str, Any] | None, level: float) -> str:
    """Reason why figures that follow the load are not judged; empty under the same load."""
    if keys := [*_changed(base, run, "arrivals"), *_changed(base, run, "backlog")]:
        return f"another load ({', '.join(keys[:3])})"
    if row is None or math.isnan(row["p"]):
        return "not known whether the same load came"
    if verdict(row, "", level) in (HIGHER, LOWER):
        return f"another load, {row['what_if']:,.0f} tickets against {row['baseline']:,.0f}"
    return ""


def _rows(names: Iterable[str], kpis: pd.DataFrame) -> list[tuple[str, str]]:
    """Figures and groups by their names, each once; of groups that are there."""
    rows = list(dict.fromkeys(map(figure_of, names)))
    for kpi, group in rows:
        groups = set(kpis.loc[(kpis["kpi"] == kpi).to_numpy(), "group"])
        if group not in groups:
            hint = nearest(group, groups - {""}) or "it has no groups"
            raise ValueError(f"no group {group!r} of {kpi} in these results: {hint}")
    return rows


def _corpus(run: Run) -> str | None:
    """Hash of the texts that a run's customers send."""
    files = run.manifest.get("files", {})
    found = files.get("arrivals.trace") or files.get("tickets.corpus")
    return None if found is None else str(found)


def unpaired_reasons(first: Run, second: Run) -> list[str]:
    """Reasons why replications of two runs are not the same customers on the same days, if any.

    Runs from before manifests knew are taken not to be.
    """
    known = [run.manifest.get("pairs_by") for run in (first, second)]
    if not known[0] or not known[1]:
        return ["an old run that does not say what it was played with"]
    return [
        f"{reason} ({_plainly(key, known[0].get(key))} and {_plainly(key, known[1].get(key))})"
        for key, reason in _CONDITIONS.items()
        if known[0].get(key) != known[1].get(key)
    ]


def _plainly(key: str, value: Any) -> str:
    return duration(value) if key.endswith("_s") and value is not None else str(value)


def _unshared(kpis: pd.DataFrame, first: str, second: str) -> tuple[int, int]:
    """Numbers of replications that only one of two scenarios has, and that both have."""
    numbers = [set(kpis.loc[kpis["scenario"] == name, "replication"]) for name in (first, second)]
    return len(numbers[0] ^ numbers[1]), len(numbers[0] & numbers[1])


def join(parts: Sequence[Results]) -> Results:
    """Results of several calls as one; a scenario that comes again is called "name (2)"."""
    kpis: list[pd.DataFrame] = []
    failures: list[pd.DataFrame] = []
    checks: list[pd.DataFrame] = []
    runs = []
    seen: dict[str, int] = {}
    for part in parts:
        names = {}
        for run in part.runs:
            seen[run.scenario] = count = seen.get(run.scenario, 0) + 1
            names[run.scenario] = run.scenario if count == 1 else f"{run.scenario} ({count})"
            runs.append(replace(run, scenario=names[run.scenario]))
        own = (part.kpis, part.failures, part.table("sanity"))
        for frames, frame in zip((kpis, failures, checks), own, strict=True):
            frames.append(frame.assign(scenario=frame["scenario"].map(names).astype("str")))
    joined = (pd.concat(frames, ignore_index=True) for frames in (kpis, failures, checks))
    kpi_frame, failure_frame, check_frame = joined
    return Results(kpi_frame, failure_frame, tuple(runs), _checks=check_frame)
