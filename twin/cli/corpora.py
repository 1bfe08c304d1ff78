"""The command ``twin corpus``: a desk's own texts and articles, as the twin reads them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from twin.cli.terminal import BAD_INPUT, Json, err, fail, out, plain_errors, print_json, records

if TYPE_CHECKING:
    from twin.assistant.held_back import HeldBack

_MOST_ROWS = 40


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command("corpus")(corpus)


def corpus(
    history: Annotated[
        Path,
        typer.Argument(help="Folder of a history (twin import --texts).", show_default=False),
    ],
    articles: Annotated[
        Path | None,
        typer.Option(help="Folder of articles (Markdown, HTML, text), or JSON of a help centre."),
    ] = None,
    to: Annotated[Path, typer.Option("--out", help="Folder of the corpus.")] = Path("my-corpus"),
    by: Annotated[
        str,
        typer.Option(help="Column that tells categories: category, tags, group, channel; default: "
                     "the first of them that tells two kinds."),
    ] = "",
    floor: Annotated[
        int, typer.Option(min=2, help="Categories with fewer earlier texts become one: other.")
    ] = 30,
    held_back: Annotated[
        float, typer.Option(help="Share of the tickets, the latest, to measure on.")
    ] = 0.3,
    since: Annotated[
        str | None, typer.Option(help="First day to measure on, instead: 2026-03-01.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a corpus that is there.")
    ] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Make a corpus of a history's texts: earlier ones to learn from, later ones to measure on.

    Mail addresses, links, long numbers and names that are said to be names are masked. Texts stay
    on this machine.
    """
    with plain_errors("--out"):
        from twin.common.text import command
        from twin.history.corpus_folder import refuse_taken, write_corpus
        from twin.history.desk_history import open_history
        from twin.history.own_articles import read_articles
        from twin.history.own_corpus import own_corpus

        refuse_taken(to, replace)
        found = own_corpus(open_history(history), by, floor, held_back, _day(since))
        names = [str(name) for name in found.counts["category"]]
        helped = read_articles(articles, names) if articles is not None else None
        folder = write_corpus(found, helped, to, replace)
        measured = folder.held_back()
        notes = [*found.notes, *(helped.notes if helped is not None else ())]
        if as_json:
            print_json({
                "folder": str(to), "by": found.by, "split": found.split.isoformat(),
                "categories": records(found.counts), "notes": notes,
                "articles": 0 if helped is None else len(helped.found), **as_data(measured),
            })  # fmt: skip
            return
        table = Table("category", "to learn from", "held back", box=None, pad_edge=False)
        for row in records(found.counts.head(_MOST_ROWS)):
            table.add_row(str(row["category"]), f"{row['train']:,}", f"{row['desk']:,}")
        out.print(table)
        if len(found.counts) > _MOST_ROWS:
            out.print(f"and {len(found.counts) - _MOST_ROWS:,} more")
        out.print(f"categories by {found.by}; held back: what came from {found.split} on")
        for note in notes:
            err.print(f"note: {note}")
        tell(measured)
        count = "no articles" if helped is None else f"{len(helped.found):,} articles"
        out.print(f"corpus: {to}, with {count}", soft_wrap=True)
        out.print(f"next: {command('twin', 'calibrate', history, '--corpus', to)}", soft_wrap=True)


def _day(text: str | None) -> Any:
    from datetime import date

    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f'--since: a day is written as 2026-03-01, not "{text}"', BAD_INPUT)


def tell(measured: HeldBack) -> None:
    """Print quality on held-back texts."""
    table = Table("on held-back texts", "n", "share", box=None, pad_edge=False)
    for row in records(measured.table.head(_MOST_ROWS)):
        name = ", ".join(filter(None, (row["figure"], row["category"])))
        share = f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        table.add_row(name, f"{row['n']:,}", share)
    out.print(table)
    least = measured.threshold
    sure = (
        f"sure: confidence {least:g} and more, where 90 % were right among the "
        f"{measured.learnt:,} texts that were learnt, each left out in turn"
        if least < 1
        else "it is never sure: at no confidence 90 % were right among the "
        f"{measured.learnt:,} texts that were learnt, each left out in turn"
    )
    out.print(f"[95 % intervals]; {sure}", soft_wrap=True)


def as_data(measured: HeldBack) -> dict[str, Any]:
    """Quality on held-back texts, for programs."""
    return {
        "threshold": measured.threshold, "learnt": measured.learnt,
        "held_back": records(measured.table),
    }  # fmt: skip
