"""Advice from verdicts: what to do, what it costs and what it rests on, no surer than they are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.common.files import is_there
from twin.common.text import command
from twin.experiments.comparison import Comparison, compare
from twin.experiments.targets import Answers
from twin.measures.inputs import unset
from twin.report.answer import DECISIVE
from twin.report.prose import between, change, listed, name, said
from twin.stats.limits import MET, MISSED, OPEN
from twin.stats.verdicts import BETTER, UNJUDGED, UNKNOWN, WORSE
from twin.stats.verdicts import OPEN as NOT_SHOWN

if TYPE_CHECKING:
    from twin.experiments.results import Results
    from twin.report.source import Source
    from twin.scenario.model import Scenario

# More figures, keys or notes are counted, not named.
_MOST = 3
# Of more replications than these nobody would wait for the answer.
_TOO_MANY = 100_000
_LOAD = "another load"

Rows = Mapping[str, Mapping[str, Mapping[str, Any]]]


def rows_of(comparison: Comparison | None) -> Rows:
    """Rows of a comparison by scenario and figure."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    if comparison is not None:
        for row in comparison.table.to_dict("records"):
            found.setdefault(row["scenario"], {})[row["kpi"]] = {str(k): v for k, v in row.items()}
    return found


def what_to_do(
    results: Results, sources: Sequence[Source], comparison: Comparison | None, found: Answers
) -> list[str]:
    """Sentences on what follows from the verdicts; nothing that they do not show."""
    base, rows = sources[0].name, rows_of(comparison)
    loads = [one.name for one in sources if _another_load(rows.get(one.name, {}))]
    choices = [one.name for one in sources if one.name not in loads]
    parts = [*(_by_targets(results, choices, found) if found.verdicts else
               _without_targets(base, choices, rows))]  # fmt: skip
    for one in loads:
        verdict = {MET: "every target is met", MISSED: "a target is missed"}.get(
            found.verdicts.get(one, ""), "")  # fmt: skip
        shows = f": {verdict} under it" if verdict else ""
        parts.append(f"{one} plays another load, so it is a test of the desk and no choice{shows}.")
    return parts


def _another_load(rows: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(str(row["reason"]).startswith(_LOAD) for row in rows.values())


def _by_targets(results: Results, choices: Sequence[str], found: Answers) -> Iterator[str]:
    of = {verdict: [one for one in choices if found.verdicts.get(one) == verdict]
          for verdict in (MET, MISSED, OPEN, UNJUDGED)}  # fmt: skip
    alone = len(choices) == 1
    if of[MET]:
        yield from _of_good(results, of[MET], found.level, alone=alone)
    elif of[OPEN]:
        yield f"Decide nothing yet: only {listed(of[OPEN])} may meet every target."
    elif of[UNJUDGED]:
        rest = "; the others miss one" if of[MISSED] else ""
        yield (
            f"Choose none of these yet: {listed(of[UNJUDGED])} would meet every target{rest}, but "
            "customers are lost there, or may be. A target on solved or on the abandonment rate "
            "says how many may be."
        )
    elif of[MISSED]:
        these = choices[0] if alone else "none of these"
        yield (
            f"Change the desk: {these} {'misses' if alone else 'meets'} "
            f"{'a target' if alone else 'every target'}. `twin search` finds the cheapest setting "
            "that meets targets, `twin roster` the agents by half hour."
        )
    for one in of[OPEN]:
        manifest = next(run.manifest for run in results.runs if run.scenario == one)
        yield _to_settle(one, found, manifest)


def _of_good(results: Results, good: Sequence[str], level: float, *, alone: bool) -> Iterator[str]:
    if alone:
        yield (
            f"Keep {good[0]} as it is: it meets every target. Whether fewer agents would do, too, "
            "is told by `twin search`."
        )
        return
    if len(good) == 1:
        yield f"Choose {good[0]}: it is the only one here that is shown to meet every target."
        return
    costs = results.summary()
    costs = costs[(costs["kpi"] == "cost_week") & (costs["group"] == "")].set_index("scenario")
    known = [one for one in good if one in costs.index and costs["value"].notna()[one]]
    if len(known) < len(good):
        yield f"{listed(good)} meet every target; what they cost is not known, so choose by that."
        return
    best = min(good, key=lambda one: float(costs["value"][one]))
    dearer = rows_of(compare(results, best, ["cost_week"], level))
    same = [one for one in good if one != best and dearer[one]["cost_week"]["verdict"] != WORSE]
    if same:
        yield (
            f"Choose {listed([best, *same], 'or')}: they meet every target, and that one of them "
            "costs less is not shown."
        )
        return
    yield f"Choose {best}: of {listed(good)}, which meet every target, it costs least."


def _to_settle(scenario: str, found: Answers, manifest: Any) -> str:
    open_ = [row for row in found.rows(scenario) if row["verdict"] == OPEN]
    # One target that is missed decides; that all are met is known when the last one is.
    missing = [row for row in open_ if (row["value"] > row["limit"]) == row["at_most"]]
    known = [row["more"] for row in missing or open_ if row["more"] == row["more"]]
    more = (min if missing else max)(known, default=math.inf)
    if not more < _TOO_MANY:
        few = any(row["replications"] < 2 for row in open_)
        if few:
            return f"For {scenario}, play several replications: one does not tell."
        return (
            f"For {scenario}, more replications would not tell: what is left open is in the texts, "
            "the history or the assumptions, or the figure lies on its target."
        )
    total = max(row["replications"] for row in open_) + math.ceil(more)
    count = f"{math.ceil(more):,} more replication{'s' * (more > 1)}"
    return f"For {scenario}, about {count} would tell: {_run_again(manifest, total)}."


def _run_again(manifest: Any, replications: int) -> str:
    """A command that plays a scenario again, where its file is still there; else what to do."""
    of = (manifest or {}).get("read_from") or {}
    file, changes = of.get("file"), of.get("set", [])
    good = isinstance(changes, list) and all(isinstance(word, str) for word in changes)
    if not (isinstance(file, str) and good and is_there(file)):
        return f"run its file with `--replications {replications}`"
    sets = [part for change in changes for part in ("--set", change)]
    return f"`{command('twin', 'run', file, *sets, '--replications', replications)}`"


def _without_targets(base: str, choices: Sequence[str], rows: Rows) -> Iterator[str]:
    yield (
        "Say what the desk must reach, and this page answers yes or no: set [targets.figures] in "
        "the scenario, or give --target FIGURE=VALUE to `twin report`."
    )
    for one in choices:
        if one != base and one in rows:
            yield _choice(one, base, rows[one])


def _choice(one: str, base: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """A sentence on one what-if against the baseline, where no target says what is enough."""
    main = [rows[kpi] for kpi in DECISIVE if kpi in rows]
    better, worse = ([name(row["kpi"]) for row in main if row["verdict"] == side]
                     for side in (BETTER, WORSE))  # fmt: skip
    cost = rows.get("cost_week", {"verdict": UNKNOWN})["verdict"]
    if better and not worse:
        if cost in (UNKNOWN, NOT_SHOWN):
            return f"{one} is better in {_few(better)}; what it costs beside {base} is not shown."
        return f"Prefer {one} to {base}: it is better in {_few(better)}, worse in no main figure."
    if worse and not better:
        return f"Keep {base} rather than {one}, which is worse in {_few(worse)}."
    if better and worse:
        return (
            f"{one} is a trade: better in {_few(better)}, worse in {_few(worse)}. A target says "
            "what is enough."
        )
    return f"Between {one} and {base} no difference in a main figure is shown."


def _few(names: Sequence[str]) -> str:
    more = len(names) - _MOST
    return listed([*names[:_MOST], f"{more} more"] if more > 0 else list(names))


def costs(sources: Sequence[Source], comparison: Comparison | None) -> list[str]:
    """Sentences on what a week costs, and by how much the others differ."""
    base, rows = sources[0], rows_of(comparison)
    week = base.row("cost_week")
    if week is None:
        keys = [one.key for one in unset(base.scenario) if "cost_week" in one.figures]
        where = f": set {listed(keys)}" if keys else ""
        return [f"Not known{where}."]
    of = f"{base.name} costs " if len(sources) > 1 else ""
    text = f"{of}{said(week)}{band(week)}"
    models, people = base.row("model_cost"), base.row("human_cost")
    if models and people and models["value"] > 0:
        part = models["value"] / (models["value"] + people["value"])
        spent = said({**week, "value": part * week["value"]}).removesuffix(" a week")
        text += f"; about {spent} of that is for the model"
    parts = [f"{text}."]
    for source in sources[1:]:
        row = rows.get(source.name, {}).get("cost_week")
        own = source.row("cost_week")
        if row is None or own is None:
            continue
        if _another_load(rows[source.name]):
            parts.append(f"{source.name} costs {said(own)}, under another load.")
        elif row["verdict"] in (BETTER, WORSE, UNJUDGED):
            size = {**row, "value": abs(row["difference"]),
                    "low": min(abs(row["low"]), abs(row["high"])),
                    "high": max(abs(row["low"]), abs(row["high"]))}  # fmt: skip
            lost = "; that is no merit, as customers are lost" * (row["verdict"] == UNJUDGED)
            parts.append(f"{source.name} costs {change(row)}{band(size)}{lost}.")
        else:
            parts.append(f"{source.name}: {row['verdict']} in what a week costs.")
    return parts


def band(row: Mapping[str, Any]) -> str:
    """The interval of a cost behind it, in brackets; empty without one."""
    words = between(row)
    band = words.replace(" to ", " and ", 1).removesuffix(" a week")
    return f" (between {band})" if words else ""


def rests_on(
    results: Results,
    sources: Sequence[Source],
    comparison: Comparison | None,
    shown: Sequence[str],
) -> list[tuple[str, str]]:
    """Grounds of a page, (heading, sentence): measured, assumed, and what nothing tells."""
    counts = sorted({source.run.whole for source in sources})
    many = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    played = f"{many} replication{'s' if counts[-1] > 1 else ''}"
    failed = np.sum([source.run.failed for source in sources])
    each = " of each scenario" if len(sources) > 1 else ""
    from_ = [f"the figures are from {played}{each}"]
    if failed:
        from_.append(f"{failed} more failed and are left out")
    notes = () if comparison is None else comparison.notes
    return grounds([source.scenario for source in sources], shown, from_, notes)


def grounds(
    scenarios: Sequence[Scenario], shown: Sequence[str], played: Sequence[str], notes: Sequence[str]
) -> list[tuple[str, str]]:
    """Grounds of figures, (heading, sentence): measured, assumed, and what nothing tells.

    Parameters
    ----------
    scenarios : sequence of Scenario
        The first says what was measured.
    shown : sequence of str
        Names of the figures.
    played : sequence of str
        Parts of a sentence on what the figures are from.
    notes : sequence of str
        Remarks that the reader needs.
    """
    assumed = {
        one.key: f"{one.key} = {one.value}"
        for scenario in scenarios
        for one in unset(scenario)
        if one.value and set(one.figures) & set(shown)
    }
    keys = [*_guessed(scenarios), *{**_ranges(scenarios), **assumed}.values()]
    more = len(keys) - 2 * _MOST
    text = listed([*keys[: 2 * _MOST], f"{more} more"] if more > 0 else keys)
    return [
        ("Measured", f"{'; '.join([*_measured(scenarios[0]), *played])}."),
        ("Assumed", f"{text}." if keys else "no number that carries these figures."),
        ("Not identified", " ".join(_not_identified(scenarios[0], notes))),
    ]


def _guessed(scenarios: Sequence[Scenario]) -> list[str]:
    """Words on models of which nobody measured how good they are."""
    assistants = [scenario.assistant for scenario in scenarios]
    guessed = any(
        one.role != "off" and one.backend == "profile" and one.profile.measured is None
        for one in assistants
    )
    return ["how good the model is (assistant.profile)"] if guessed else []


def _ranges(scenarios: Sequence[Scenario]) -> dict[str, str]:
    """Ranges that are stated of numbers, by key; all intervals hold what they leave open."""
    return {
        key: f"{key} from {low} to {high}"
        for scenario in scenarios
        if scenario.uncertainty is not None
        for key, (low, high) in scenario.uncertainty.assumed.items()
    }


def _measured(scenario: Scenario) -> Iterator[str]:
    if scenario.evidence is not None:
        yield "the desk is fitted to its history"
    elif scenario.arrivals.kind == "trace":
        yield "tickets come as they were recorded; all else is as the scenario file says"
    else:
        yield "nothing at a real desk: all numbers are as the scenario file says"
    assistant = scenario.assistant
    if assistant.role != "off":
        if assistant.backend in ("groq", "replay"):
            yield "the model's answers and times are its own, recorded"
        elif assistant.profile.measured is not None and assistant.backend == "profile":
            yield "the model's quality was measured"


def _not_identified(scenario: Scenario, notes: Sequence[str]) -> Iterator[str]:
    if scenario.evidence is None:
        yield "How near the twin is to a real desk: no history was given to compare it with."
    elif scenario.evidence.assumed:
        yield f"The history does not tell {listed(scenario.evidence.assumed[:_MOST])}."
    yield from (f"{note[:1].upper()}{note[1:].rstrip('.')}." for note in notes[:_MOST])
    if len(notes) > _MOST:
        yield f"{len(notes) - _MOST} more notes are in the whole report."
