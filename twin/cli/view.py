"""The command ``twin view``: single tickets of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twin.cli.terminal import BAD_INPUT, RunFolder, err, out, plain_errors


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command()(view)


def view(
    results: RunFolder,
    ticket: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Number of a ticket; more than once; default: the first ones."),
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=5000, help="Tickets at most.")] = 500,
    replication: Annotated[int, typer.Option(min=0, help="0 is the first.")] = 0,
    to: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The file; default: tickets.html in the run's folder.", show_default=False
        ),
    ] = None,
) -> None:
    """Write a page of a run's single tickets, to search: text, answer, marks, prompts, timeline.

    Customers' words are in it.
    """
    with plain_errors("--out"):
        from twin.experiments.results import open_results
        from twin.experiments.single_tickets import read_tickets
        from twin.report.single_tickets import write

        try:
            folder = open_results(results).paths[0]
            found = read_tickets(folder, replication, ticket or (), most)
        except ValueError as error:
            err.print(str(error))
            raise typer.Exit(BAD_INPUT) from None
        for note in found.notes:
            err.print(f"note: {note}")
        path = write(found, to or folder / "tickets.html")
        out.print(f"{path}, {len(found.tickets)} of {found.whole} tickets", soft_wrap=True)
