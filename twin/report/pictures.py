"""The figures of a run, each drawn from its frame and described in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twin.common.text import amount, duration
from twin.measures import series
from twin.records import tables
from twin.report import plots
from twin.report.far_source import EARLY
from twin.report.plots import differences as forests
from twin.report.plots import lives, over_time, quality
from twin.scenario.clock import DAY_S, local

if TYPE_CHECKING:
    from twin.experiments.comparison import Comparison
    from twin.report.source import Source

_TICKETS = ("ticket_id", "arrived_s", "category_true", "priority", "channel", "category",
            "categorized_by", "responded_s", "resolved_s", "resolved_by", "transfers", "reopens",
            "status")  # fmt: skip
# Of tickets of which the lives are told.
_TOLD = ("ticket_id", "arrived_s", "status", "resolved_s", "resolved_by", "transfers", "reopens")
_MOST_INTERVALS = 120
_WAITING = tables.STATUSES[tables.WAITING_FOR_CUSTOMER]
# The share of tickets whose time is said beside curves.
_MOST_OF = 0.9
# Means from it on are told without decimals: with one they would be 10.0 or more.
_WHOLE = 9.95
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Picture:
    """A figure for the page.

    Attributes
    ----------
    name : str
        Letters, digits and hyphens, once in a page.
    title, alt : str
        Heading, and a description of the figure in words.
    svg : str
        An ``<svg>`` element.
    """

    name: str
    title: str
    alt: str
    svg: str


def drawn(
    name: str, title: str, alt: str, draw: Callable[[Any], object], height: float = 3.1
) -> Picture:
    """A figure drawn for the page."""
    return Picture(name, title, alt, plots.svg(draw, name, height))


def of_run(source: Source, prefix: str, brief: bool = False) -> Iterator[Picture]:
    """The figures of one run, in brief the main ones; those without data are left out.

    Tables are read one after another, a few columns each: a run may hold millions of tickets.
    """
    scenario = source.scenario
    tickets = source.sampled("tickets", _TICKETS)
    yield from _flows(source, prefix)
    yield from _times(source, tickets, prefix, brief)
    if brief:
        yield from _stars(source, prefix)
        return
    yield from _statuses(source, prefix)
    yield from _stars(source, prefix)
    yield from _ratings(source, tickets, prefix)
    if (tickets["categorized_by"] == "assistant").any():
        frame = series.confusion(tickets, scenario)
        height = quality.confusion_height(frame["true"].nunique())
        alt = _confusion_alt(frame, source)
        yield drawn(f"{prefix}-confusion", "Categories: true and given", alt,
                    lambda ax: plots.confusion(frame, ax), height)  # fmt: skip
    del tickets
    yield from _calls(source, prefix)


def _clock(source: Source) -> dict[str, Any]:
    return {"start": source.scenario.midnight, "warm_up_s": source.scenario.warm_up}


def _every(source: Source) -> float:
    """Length of the intervals of figures over time: no finer than a page shows."""
    return series.interval_length(source.scenario.horizon, most=_MOST_INTERVALS)


def _when(source: Source, start_s: float, end_s: float) -> str:
    length_s = end_s - start_s
    if length_s >= DAY_S or source.scenario.horizon > 14 * DAY_S:
        # By its middle: a day of 86,400 s may begin at 23:00 of the day before.
        day = local(start_s + min(length_s, DAY_S) / 2, source.scenario.midnight)
        return f"{day.day} {day:%B}"
    then = local(start_s, source.scenario.midnight)
    return f"{_DAYS[then.weekday()]} at {then:%H:%M}"


def _peak(frame: pd.DataFrame, source: Source) -> tuple[float, str]:
    """Highest mean after warm-up, and when."""
    later = frame[frame["start_s"] >= source.scenario.warm_up]
    top = later.iloc[int(later["mean"].argmax())]
    return float(top["mean"]), _when(source, float(top["start_s"]), float(top["end_s"]))


def _size(mean: float) -> str:
    """A mean in words: a small one is no whole number."""
    return f"{mean:.0f}" if mean >= _WHOLE or mean == round(mean) else f"{mean:.1f}"


def _seen(frame: pd.DataFrame, source: Source) -> pd.DataFrame:
    """A frame over time with what lies in stretches without data missing."""
    middle = (frame["start_s"] + frame["end_s"]) / 2
    for start_s, end_s in source.gaps:
        frame.loc[(middle >= start_s) & (middle < end_s), "mean"] = np.nan
    return frame


def _flows(source: Source, prefix: str) -> Iterator[Picture]:
    scenario, clock = source.scenario, _clock(source)
    pieces = source.pieces("tickets", ["arrived_s", "resolved_s", "status"])
    flows = _seen(
        series.throughput(pieces, scenario.horizon, _every(source), scenario.midnight), source
    )
    peaks = [_peak(flows[flows["flow"] == flow], source) for flow in ("arrivals", "resolved")]
    alt = (
        f"Lines over the run. Arrivals peak at {_size(peaks[0][0])} an hour ({peaks[0][1]}), "
        f"resolved tickets at {_size(peaks[1][0])} an hour ({peaks[1][1]})."
    )
    yield drawn(f"{prefix}-throughput", "Arrivals and throughput", alt,
                lambda ax: plots.throughput(flows, ax, **clock))  # fmt: skip
    yield levels_picture(source, prefix)


def levels_picture(source: Source, prefix: str) -> Picture:
    """Open tickets over the run, and the agents below them."""
    clock = _clock(source)
    levels = series.levels_over_time(
        partial(source.pieces, "levels", ["start_s", "end_s", "level", "mean"]),
        _every(source),
        source.scenario.midnight,
    )
    levels = _seen(levels, source)
    top, when = _peak(levels[levels["level"] == "backlog"], source)
    alt = f"Lines over the run. Open tickets peak at {_size(top)} ({when})"
    alt += ", on average of replications" if source.averaged else ""
    staffed = levels[levels["level"] == "staffed"]
    alt += f"; up to {_size(staffed['mean'].max())} agents are on shift" if len(staffed) else ""
    away = levels[levels["level"] == "away"]
    alt += f", up to {away['mean'].max():.1f} of them away." if len(away) else "."
    return drawn(f"{prefix}-backlog", "Backlog and staffing", alt,
                 lambda ax: plots.backlog(levels, ax, **clock),
                 over_time.backlog_height(bool(len(staffed))))  # fmt: skip


def _statuses(source: Source, prefix: str) -> Iterator[Picture]:
    columns = ["ticket_id", "time_s", "status", "detail"]
    statuses = series.statuses(
        source.sampled("timeline", columns),
        source.scenario.horizon,
        _every(source),
        source.scenario.midnight,
    )
    statuses["mean"] *= source.one_in
    colours = over_time.status_colours(statuses)
    statuses = statuses[statuses["status"].isin(series.OPEN_STATUSES)]
    share = statuses.groupby("name")["mean"].sum()
    share = share[share > 0].sort_values(ascending=False) / max(share.sum(), 1e-9)
    names = ", ".join(f"{name} {part:.0%}".replace("%", " %") for name, part in share.items())
    alt = f"Stacked areas over the run. Of the time tickets are open they are: {names or 'none'}."
    look = _clock(source) | {"colours": colours}
    yield drawn(f"{prefix}-statuses", "Open tickets by status", alt,
                lambda ax: plots.statuses(statuses, ax, **look))  # fmt: skip
    yield from _lives(source, prefix, colours)


def stories(source: Source) -> pd.DataFrame:
    """One ticket for each way in which tickets end, of those whose texts were exported."""
    one = source.early("tickets", _TOLD)
    one = one[one["arrived_s"] >= source.scenario.warm_up]
    waited: Iterable[int] = ()
    if source.scenario.touches is not None:
        timeline = source.early("timeline", ["ticket_id", "status"])
        waited = timeline.loc[timeline["status"] == _WAITING, "ticket_id"].unique()
    return series.stories(one.head(EARLY), waited)


def _lives(source: Source, prefix: str, colours: dict[str, str]) -> Iterator[Picture]:
    told = stories(source)
    if not len(told):
        return
    frame = series.ticket_lives(
        source.early("timeline", ["ticket_id", "time_s", "status", "detail"]),
        told,
        source.scenario.horizon,
        # Nobody closes a call: it ends as it is resolved, not with the history.
        stays_resolved=source.averaged,
    )
    parts = [
        f"#{number} {rows['story'].iloc[0]}, {amount(float(rows['end_s'].max()), 's')} in all"
        for number, rows in frame.groupby("ticket_id", sort=False)
    ]
    yield drawn(
        f"{prefix}-lives",
        "The life of single tickets",
        f"Bars of statuses, a ticket each: {'; '.join(parts)}.",
        lambda ax: plots.ticket_lives(frame, ax, colours=colours),
        lives.lives_height(len(told)),
    )  # fmt: skip


def _times(source: Source, tickets: pd.DataFrame, prefix: str, brief: bool) -> Iterator[Picture]:
    scenario = source.scenario
    for of, name, title in (
        ("first response", "response", "Time to first response"),
        ("resolution", "resolution", "Time to resolution"),
    ):
        if brief and of == "resolution":
            continue
        frame = series.response_times(tickets, scenario, of)  # type: ignore[arg-type]
        if not len(frame):
            continue
        kpi = "service_level" if of == "first response" else "resolution_within_target"
        parts = []
        for priority in dict.fromkeys(frame["priority"]):
            target_s = float(frame.loc[frame["priority"] == priority, "target_s"].iloc[0])
            kept = source.value(kpi, str(priority))
            if target_s == target_s and kept != "-":
                parts.append(f"{priority}: {kept} within {duration(target_s)}")
        targets = scenario.targets
        first = of == "first response"
        by_channel = targets.first_response_by_channel if first else targets.resolution_by_channel
        for channel, seconds in by_channel.items():
            if (kept := source.value(kpi, channel)) != "-":
                parts.append(f"{channel}, in every priority: {kept} within {duration(seconds)}")
        pauses = targets.pauses if of == "resolution" else []
        none = "No time is promised"
        if pauses:
            none = f"Times are whole; what is promised leaves out: {', '.join(pauses)}"
        alt = f"Curves by priority. {'; '.join(parts) or none}."
        yield drawn(f"{prefix}-{name}", title, alt,
                    lambda ax, f=frame, o=of: plots.response_times(f, ax, of=o))  # type: ignore[misc]  # fmt: skip
    if not scenario.targets.first_response:
        return
    week = series.service_by_hour(tickets, scenario)
    known = week.dropna(subset="share")
    if len(known):
        worst = known.iloc[int(known["share"].argmin())]
        alt = (
            f"Heat map by day and hour of arrival. Lowest is {worst['share']:.0%} for arrivals on "
            f"{_DAYS[int(worst['day'])]} in the hour from {int(worst['hour']):02d}:00, highest "
            f"{known['share'].max():.0%}."
        ).replace("%", " %")
        yield drawn(f"{prefix}-service", "First response within target, by hour of arrival", alt,
                    lambda ax: plots.service_by_hour(week, ax), 2.5)  # fmt: skip


def responses(sources: Sequence[Source]) -> list[Picture]:
    """Time to first response of scenarios, all tickets of each as one curve, in one figure."""
    parts, said = [], []
    for source in sources:
        tickets = source.sampled("tickets", _TICKETS).assign(priority=None)
        curve = series.response_times(tickets, source.scenario)
        if not len(curve):
            continue
        parts.append(curve.assign(scenario=source.name))
        most = curve[curve["share"] >= _MOST_OF]
        when = f"within {duration(float(most['seconds'].iloc[0]))}" if len(most) else "not reached"
        said.append(f"{source.name} {when}")
    if len(parts) < 2:
        return []
    frame = pd.concat(parts, ignore_index=True)
    alt = f"Curves of all tickets. {_MOST_OF:.0%} have a first response: {'; '.join(said)}."
    return [drawn("overlaid-response", "Time to first response", alt.replace("%", " %", 1),
                  lambda ax: plots.responses_overlaid(frame, ax))]  # fmt: skip


def _stars(source: Source, prefix: str) -> Iterator[Picture]:
    if source.row("rating_mean") is None:
        return
    shares = series.rating_shares(source.summary)
    said = ", ".join(
        f"{row.rating} star{'s' if row.rating > 1 else ''} {row.share:.0%}".replace("%", " %")
        for row in plots.rows_of(shares.dropna(subset="share"))
    )
    yield drawn(f"{prefix}-ratings", "How customers rate the answer", f"Bars. {said}.",
                lambda ax: plots.ratings(shares, ax), 2.7)  # fmt: skip


def _ratings(source: Source, tickets: pd.DataFrame, prefix: str) -> Iterator[Picture]:
    if source.row("rating_mean") is None:
        return
    given = source.sampled("ratings", ["ticket_id", "rated_s", "rating", "prompt_version"])
    about = series.measured(tickets, source.scenario)
    by = series.ratings_by_category(given, about)
    if len(by) > 1:
        best, worst = by.iloc[0], by.iloc[-1]
        alt = (
            f"Points with intervals. Best is {best['category']} ({best['mean']:.2f}), "
            f"worst {worst['category']} ({worst['mean']:.2f})."
        )
        yield drawn(f"{prefix}-rating-categories", "Rating by category", alt,
                    lambda ax: plots.ratings_by_category(by, ax),
                    quality.rows_height(len(by)))  # fmt: skip
    over = series.ratings_over_time(given, source.scenario.horizon)
    versions = [str(v) for v in dict.fromkeys(over["version"].dropna())]
    alt = f"A line over the run, from {over['mean'].min():.2f} to {over['mean'].max():.2f} stars."
    alt += f" Prompts: {', '.join(versions)}." if versions else ""
    yield drawn(f"{prefix}-rating-time", "Rating over time", alt,
                lambda ax: plots.ratings_over_time(over, ax, **_clock(source)))  # fmt: skip


def _confusion_alt(frame: pd.DataFrame, source: Source) -> str:
    wrong = frame[(frame["true"] != frame["given"]) & (frame["share"] > 0)]
    alt = f"A grid. {source.value('categorization_accuracy')} are given the right category"
    if not len(wrong):
        return f"{alt}."
    top = wrong.iloc[int(wrong["share"].argmax())]
    share = f"{top['share']:.0%}".replace("%", " %")
    return f"{alt}; most often wrong: {share} of {top['true']} are taken for {top['given']}."


def _calls(source: Source, prefix: str) -> Iterator[Picture]:
    if source.scenario.assistant.role == "off":
        return
    columns = ["step", "model", "asked_s", "started_s", "ended_s", "quota_wait_s", "rate_limited",
               "completion_tokens", "outcome"]  # fmt: skip
    calls = source.sampled("calls", columns)
    if not len(calls):
        return
    sample = series.call_sample(calls, 80)
    medians = sample.groupby("step")["latency_s"].median()
    said = ", ".join(f"{step} {amount(float(s), 's')}" for step, s in medians.items())
    yield drawn(f"{prefix}-latency", "Latency of model calls",
                f"Points, a call each, by tokens written. Median latency: {said or 'none'}.",
                lambda ax: plots.call_latency(sample, ax))  # fmt: skip
    over = series.calls_over_time(calls, source.scenario.horizon, _every(source))
    over["rate_limited"] *= source.one_in
    del calls
    # A flat line at zero takes the place of a figure that says something; the words stay.
    if not over["rate_limited"].gt(0).any():
        return
    wait, refused = over["quota_wait_s"].max(), over["rate_limited"].max()
    yield drawn(f"{prefix}-quota", "Wait for quota",
                f"Steps over the run, at most {amount(float(wait), 's')} a call.",
                lambda ax: plots.quota_wait(over, ax, **_clock(source)), 2.5)  # fmt: skip
    yield drawn(f"{prefix}-429", "Calls refused for quota (429)",
                f"Steps over the run, at most {refused:.0f} in an interval.",
                lambda ax: plots.rate_limited(over, ax, **_clock(source)), 2.5)  # fmt: skip


def of_comparison(comparison: Comparison, summary: pd.DataFrame) -> Iterator[Picture]:
    """A forest plot for each what-if; with several, cost against satisfaction as well."""
    table = comparison.table
    names = list(dict.fromkeys(table["scenario"]))
    for k, name in enumerate(names):
        rows = table[(table["scenario"] == name) & table["low"].notna()]
        counts = rows["verdict"].value_counts()
        said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        alt = f"Differences of {name} from {comparison.baseline} with intervals: {said}."
        shown = forests.shown(rows, relative=True)
        yield drawn(f"forest-{k}", f"{name} against {comparison.baseline}", alt,
                    lambda ax, f=rows: plots.forest(f, ax, relative=True),  # type: ignore[misc]
                    plots.forest_height(len(shown), forests.kinds(rows)))  # fmt: skip
    front = series.pareto(summary)
    if len(front) > 2:
        best = ", ".join(str(name) for name in front.loc[front["front"], "scenario"])
        yield drawn("pareto", "Cost against satisfaction",
                    f"Points. No other scenario is both cheaper and rated better than: {best}.",
                    lambda ax: plots.pareto(front, ax))  # fmt: skip
