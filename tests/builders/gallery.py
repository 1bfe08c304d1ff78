"""The gallery of the shipped scenarios in results/gallery: question, answer, picture.

    python -m tests.builders.gallery

writes it from the figures of the reference runs (results/reference/gallery.parquet, which
`tests.builders.reference` plays), so it takes a second. A test holds that it is up to date. An
answer is worded by hand and names the verdicts that it rests on: where they are others, nothing is
built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from twin.common.text import amount, estimate, interval, label, size_in
from twin.experiments.comparison import compare
from twin.measures.figures import FIGURES
from twin.stats.verdicts import BETTER, OPEN, UNJUDGED, WORSE

if TYPE_CHECKING:
    from twin.experiments.results import Results

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("results") / "gallery"
ROWS = Path("results") / "reference" / "gallery.parquet"
BASELINE = "baseline"


@dataclass(frozen=True)
class Answer:
    """The answer to a scenario's question.

    Attributes
    ----------
    words : str
        Of a desk of its own with figures in braces, as "{service_level}".
    figures : tuple of str
        Shown in the picture.
    rests_on : mapping of str to str
        Verdicts by figure without which the words are wrong.
    """

    words: str
    figures: tuple[str, ...]
    rests_on: Mapping[str, str] = field(default_factory=dict)


# Desks that are no change of the baseline have no verdicts: their words name figures.
ANSWERS = {
    BASELINE: Answer(
        "{service_level} of tickets get a first response in time. Of those that need a person "
        "{human_service_level} get a person's reply in time; {abandonment_rate} of finished "
        "tickets are of customers who gave up.",
        ("service_level", "human_service_level", "abandonment_rate", "csat_all"),
    ),
    "assistant-only": Answer(
        "More tickets get a response in time, but fewer customers are helped, and fewer are "
        "satisfied.",
        ("service_level", "solved", "csat_all"),
        {"service_level": BETTER, "solved": WORSE, "csat_all": WORSE},
    ),
    "humans-only": Answer(
        "Far less: fewer tickets get a response in time, fewer customers are helped, and more of "
        "them give up.",
        ("service_level", "solved", "abandonment_rate"),
        {"service_level": WORSE, "solved": WORSE, "abandonment_rate": WORSE},
    ),
    "black-friday": Answer(
        "Not unharmed: fewer tickets get a response in time, more customers give up, and more "
        "tickets are open.",
        ("service_level", "abandonment_rate", "backlog"),
        {"service_level": WORSE, "abandonment_rate": WORSE, "backlog": WORSE},
    ),
    "night-shift": Answer(
        "It buys something: more customers get a person's reply in time, and fewer give up. A "
        "week costs more. Whether that is worth it is for you to say.",
        ("human_service_level", "abandonment_rate", "cost_week"),
        {"human_service_level": BETTER, "abandonment_rate": BETTER, "cost_week": WORSE},
    ),
    "staffing": Answer(
        "Customers: fewer are helped, and more give up. A week costs less, which is not called "
        "better where customers are lost.",
        ("solved", "abandonment_rate", "cost_week"),
        {"solved": WORSE, "abandonment_rate": WORSE, "cost_week": UNJUDGED},
    ),
    "free-tier": Answer(
        "Not far: the provider refuses calls, people must take the place of the model, and more "
        "customers give up.",
        ("rate_limited_share", "service_level", "abandonment_rate"),
        {"rate_limited_share": WORSE, "service_level": WORSE, "abandonment_rate": WORSE},
    ),
    "provider-outage": Answer(
        "The assistant resolves fewer tickets alone, and more tickets are open. That customers "
        "are satisfied less is not shown in three weeks.",
        ("containment", "backlog", "csat_all"),
        {"containment": WORSE, "backlog": WORSE, "csat_all": OPEN},
    ),
    "rag-off": Answer(
        "Much: without it fewer customers are helped, fewer are satisfied with an answer, and "
        "more give up.",
        ("solved", "csat", "abandonment_rate"),
        {"solved": WORSE, "csat": WORSE, "abandonment_rate": WORSE},
    ),
    "strict-review": Answer(
        "Fewer tickets get a response in time, and more customers give up. That those who get an "
        "answer are more satisfied is not shown.",
        ("service_level", "abandonment_rate", "csat"),
        {"service_level": WORSE, "abandonment_rate": WORSE, "csat": OPEN},
    ),
    "feedback-loop": Answer(
        "In three runs of this length neither more satisfied customers nor more who are helped "
        "are shown.",
        ("csat", "solved"),
        {"csat": OPEN, "solved": OPEN},
    ),
    "chat-desk": Answer(
        "With up to 3, as in the file, {service_level} of customers get a first response in time "
        "and {abandonment_rate} give up. Other numbers take a run each, as "
        "`--set agents.chats.concurrency=1`.",
        ("service_level", "abandonment_rate", "concurrency_mean", "occupancy"),
    ),
    "email-desk": Answer(
        "{resolution_mean} on average; without the waits for customers and other teams "
        "{resolution_less_waits_mean}. A ticket is taken in hand {touches_mean} times.",
        ("resolution_mean", "resolution_less_waits_mean", "touches_mean"),
    ),
    "phone-desk": Answer(
        "{abandonment_rate} of callers give up; {service_level} are answered in time. What the "
        "second line adds takes a run without it (no `overflow_to`).",
        ("abandonment_rate", "service_level", "agent_wait_mean"),
    ),
}  # fmt: skip


def rows(every: Results) -> pd.DataFrame:
    """Figures of the gallery, and their differences from the baseline with verdicts.

    Parameters
    ----------
    every : Results
        Of all shipped what-ifs and the baseline.

    Returns
    -------
    DataFrame
        A row a scenario and figure: scenario, question, kpi, unit, value, low, high, half_width;
        and where it is compared the columns of `twin.compare` that are told. Intervals of the
        differences hold with 95 % together, scenario by scenario.
    """
    summary = every.summary()
    found = []
    for run in every.runs:
        answer = ANSWERS[run.scenario]
        mine = summary[(summary["scenario"] == run.scenario) & (summary["group"] == "")]
        part = mine.set_index("kpi").loc[list(answer.figures)].reset_index()
        part = part[["scenario", "kpi", "unit", "value", "low", "high", "half_width"]]
        part.insert(1, "question", run.question)
        if answer.rests_on:
            both = (BASELINE, run.scenario)
            pair = replace(
                every,
                kpis=every.kpis[every.kpis["scenario"].isin(both)],
                runs=tuple(one for one in every.runs if one.scenario in both),
            )
            table = compare(pair, BASELINE, list(answer.figures)).table
            told = ["kpi", "baseline", "what_if", "difference", "low", "high", "verdict"]
            table = table[told].rename(columns={"low": "change_low", "high": "change_high"})
            part = part.merge(table, on="kpi", how="left", validate="one_to_one")
        found.append(part)
    return pd.concat(found, ignore_index=True)


def build(root: Path = ROOT) -> dict[str, str]:
    """Texts of the gallery's files by name: README.md and a picture of each scenario.

    Raises
    ------
    ValueError
        If a verdict is not the one that an answer rests on.
    """
    table = pd.read_parquet(root / ROWS)
    files = {}
    parts = [_HEAD]
    for name, answer in ANSWERS.items():
        mine = {str(row["kpi"]): row for row in _records(table[table["scenario"] == name])}
        for kpi, wanted in answer.rests_on.items():
            if mine[kpi]["verdict"] != wanted:
                raise ValueError(f"{name}: {kpi} is {mine[kpi]['verdict']}, not {wanted}: reword")
        first = next(iter(mine.values()))
        words = answer.words.format_map({kpi: _value(row) for kpi, row in mine.items()})
        told = "; ".join(_told(row) for row in mine.values())
        files[f"{name}.svg"] = picture(list(mine.values()), name)
        parts.append(
            f"## [{name}](../../scenarios/{name}.toml)\n\n**{first['question']}** {words}\n\n"
            f"![Bars of the figures told below]({name}.svg)\n\n{told[0].upper()}{told[1:]}.\n"
        )
    files["README.md"] = "\n".join(parts)
    return files


_HEAD = """# What the shipped scenarios answer

Each scenario asks a question of the example desk (`baseline`), or of a desk of its own. The answers
come from the [reference runs](../reference/README.md): three replications of each. Differences from
the baseline and verdicts are those of `twin compare`; their intervals hold with 95 % for all
figures of a scenario together. The line in a bar is the 95 % interval of that figure alone. This
plays one of them with 20 replications, and shows it ticket by ticket:

```sh
twin compare scenarios/baseline.toml scenarios/night-shift.toml
twin animate results/baseline results/night-shift
```

This page is generated (`python -m tests.builders.gallery`).
"""


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _compared(row: Mapping[str, Any]) -> bool:
    return isinstance(row["verdict"], str)


def _value(row: Mapping[str, Any]) -> str:
    return amount(row["value"], row["unit"])


def _told(row: Mapping[str, Any]) -> str:
    """A figure in words: with its interval, or against the baseline."""
    name = label(row["kpi"])
    if not _compared(row):
        return f"{name} {estimate(row)}"
    size = size_in(row)
    now, was = (amount(row[key], row["unit"], size) for key in ("what_if", "baseline"))
    change = interval({**row, "low": row["change_low"], "high": row["change_high"]})
    return f"{name} {now}, baseline {was}, {change}: {row['verdict']}"


# Sizes in pixels of the pictures, and colours that are told apart in grey, too.
_WIDE, _ROW, _BAR, _HIGH, _EDGE = 680, 62, 430, 13, 16
_HERE, _WAS, _INK, _SOFT = "#0072b2", "#a9b0b6", "#23272b", "#545b61"


def picture(figures: list[dict[str, Any]], name: str) -> str:
    """Bars of figures, each from 0, and of the baseline below them, as SVG without fonts or links.

    Parameters
    ----------
    figures : list of dict
        Rows of `rows`.
    name : str
        Name of the scenario.
    """
    row_high = _ROW if any(map(_compared, figures)) else _ROW - _HIGH - 3
    high = _EDGE + len(figures) * row_high
    most = _longest(figures)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {high}" width="{_WIDE}" '
        f'height="{high}" font-family="system-ui, sans-serif" font-size="14">',
        f'<rect width="{_WIDE}" height="{high}" fill="#ffffff"/>',
    ]
    for k, row in enumerate(figures):
        top = _EDGE + k * row_high
        bars = [(row["value"], name, _HERE)]
        if _compared(row):
            bars.append((row["baseline"], BASELINE, _WAS))
        scale = _BAR / most[row["unit"]]
        size = max(value for value, _, _ in bars)
        better = {"higher": ", higher is better", "lower": ", lower is better"}
        words = f"{label(row['kpi'])}{better.get(FIGURES[row['kpi']].better, '')}"
        parts.append(_text(_EDGE, top + 10, words[0].upper() + words[1:], _INK, bold=True))
        if _compared(row):
            parts.append(_text(_WIDE - _EDGE, top + 10, str(row["verdict"]), _SOFT, end=True))
        for place, (value, whose, colour) in enumerate(bars):
            y = top + 17 + place * (_HIGH + 3)
            long = max(1.5, scale * value)
            parts.append(
                f'<rect x="{_EDGE}" y="{y}" width="{long:.1f}" height="{_HIGH}" fill="{colour}"/>'
            )
            said = f"{amount(value, row['unit'], size)} {whose}"
            end = long if place else max(long, scale * row["high"])
            parts.append(_text(_EDGE + end + 6, y + 11, said, _INK))
        # How far luck may move it.
        low, up = (_EDGE + scale * row[key] for key in ("low", "high"))
        y = top + 17 + _HIGH / 2
        parts.append(f'<path d="M{low:.1f} {y}H{up:.1f}" stroke="{_INK}" stroke-width="1.5"/>')
    return "\n".join([*parts, "</svg>", ""])


def _longest(figures: list[dict[str, Any]]) -> dict[str, float]:
    """The value of the longest bar by unit: a share is of all."""
    found: dict[str, float] = {}
    for row in figures:
        values = [row["value"], row["high"], *([row["baseline"]] if _compared(row) else [])]
        found[row["unit"]] = max(found.get(row["unit"], 1e-12), *values)
    return found | {"share": 1.0}


def _text(
    x: float, y: float, words: str, colour: str, bold: bool = False, end: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    anchor = ' text-anchor="end"' if end else ""
    return f'<text x="{x:.1f}" y="{y}" fill="{colour}"{weight}{anchor}>{escape(words)}</text>'


def write(root: Path = ROOT) -> Path:
    """Write the gallery of a checkout; what is not part of it any more goes.

    Returns
    -------
    Path
        The folder.
    """
    folder = root / FOLDER
    files = build(root)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return folder


if __name__ == "__main__":
    write()
