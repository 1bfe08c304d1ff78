"""The command ``twin rate``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from twin.cli import terminal
from twin.cli.terminal import (
    BAD_INPUT,
    FAILED,
    Json,
    RunFolder,
    err,
    fail,
    name_provider,
    out,
    plain_errors,
)

if TYPE_CHECKING:
    from twin.experiments.rerate import Rerated


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command()(rate)


def rate(
    results: RunFolder,
    rater: Annotated[
        Literal["evidence", "model"],
        typer.Option(help="evidence: the article that solves the ticket; model: by a rubric."),
    ] = "evidence",
    model: Annotated[
        str | None, typer.Option(help="The model that judges, for --rater model.")
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(help="File of its verdicts; default: the scenario's own recording."),
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(min=0, help="Stop before more USD could be spent.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rate a run's answers again, by another rater; the run itself stays as it is."""
    if (rater == "model") != (model is not None):
        fail("--rater model and --model NAME go together", BAD_INPUT)
    with plain_errors():
        from twin.assistant.errors import AssistantError
        from twin.experiments.rerate import rate as rate_again
        from twin.experiments.results import open_results

        name_provider(surely=model is not None)
        try:
            folder = open_results(results).paths[0]
            done = rate_again(folder, model, recording, max_cost)
        except AssistantError as error:
            fail(str(error), FAILED)
        except ValueError as error:
            fail(str(error), BAD_INPUT)
        _print(done, as_json)


def _print(done: Rerated, as_json: bool) -> None:
    from rich.table import Table

    if as_json:
        terminal.print_json(
            {
                "path": str(done.path),
                "before": done.before,
                "after": done.after,
                "figures": terminal.records(done.figures),
                "agreement": asdict(done.agreement),
                "notes": list(done.notes),
            }
        )
        return
    out.print(f"before: {done.before}")
    out.print(f"after:  {done.after}")
    table = Table("figure", "unit", "before", "after", "difference", "95 % interval", box=None)
    for row in done.figures.to_dict("records"):
        numbers = [f"{row[name]:.3f}" for name in ("baseline", "what_if")]
        interval = f"{row['low']:+.3f} to {row['high']:+.3f}" if row["low"] == row["low"] else ""
        table.add_row(row["kpi"], row["unit"], *numbers, f"{row['difference']:+.3f}", interval)
    out.print(table)
    agreed = done.agreement
    if agreed.n:
        out.print(
            f"agreement on quality: rank correlation {agreed.rank:.2f} "
            f"[{agreed.low:.2f}, {agreed.high:.2f}] over {agreed.n:,} distinct answers, "
            f"{agreed.near:.0%} at most 0.25 apart"
        )
    for note in done.notes:
        err.print(f"note: {note}")
    out.print(f"table: {done.path}", soft_wrap=True)
