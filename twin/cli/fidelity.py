"""The command ``twin fidelity``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from twin.cli.terminal import (
    BAD_INPUT,
    Changes,
    Json,
    Quiet,
    Workers,
    cores,
    err,
    out,
    plain_errors,
    print_json,
    progress,
    records,
)

if TYPE_CHECKING:
    from twin.history.fidelity.fidelity import Fidelity


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command()(fidelity)


def fidelity(
    scenario: Annotated[Path, typer.Argument(help="The twin (TOML).", show_default=False)],
    history: Annotated[
        Path,
        typer.Argument(
            help="Folder of a history, or of a run that stands in for one.", show_default=False
        ),
    ],
    test: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Days to be predicted: a month (2026-10), a first day, or two days "
            "(2026-10-12..2026-10-25); default: the last quarter, in whole weeks.",
            show_default=False,
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=5, max=1000, help="Of each rung.")] = 5,
    roster: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Roster by date of the test (CSV), for the rung with the roster given.",
            show_default=False,
        ),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Also write a page of HTML.", show_default=False)
    ] = None,
    workers: Workers = None,
    changes: Changes = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare a twin with what happened: inputs, floors, replay, rungs, hours, weeks.

    Calibrate the twin on what lies before the test.
    """
    with plain_errors("--page"):
        from twin.history.call_desk import sessions_of
        from twin.history.fidelity.fidelity import fidelity as compare
        from twin.history.fidelity.records import open_records
        from twin.scenario.changes import parse_change
        from twin.scenario.file import load

        desk = load(scenario, dict(parse_change(text) for text in changes or []))
        try:
            real = open_records(history)
            # F, V, VR, in sample, and up to three weeks before the test.
            with progress(6 * runs, shown=not quiet and not as_json, what="runs") as told:
                found = compare(
                    desk, real, test, runs=runs, workers=workers or cores(), roster=roster,
                    sessions=sessions_of(real, desk), progress=told,
                )  # fmt: skip
        except ValueError as error:
            err.print(str(error))
            raise typer.Exit(BAD_INPUT) from None
        if as_json:
            print_json(as_data(found))
        elif not quiet:
            _show(found)
        if page is not None:
            from twin.report.fidelity import write

            out.print(f"page: {write(found, page)}", soft_wrap=True)


def _show(found: Fidelity) -> None:
    from twin.history.fidelity.tables import answer, tables

    out.print(f"{found.name}: test {found.test}")
    if found.training:
        out.print(f"training {found.training}")
    for sentence in answer(found):
        out.print(sentence, soft_wrap=True)
    for one in tables(found):
        out.print()
        out.print(f"{one.heading}. {one.remark}".strip(), soft_wrap=True)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for k, head in enumerate(one.heads):
            table.add_column(head, justify="right" if k else "left", overflow="fold")
        for row in one.rows:
            table.add_row(*row)
        out.print(table)
    out.print()
    for note in found.notes:
        err.print(f"note: {note}")


def as_data(found: Fidelity) -> dict[str, Any]:
    """A report as plain data."""
    frames = ("inputs", "lines", "rungs", "hours", "groups", "weeks", "definitions")
    plain = {name: getattr(found, name) for name in ("name", "training", "test", "runs")}
    plain |= {"alarm": found.alarm, "culprit": found.culprit, "notes": list(found.notes)}
    return plain | {name: records(getattr(found, name)) for name in frames}
