"""Key figures, what was promised, and differences between runs, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twin.comparison import BETTER, WORSE, signed
from twin.display import figure_rows, label
from twin.kpis import kpi_table
from twin.markup import Html, table, tag
from twin.scenario import PRIORITIES
from twin.wording import MAIN_FIGURES, amount, duration

if TYPE_CHECKING:
    from twin.comparison import Comparison
    from twin.report.source import Source


def key_figures(sources: Sequence[Source]) -> list[Html]:
    """Main figures side by side, and for each run its promises."""
    import pandas as pd

    summary = pd.concat([source.summary for source in sources])
    names = [source.name for source in sources]
    rows: list[list[object]] = []
    for kpis in MAIN_FIGURES.values():
        rows += [list(row) for row in figure_rows(summary, kpis, names)]
    head = ["figure", *(names if len(names) > 1 else ["value ± 95 % interval"])]
    parts = [table(head, rows, "Key figures", numbers=True), _meanings()]
    for source in sources:
        promised = _promises(source)
        if promised:
            of = f" of {source.name}" if len(sources) > 1 else ""
            head = ["promise", "tickets within it", "half within", "9 in 10 within", "in words"]
            parts += [tag("h3", f"Promises kept{of}"), table(head, promised, f"Promises{of}")]
            clock = source.scenario.targets.clock
            if clock == "desk hours":
                text = "Promises count desk hours only; the times beside them count all hours."
                parts.append(tag("p", text, class_="small"))
    return parts


def _meanings() -> Html:
    known = kpi_table()
    main = [kpi for kpis in MAIN_FIGURES.values() for kpi in kpis]
    rows = known[known["kpi"].isin(main)].to_dict("records")
    terms = [[tag("dt", label(r["kpi"])), tag("dd", r["description"])] for r in rows]
    return tag("details", tag("summary", "What the figures mean"), tag("dl", *terms))


def _promises(source: Source) -> list[list[object]]:
    targets = source.scenario.targets
    rows: list[list[object]] = []
    for what, promised, kept, times in (
        ("first response", targets.first_response, "service_level", "first_response"),
        ("resolution", targets.resolution, "resolution_within_target", "resolution"),
    ):
        for name in PRIORITIES:
            target_s = {str(k): v for k, v in promised.items()}.get(name)
            share = source.row(kept, name)
            if target_s is None or share is None:
                continue
            rows.append(
                [
                    f"{what}, {name}: {duration(target_s)}",
                    source.said(kept, name),
                    source.value(f"{times}_median", name),
                    source.value(f"{times}_p90", name),
                    _kept(share),
                ]
            )
    return rows


def _kept(share: dict[str, Any]) -> Html:
    """A promise in words; surely only where the whole interval is on one side of 9 in 10."""
    low = share["value"] if share["low"] != share["low"] else share["low"]
    high = share["value"] if share["high"] != share["high"] else share["high"]
    if low >= 0.9:
        return tag("span", "kept for 9 in 10", class_="ok")
    if high < 0.9:
        return tag("span", "not kept for 9 in 10", class_="bad")
    return tag("span", "close to 9 in 10")


def differences(comparison: Comparison) -> list[Html]:
    """Every difference with its interval and verdict, and what does not pair."""
    rows = []
    for row in comparison.table.to_dict("records"):
        unit = row["unit"]
        missing = row["low"] != row["low"]
        interval = "-" if missing else f"{signed(row['low'], unit)} to {signed(row['high'], unit)}"
        verdict = str(row["verdict"])
        more = row["more_replications"]
        rows.append(
            [
                f"{row['scenario']}: {label(row['kpi'], row['group'])}",
                amount(row["baseline"], unit),
                amount(row["what_if"], unit),
                signed(row["difference"], unit),
                interval,
                tag("span", verdict, class_=verdict if verdict in (BETTER, WORSE) else None),
                f"{more:,.0f}" if more == more else "-",
            ]
        )
    head = ["figure", comparison.baseline, "what-if", "difference", "interval", "verdict",
            "replications to settle"]  # fmt: skip
    method = comparison.method
    parts = [tag("p", f"{method[0].upper()}{method[1:]}.")]
    parts += [tag("p", note, class_="warning") for note in comparison.notes]
    caption = f"Differences from {comparison.baseline}"
    whole = table(head, rows, caption, numbers=True)
    # Many rows: the figures below say the same at a glance.
    return [*parts, tag("details", tag("summary", "All differences as a table"), whole, open=True)]
