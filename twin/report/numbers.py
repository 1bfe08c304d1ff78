"""Key figures, promises, and differences between runs, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twin.common.html import Html, table, tag
from twin.common.text import amount, duration, label, signed, size_in
from twin.experiments.display import figure_rows
from twin.experiments.evidence import assumed_figures, starred
from twin.experiments.rows import resting
from twin.experiments.versions import spend
from twin.measures.figures import FIGURES, MAIN, MAIN_FIGURES
from twin.scenario.model import PRIORITIES
from twin.stats.verdicts import BETTER, WORSE

if TYPE_CHECKING:
    from twin.experiments.comparison import Comparison
    from twin.report.source import Source


def key_figures(sources: Sequence[Source]) -> list[Html]:
    """Main figures side by side, and for each run its promises."""
    import pandas as pd

    summary = pd.concat([source.summary for source in sources])
    names = [source.name for source in sources]
    # Nothing of a history is assumed: it is one line over time.
    assumed = assumed_figures([source.run for source in sources if source.averaged])
    if len(names) > 1:
        rows = figure_rows(summary, MAIN, names, assumed)
        tables = [table(["figure", *names], rows, "Key figures", numbers=True)]
    else:
        groups = {g: figure_rows(summary, kpis, names, assumed) for g, kpis in MAIN_FIGURES.items()}
        tables = [
            table(["figure", "value"], rows, group, numbers=True)
            for group, rows in groups.items()
            if rows
        ]
    shown = tag("div", *tables, class_="groups" if len(names) == 1 else None)
    open_ = [*spend(summary, MAIN), *starred(sources[0].results.unset(MAIN))]
    said = [tag("ul", [tag("li", line) for line in open_], class_="small")] if open_ else []
    parts = [shown, *said, _meanings()]
    promised = _promises(sources)
    if promised:
        words = ["half within", "9 in 10 within", "in words"] if len(names) == 1 else []
        head = ["promise", *(names if len(names) > 1 else ["tickets within it"]), *words]
        caption = "Share of tickets within what is promised"
        parts += [tag("h3", "Promises kept"), table(head, promised, caption, numbers=True)]
        if any(source.scenario.targets.clock == "desk hours" for source in sources):
            text = "Promises count desk hours only; the times beside them count all hours."
            parts.append(tag("p", text, class_="small"))
        if any(source.scenario.targets.of_channels for source in sources):
            text = "Tickets of a channel with a promise of its own go by that, in every row."
            parts.append(tag("p", text, class_="small"))
    return parts


def _meanings() -> Html:
    terms = [[tag("dt", label(name)), tag("dd", FIGURES[name].description)] for name in MAIN]
    return tag("details", tag("summary", "What the figures mean"), tag("dl", *terms))


def _promises(sources: Sequence[Source]) -> list[list[object]]:
    """Each promise: of one run with its times, of several as the first run has it."""
    first = sources[0]
    targets = first.scenario.targets
    human = targets.first_human_response
    if first.scenario.assistant.role == "full":
        human = human or targets.first_response
    rows: list[list[object]] = []
    first_by, solved_by = targets.first_response_by_channel, targets.resolution_by_channel
    human_by = targets.first_human_response_by_channel or (first_by if human else {})
    for what, promised, own, kept, times in (
        ("first response", targets.first_response, first_by, "service_level", "first_response"),
        ("a person's reply", human, human_by, "human_service_level", "human_response"),
        ("resolution", targets.resolution, solved_by, "resolution_within_target", "resolution"),
    ):
        target_s = {str(name): seconds for name, seconds in (*promised.items(), *own.items())}
        for name in (*PRIORITIES, *own):
            share = first.row(kept, name)
            if name not in target_s or share is None:
                continue
            row: list[object] = [f"{what}, {name}: {duration(target_s[name])}"]
            row += [source.said(kept, name) or "-" for source in sources]
            if len(sources) == 1:
                row += [first.value(f"{times}_{of}", name) for of in ("median", "p90")]
                row.append(_kept(share, of_run=first.averaged))
            rows.append(row)
    return rows


def _kept(share: dict[str, Any], *, of_run: bool) -> Html:
    """A promise in words; surely only where the whole interval is on one side of 9 in 10.

    A history without an interval tells what happened; a single replication may be luck.
    """
    if of_run and share["low"] != share["low"]:
        return tag("span", "one replication does not tell")
    low = share["value"] if share["low"] != share["low"] else share["low"]
    high = share["value"] if share["high"] != share["high"] else share["high"]
    if low >= 0.9:
        return tag("span", "kept for 9 in 10", class_="ok")
    if high < 0.9:
        return tag("span", "not kept for 9 in 10", class_="bad")
    return tag("span", "close to 9 in 10")


def differences(comparison: Comparison) -> list[Html]:
    """Every difference with its interval and verdict, and a note where runs do not pair."""
    scenarios = list(dict.fromkeys(comparison.table["scenario"]))
    method = comparison.method.replace("%", " %")
    parts = [tag("p", f"{method[0].upper()}{method[1:]}.")]
    parts += [tag("p", note, class_="warning") for note in comparison.notes]
    for name in scenarios:
        rows = _differences(comparison, name)
        head = ["figure", comparison.baseline, name, "difference", "interval", "verdict",
                "why not judged, how much more to settle, and what it rests on"]  # fmt: skip
        caption = f"{name} against {comparison.baseline}"
        whole = table(head, rows, caption, numbers=True)
        parts.append(tag("details", tag("summary", f"{caption}, as a table"), whole,
                         open=len(scenarios) == 1))  # fmt: skip
    return parts


def _differences(comparison: Comparison, scenario: str) -> list[list[object]]:
    rows: list[list[object]] = []
    for found in comparison.table.to_dict("records"):
        row = {str(name): value for name, value in found.items()}
        if row["scenario"] != scenario:
            continue
        unit, size = row["unit"], size_in(row)
        missing = row["low"] != row["low"]
        interval = (
            "-" if missing else " to ".join(signed(row[k], unit, size) for k in ("low", "high"))
        )
        verdict = str(row["verdict"])
        more, texts = row["more_replications"], row["more_texts"]
        settle = f"{texts:,.0f} texts" if texts == texts else ""
        settle = f"{more:,.0f} replications" if more == more else settle
        rows.append(
            [
                label(row["kpi"], row["group"]),
                amount(row["baseline"], unit, size),
                amount(row["what_if"], unit, size),
                signed(row["difference"], unit, size),
                interval,
                tag("span", verdict, class_=verdict if verdict in (BETTER, WORSE) else None),
                f"{row['reason'] or settle}{resting(row)}".removeprefix(", "),
            ]
        )
    return rows
