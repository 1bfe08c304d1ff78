"""Answers in three sentences, of runs and of studies, from figures and their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from twin.common.text import (
    amount,
    estimate,
    in_words,
    interval,
    label,
    level,
)
from twin.experiments.guards import lost_in, unlike
from twin.experiments.rows import resting
from twin.experiments.studies.sensitivity import crossings, effects
from twin.experiments.targets import judged, words
from twin.measures.figures import FIGURES, figure_of
from twin.report import prose
from twin.scenario.model import PRIORITIES, Target
from twin.stats.limits import MET
from twin.stats.verdicts import BETTER, OPEN, UNJUDGED, WORSE

if TYPE_CHECKING:
    from twin.experiments.comparison import Comparison
    from twin.experiments.studies.results import StudyResults
    from twin.report.source import Source

# Main figures that a decision goes by, in this order, where several differ.
DECISIVE = ("solved", "service_level", "human_service_level", "csat_all", "cost_week",
           "cost_per_resolution", "abandonment_rate", "csat", "resolution_mean",
           "first_response_mean", "agent_wait_mean", "backlog", "containment")  # fmt: skip
_MOST = 2
_SENTENCES = 3
# More settings than these are not named in a sentence.
_NAMED = 4


def of_runs(sources: Sequence[Source], comparison: Comparison | None) -> list[str]:
    """Three sentences: the state of one run, or the differences of several from the baseline."""
    if comparison is None:
        source = sources[0]
        found = [_service(source), _work(source), _customers(source)]
        return [sentence for sentence in found if sentence]
    base = next(source for source in sources if source.name == comparison.baseline)
    rows: list[dict[str, Any]] = comparison.table.to_dict("records")  # type: ignore[assignment]
    names = list(dict.fromkeys(row["scenario"] for row in rows))
    shown = [row for row in rows if row["verdict"] == OPEN]
    sides = [
        _side(rows, names, verdict, word, base.name)
        for verdict, word in ((BETTER, "better"), (WORSE, "worse"))
    ]
    end = f"{sides[1]}; "
    if shown:
        end += f"in {len(shown)} of {len(rows)} comparisons no difference is shown"
    else:
        end += f"each of the {len(rows)} comparisons is settled"
    end += _unjudged(rows, names)
    return [f"{base.name}: {_service(base)}", f"{sides[0]}.", f"{end}."]


def of_history(source: Source, tickets: int, periods: str) -> list[str]:
    """Three sentences on a real desk: its load and speed, its backlog and work, its customers."""
    days = in_words(round(source.scenario.horizon / 86400, 1) * 86400)
    came = f"In {days} from {source.scenario.start}, {tickets:,} tickets came"
    if periods != "history":
        came += f" (a {periods.removesuffix('s')}: {source.said('arrivals')})"
    if source.row("first_response_median") is not None:
        came += (
            f"; half got a first response within {source.value('first_response_median')}, "
            f"9 in 10 within {source.value('first_response_p90')}"
        )
    if (level := source.said("service_level")) is not None:
        came += f", and {level} within the promised time"
    speed = [
        ("resolution_median", "half of the resolved tickets took {}"),
        ("backlog", "{} were open on average"),
        ("occupancy", "agents were busy {} of their time on shift"),
        ("agent_wait_mean", "who needed an agent waited {} on average"),
    ]
    found = [f"{came}.", _joined(source, speed), _customers(source)]
    return [sentence for sentence in found if sentence]


def _unjudged(rows: list[dict[str, Any]], names: list[str]) -> str:
    """Differences that are no merit or fault, with the reasons."""
    said = []
    for name in names:
        mine = [r for r in rows if r["scenario"] == name and r["verdict"] == UNJUDGED]
        for reason in dict.fromkeys(row["reason"] for row in mine):
            kpis = list(dict.fromkeys(label(r["kpi"]) for r in mine if r["reason"] == reason))
            more = f" and {len(kpis) - _MOST} more" if len(kpis) > _MOST else ""
            said.append(f"{', '.join(kpis[:_MOST])}{more} of {name} ({reason})")
    return f"; not judged: {'; '.join(said)}" if said else ""


def _side(
    rows: list[dict[str, Any]], names: list[str], verdict: str, word: str, baseline: str
) -> str:
    parts = []
    for name in names:
        mine = [
            row
            for row in rows
            if (row["scenario"], row["verdict"]) == (name, verdict) and row["kpi"] in DECISIVE
        ]
        # What rests on an assumed number comes after what was measured.
        mine.sort(key=lambda row: (bool(row["rests_on"]), DECISIVE.index(row["kpi"])))
        said = [
            f"{prose.name(row['kpi'], row['group'])}: {prose.change(row)}{_beside(row)}"
            for row in mine[:_MOST]
        ]
        if said:
            parts.append(f"{name} is {word} ({'; '.join(said)})")
    if not parts:
        return f"In no main figure is anything shown to be {word} than {baseline}"
    return f"Against {baseline}, {prose.listed(parts)}"


def _beside(row: dict[str, Any]) -> str:
    words = resting(row).removeprefix(", ")
    return f" ({words})" if words else ""


def _service(source: Source) -> str:
    count, level = _plain(source, "arrivals"), _plain(source, "service_level")
    scenario = source.scenario
    start = f"In {in_words(scenario.horizon - scenario.warm_up)}, {count} arrive"
    if source.row("first_response_median") is None:
        return f"{start}, and none gets a response."
    half, nine = ("first_response_median", "first_response_p90")
    times = f"half get a first response {_soon(source, half)}, 9 in 10 {_soon(source, nine)}"
    if level is None:
        return f"{start}; {times}."
    by = {name: source.row("service_level", name) for name in PRIORITIES}
    known = {name: row for name, row in by.items() if row is not None}
    worst = min(known, key=lambda name: known[name]["value"])
    best = max(known, key=lambda name: known[name]["value"])
    text = f"{start} and {level} get their first response within the promised time"
    # Only where luck does not explain it.
    if known[worst]["high"] < known[best]["low"]:
        text += f", of {worst} ones {_plain(source, 'service_level', worst)}"
    people = _plain(source, "human_service_level")
    if people and source.scenario.assistant.role == "full":
        text += f"; of those that need a person, {people} hear from one within it"
    return f"{text}; {times}."


def _soon(source: Source, kpi: str) -> str:
    at_once = source.value(kpi) == "0 s"
    return "at once" if at_once else f"within {_plain(source, kpi) or '-'}"


def _plain(source: Source, kpi: str, group: str = "") -> str | None:
    """A figure in plain words; None where nothing was counted."""
    row = source.row(kpi, group)
    return None if row is None else prose.said(row)


def _work(source: Source) -> str:
    told = [
        ("occupancy", "agents are busy {} of their time on shift"),
        ("away_share", "those who come and go are away for {} of theirs"),
        ("concurrency_mean", "those who may have several tickets in hand have {} while busy"),
        ("agent_wait_mean", "who needs an agent waits {} on average"),
        ("backlog", "{} are open on average"),
    ]
    if source.row("waiting_share") is not None:
        told.append(("resolution_mean", "a resolution takes {} on average"))
        told.append(("waiting_share", "for {} of that the ticket waits for the customer"))
    if source.scenario.assistant.role == "full":
        words = "the assistant resolves {} of the finished tickets on its own"
        told.insert(0, ("containment", words))
    return _joined(source, told)


def _customers(source: Source) -> str:
    told = [
        ("solved", "{} of all customers are helped"),
        ("abandonment_rate", "{} of the finished tickets were given up"),
        ("reopen_rate", "{} of the resolved come back"),
        ("cost_per_resolution", "a resolution costs {}"),
    ]
    # Of a desk whose history does not tell who comes back, none does.
    told = [(kpi, words) for kpi, words in told if kpi != "reopen_rate" or source.any(kpi)]
    stars = _plain(source, "rating_mean")
    if stars:
        words = f"customers give {stars} stars ({{}} of ratings are 4 or 5)"
        told.insert(0, ("csat", words))
    return _joined(source, told)


def _joined(source: Source, told: Sequence[tuple[str, str]]) -> str:
    """A sentence of the figures that were counted, each within its words."""
    parts = [
        words.format(said.removesuffix(" per ticket"))
        for kpi, words in told
        if (said := _plain(source, kpi))
    ]
    if not parts:
        return ""
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"
    return f"{capital(text)}."


def of_study(found: StudyResults) -> list[str]:
    """Three sentences: targets or limits and where they are met, the ends, the strongest factor."""
    summary = found.summary()
    last = _moved(found)
    # Of many points some lie far off by luck: these intervals hold for all points together.
    joint = found.summary(1 - 0.05 / len(found.points))
    told = [*_targets(found, summary), *_limits(found), *_ends(found, summary, joint)]
    return [capital(text) for text in (*told[: _SENTENCES - len(last)], *last)]


def capital(text: str) -> str:
    """Text that begins a sentence."""
    return f"{text[:1].upper()}{text[1:]}"


def at(factors: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Levels of factors in words, as "model small, scale 1.5"."""
    return ", ".join(f"{names[name]} {level(value)}" for name, value in factors.items())


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _rows(summary: pd.DataFrame, name: str) -> pd.DataFrame:
    kpi, group = figure_of(name)
    rows = summary[(summary["kpi"] == kpi) & (summary["group"] == group)]
    return rows[rows["value"].notna()].set_index("point")


def _said(row: Mapping[str, Any]) -> str:
    return estimate(row)


def _targets(found: StudyResults, summary: pd.DataFrame) -> Iterator[str]:
    plan = found.manifest.get("study_as_run", {})
    targets = plan.get("targets", {})
    if not targets:
        return
    points = pd.Index(found.points["point"])
    limits = {name: Target(**target) for name, target in targets.items()}
    met = pd.Series(True, index=points)
    for name, one in limits.items():
        value = _rows(summary, name).reindex(points)["value"]
        met &= value <= one.limit if one.upper else value >= one.limit
    # All points together, by the rule of the first page.
    names = found.points["scenario"].tolist()
    table = judged(found.frame, dict.fromkeys(names, limits), sources=found.sources)
    of_all = (table["verdict"] == MET).groupby(table["scenario"]).all()
    sure = met & of_all.reindex(names).to_numpy(bool)
    wanted = "every target" if len(limits) > 1 else "the target"
    asked = ", ".join(words(row) for row in _records(table.head(len(limits))))
    start = f"{int(met.sum())} of {len(points)} points meet {wanted} ({asked})"
    doubtless = "all" if sure.sum() == met.sum() else str(int(sure.sum()))
    yield f"{start}; for {doubtless} of them the intervals leave no doubt."
    minimise = plan.get("minimise", "cost_week")
    cost, name = _rows(summary, minimise), _name(minimise)
    good = cost[cost.index.isin(points[met])]
    if not len(good):
        yield f"So none can be called the best by {name}."
        return
    best = _records(good.loc[[good["value"].idxmin()]])[0]
    where = at({factor: best[factor] for factor in found.factors}, found.names)
    yield f"Of those that do, {name} is lowest with {where}: {_said(best)}."


def _name(name: str) -> str:
    return label(*figure_of(name))


def _limits(found: StudyResults) -> Iterator[str]:
    for one in found.crossings:
        where = crossings(found, one["kpi"], one["along"], one["limit"])
        limit = amount(one["limit"], FIGURES[figure_of(one["kpi"])[0]].unit)
        yield _crossed(where, found, one, _name(one["kpi"]), limit)


def _crossed(
    where: pd.DataFrame, found: StudyResults, one: Mapping[str, Any], name: str, limit: str
) -> str:
    short = found.names[one["along"]]
    others = [factor for factor in found.factors if factor != one["along"]]
    crossed = _records(where[where["status"] == "crossed"].sort_values("at"))

    def place(row: Mapping[str, Any]) -> str:
        with_what = f" with {at({f: row[f] for f in others}, found.names)}" if others else ""
        return f"at {row['at']:.3g}{with_what}"

    if not crossed:
        stays = " and ".join(f"{s} {limit}" for s in dict.fromkeys(where["status"]))
        return f"along {short}, {name} does not cross {limit}: it is {stays}."
    if len(where) == 1:
        return f"along {short}, {name} crosses {limit} {place(crossed[0])}."
    of = " and ".join(found.names[factor] for factor in others)
    text = f"along {short}, {name} crosses {limit} for {len(crossed)} of {len(where)} settings of "
    ends = [f"{crossed[k]['at']:.3g}" for k in (0, -1)]
    if len(crossed) > 1 and ends[0] == ends[1]:
        text += f"{of}, at about {ends[0]} in each"
        if len(crossed) <= _NAMED:
            text += (
                f" ({'; '.join(at({f: row[f] for f in others}, found.names) for row in crossed)})"
            )
    else:
        text += f"{of}: first {place(crossed[0])}"
        text += f", last {place(crossed[-1])}" if len(crossed) > 1 else ""
    rest = where.loc[where["status"] != "crossed", "status"].value_counts()
    stays = ", ".join(f"{status} for {count}" for status, count in rest.items())
    return f"{text}; it is {stays}." if stays else f"{text}."


def _ends(found: StudyResults, summary: pd.DataFrame, joint: pd.DataFrame) -> list[str]:
    """For each figure where it is best and worst, first what tells most for a decision."""
    limited = {one["kpi"] for one in found.crossings}
    told: list[tuple[bool, int, str, str]] = []
    for name in found.shown:
        rows = _rows(summary, name)
        if name in limited or len(rows) < 2:
            continue
        way = FIGURES[figure_of(name)[0]].better
        lowest, highest = (
            _records(rows.loc[[k]].reset_index())[0]
            for k in (rows["value"].idxmin(), rows["value"].idxmax())
        )
        if lowest["value"] == highest["value"]:
            text = f"{_name(name)} is {_said(lowest)} at every point."
            told.append((True, weight(name), text, ""))
            continue
        first, second = (lowest, highest) if way == "lower" else (highest, lowest)
        flaw = _flaw(found, summary, name, first["point"], second["point"])
        words = ("best", "worst")
        if not way or flaw:
            words = ("lowest", "highest") if way == "lower" else ("highest", "lowest")
        places = [at({f: row[f] for f in found.factors}, found.names) for row in (first, second)]
        both = _rows(joint, name).loc[[lowest["point"], highest["point"]]]
        apart = bool(both["high"].iloc[0] < both["low"].iloc[1])
        if not apart:
            overlap = lowest["high"] >= highest["low"]
            doubt = "their intervals overlap" if overlap else "of so many points that may be luck"
            flaw = f", but {doubt}{flaw}"
        text = (
            f"{_name(name)} is {words[0]} with {places[0]} ({_said(first)}) and {words[1]} with "
            f"{places[1]} ({_said(second)}){flaw}."
        )
        told.append((not apart, weight(name), text, places[0]))
    # Differences that luck does not explain come first, then figures used for decisions.
    told.sort()
    # A second figure that is best elsewhere shows the price of the first.
    told[1:] = sorted(told[1:], key=lambda one: (one[0], one[3] == told[0][3], one[1]))
    return [text for _, _, text, _ in told]


def _flaw(found: StudyResults, summary: pd.DataFrame, name: str, one: Any, other: Any) -> str:
    """Reason not to call a point the best in a figure: it is unlike the other, or by its guards."""
    figure = FIGURES[figure_of(name)[0]]
    names = found.points.set_index("point")["scenario"]
    desks = [found.scenario(names[point]) for point in (one, other)]
    known = [desk for desk in desks if desk is not None]
    reason = unlike(figure, known) if len(known) > 1 else "may differ in load"
    if reason:
        return f"; they {reason}, so neither is called better"
    own = known[-1].targets.matters if known else {}
    reason = lost_in(summary, one, other, own) if figure.guarded else ""
    return f"; the first is not called better, as {reason}" if reason else ""


def weight(name: str) -> int:
    """Rank of a figure among those used for decisions; the same for all others."""
    kpi, _ = figure_of(name)
    return DECISIVE.index(kpi) if kpi in DECISIVE else len(DECISIVE)


def _moved(found: StudyResults) -> list[str]:
    """The factor that moves a figure most, by the linear regression of `twin.effects`."""
    limited = [one["kpi"] for one in found.crossings]
    limited += found.manifest.get("study_as_run", {}).get("targets", {})
    name = limited[0] if limited else min(found.shown, key=weight)
    table = effects(found, [name])
    # Only effects that luck does not explain, of all that are looked at.
    joint = effects(found, [name], 1 - 0.05 / max(len(table), 1))
    shown = (joint["low"] > 0) | (joint["high"] < 0)
    table = table[shown & table["standardised"].notna()]
    if not len(table) or sum(found.points[f].nunique() > 1 for f in found.factors) < 2:
        return []
    row = _records(table.loc[[table["standardised"].abs().idxmax()]])[0]
    short = found.names[row["factor"]]
    change = interval(row | {"difference": row["effect"]})
    if row["level"]:
        text = f"with {row['level']} it differs from the mean of all levels by {change}"
    else:
        text = f"from its smallest to its largest level by {change}"
    return [f"What moves {_name(name)} most is {short}: {text}."]
