"""The command ``twin overlap``: texts that are learnt from and asked, too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twin.cli.terminal import BAD_INPUT, Json, fail, out, plain_errors, print_json, records


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command()(overlap)


def overlap(
    scenario: Annotated[Path, typer.Argument(help="Scenario file.", show_default=False)],
    questions: Annotated[
        Path | None, typer.Option(help="Questions of twin rag: CSV with question, article.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for texts that stand in two of train, desk, phrases of articles, and questions."""
    with plain_errors():
        from rich.table import Table

        from twin.assistant.knowledge.knowledge import load_knowledge
        from twin.assistant.knowledge.retrieval_eval import read_questions
        from twin.demand.corpus import load_corpus
        from twin.experiments.overlap import NEAR, overlaps, places
        from twin.scenario.file import load

        desk = load(scenario)
        if desk.tickets.corpus is None:
            fail(f"{scenario}: tickets.corpus is not given, so there are no texts", BAD_INPUT)
            return
        folder = desk.assistant.knowledge
        articles = load_knowledge(folder).articles if folder else {}
        asked = read_questions(questions).questions if questions is not None else ()
        found = overlaps(places(load_corpus(desk.tickets.corpus), articles, asked))
        if as_json:
            print_json(records(found))
            return
        table = Table("texts of", "also in", "texts", "same", "nearly", "most alike", box=None)
        for row in found.itertuples():
            counts = (f"{row.texts}", f"{row.same}", f"{row.nearly}")
            table.add_row(str(row.second), str(row.first), *counts, f"{row.likeness:.2f}")
        out.print(table)
        for row in found[found["nearly"] > 0].itertuples():
            out.print(f"{row.first}: {row.one}", soft_wrap=True, markup=False)
            out.print(f"{row.second}: {row.other}", soft_wrap=True, markup=False)
        out.print(f"nearly: {NEAR:g} of all runs of four letters in common, or more (assumed)")
        if found["nearly"].any():
            out.print("What is measured on such texts is better than it will be on others.")
