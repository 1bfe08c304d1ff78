"""The command ``twin evaluate``: models side by side, from recordings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twin.cli.terminal import BAD_INPUT, Json, SkipBad, fail, out, plain_errors, print_json, records

if TYPE_CHECKING:
    from twin.assistant.recorded.attempts import Attempts


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command()(evaluate)


def evaluate(
    recordings: Annotated[
        list[Path], typer.Argument(help="Recorded calls (JSON lines).", show_default=False)
    ],
    scenario: Annotated[
        Path | None,
        typer.Option(help="Scenario: its corpus knows true categories, its articles judge."),
    ] = None,
    ratings: Annotated[
        Path | None,
        typer.Option(
            help="People's ratings: CSV or JSON lines with ticket, answer, rating (1-5)[, rater]."
        ),
    ] = None,
    solves: Annotated[
        float, typer.Option(min=0, max=1, help="Quality from which an answer solves.")
    ] = 0.5,
    apart: Annotated[
        float | None,
        typer.Option(min=0.001, max=1, help="Plan for this difference, as 0.05 for 5 points."),
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", help="Page of HTML to write.")] = None,
    tickets: Annotated[
        Path | None, typer.Option(help="Page of single tickets to write, searchable.")
    ] = None,
    attempts: Annotated[
        Path | None, typer.Option(help="CSV to write: an attempt a row, with sample and keys.")
    ] = None,
    inspect: Annotated[
        Path | None, typer.Option(help="Folder for logs of Inspect, one a model.")
    ] = None,
    to_rate: Annotated[
        Path | None,
        typer.Option(help="CSV to write: answers drawn at random, for people to rate."),
    ] = None,
    answers: Annotated[int, typer.Option(min=1, help="So many, for --to-rate.")] = 50,
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Compare recorded models: accuracy, quality, pass^k, latency, cost, failures; which differ."""
    with plain_errors():
        from twin.assistant.errors import AssistantError

        try:
            several = _read(recordings, scenario, ratings, solves, skip_bad)
        except AssistantError as error:
            fail(str(error), BAD_INPUT)
        names = ", ".join(path.name for path in recordings)
        written = list(_write(several, f"from {names}", solves, to, tickets, attempts, inspect))
        if to_rate is not None:
            from twin.experiments.judges import write_to_rate

            written.append(write_to_rate(several, to_rate, answers))
        _print(several, apart, as_json)
        for path in written if not as_json else ():
            out.print(f"written: {path}", soft_wrap=True)


def _write(
    several: list[Attempts],
    sources: str,
    solves: float,
    to: Path | None,
    tickets: Path | None,
    attempts: Path | None,
    inspect: Path | None,
) -> Iterator[Path]:
    if to is not None:
        from twin.report import models

        yield models.write(several, to, solves, sources)
    if tickets is not None:
        from twin.report.attempts import write

        yield write(several, tickets, sources)
    if attempts is not None:
        from twin.experiments.model_table import write_attempts

        yield write_attempts(several, attempts)
    if inspect is not None:
        from twin.experiments.inspect_log import write_inspect

        for one in several:
            stem = "".join(c if c.isalnum() or c in "._-" else "-" for c in one.name)
            yield write_inspect(one, inspect / f"{stem}.json")


def _read(
    recordings: list[Path],
    scenario: Path | None,
    ratings: Path | None,
    solves: float,
    skip_bad: bool,
) -> list[Attempts]:
    from twin.assistant.knowledge.knowledge import load_knowledge
    from twin.assistant.recorded.attempts import with_ratings
    from twin.assistant.recorded.ratings import read_ratings
    from twin.demand.corpus import load_corpus
    from twin.experiments.model_table import read_models
    from twin.scenario.file import load

    desk = load(scenario) if scenario is not None else None
    corpus = load_corpus(desk.tickets.corpus) if desk and desk.tickets.corpus else None
    folder = desk.assistant.knowledge if desk else None
    knowledge = load_knowledge(folder, skip_bad) if folder else None
    several = read_models(recordings, corpus, knowledge, solves)
    if ratings is not None:
        given = read_ratings(ratings)
        several = [with_ratings(one, given) for one in several]
    return several


def _print(several: list[Attempts], apart: float | None, as_json: bool) -> None:
    import pandas as pd
    from rich.table import Table

    from twin.common.text import amount
    from twin.experiments import judges
    from twin.experiments import model_table as figures
    from twin.report.models import sentences
    from twin.report.plots.style import rows_of

    found = figures.model_table(several)
    most = figures.most_attempts(several)
    passes = pd.concat([figures.passes(one, most).assign(model=one.name) for one in several])
    plans = [
        figures.plan(*pair, apart=apart).assign(first=pair[0].name, second=pair[1].name)
        for pair in figures.pairs_of(several)
    ]
    if as_json:
        print_json(
            {
                "models": records(found),
                "passes": records(passes),
                "differences": records(figures.differences(several)),
                "agreement": records(judges.agreement(several)),
                "against_people": records(judges.against_people(several)),
                "by_people": records(judges.by_people(several)),
                "plans": [row for plan in plans for row in records(plan)],
            }
        )
        return
    for sentence in sentences(several, found, most):
        out.print(sentence)
    table = Table(box=None, pad_edge=False)
    for head in (
        "model",
        "accuracy",
        "quality",
        "solved",
        f"pass^{most}",
        "p50",
        "p90",
        "a ticket",
    ):
        table.add_column(head, justify="left" if head == "model" else "right")
    last = passes[passes["k"] == most].set_index("model")["value"]
    for row in rows_of(found):
        values = (row.accuracy, row.quality, row.solved, last[row.model])
        shares = ["-" if pd.isna(value) else f"{value:.3f}" for value in values]
        times = [amount(value, "s") for value in (row.latency_p50_s, row.latency_p90_s)]
        table.add_row(row.model, *shares, *times, amount(row.cost_usd, "USD/ticket"))
    out.print(table)
    _print_judges(several)
    for plan in plans:
        for row in rows_of(plan[plan["tickets"] < float("inf")]):
            size = "" if apart is None else f" by {100 * apart:g} points"
            often = "once" if row.attempts == 1 else f"{row.attempts} times"
            out.print(
                f"{row.second} and {row.first}{size}: {row.tickets:,.0f} tickets, each tried "
                f"{often}, tell them apart four times in five"
            )


def _print_judges(several: list[Attempts]) -> None:
    from twin.experiments import judges
    from twin.report.judges import interval, sentences
    from twin.report.plots.style import rows_of

    found = judges.agreement(several)
    for row in rows_of(found[found["second"] != judges.PEOPLE]):
        out.print(
            f"{row.model}: {row.first} and {row.second} agree to alpha "
            f"{interval(row.alpha, row.low, row.high)} on {row.answers} answers"
        )
    for sentence in sentences(several):
        out.print(sentence)
    for row in rows_of(judges.against_people(several)):
        out.print(
            f"{row.judge} beside people, {row.answers} answers: alpha "
            f"{interval(row.alpha, row.low, row.high)}, gives "
            f"{interval(row.more, row.more_low, row.more_high, '+')} more, {100 * row.near:.0f} % "
            "within a star"
        )
