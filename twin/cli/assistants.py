"""The command ``twin assistant``: what if an assistant came to a desk of humans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from twin.cli.terminal import BAD_INPUT, fail, out, plain_errors


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command("assistant")(assistant)


def assistant(
    desk: Annotated[
        Path, typer.Argument(help="Scenario of a desk without one.", show_default=False)
    ],
    corpus: Annotated[
        Path | None,
        typer.Option(help="Folder of twin corpus: the desk's own texts, and articles."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--out", help="Default: the desk's name with -assistant.")
    ] = None,
    answers: Annotated[
        float | None, typer.Option(help="Share of the tickets that it answers, where no texts tell "
                                   "it; default .4, assumed.")
    ] = None,
    solves: Annotated[
        float | None, typer.Option(help="Share of its answers in the right category that solve; "
                                   "default .75, assumed; .5 with texts.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a scenario that is there.")
    ] = False,
) -> None:  # fmt: skip
    """Write the scenario of a desk to which an assistant came, to compare with the desk as it is.

    Measured on the desk's own texts where there are any, else assumed; the file says which.
    """
    with plain_errors("--out"):
        from twin.common.text import amount, command
        from twin.history.assistant_came import (
            ANSWERS,
            Assumed,
            assistant_came,
            of_statuses,
            refuse_taken,
            write_assistant,
        )
        from twin.history.corpus_folder import open_corpus
        from twin.scenario.file import load

        to = to or desk.with_name(f"{desk.stem}-assistant.toml")
        refuse_taken(desk, to, replace)
        known, own = load(desk), open_corpus(corpus) if corpus is not None else None
        if own is not None and answers is not None:
            fail("--answers: the texts tell it; leave it out, or leave out --corpus", BAD_INPUT)
        if known.workflow is not None:
            for line in of_statuses(known, own):
                out.print(line, soft_wrap=True)
            raise typer.Exit(BAD_INPUT)
        came = assistant_came(known, own, Assumed(ANSWERS if answers is None else answers, solves))
        write_assistant(came, desk, to, replace)
        table = Table("key", "estimate", box=None, pad_edge=False)
        for one in came.estimates:
            value = amount(one.value, one.unit)
            table.add_row(one.key, f"{value}; {one}" if one.assumed else str(one))
        out.print(table)
        for line in came.said:
            out.print(line, soft_wrap=True)
        out.print(f"scenario: {to}", soft_wrap=True)
        out.print(f"next: {command('twin', 'compare', desk, to)}", soft_wrap=True)
