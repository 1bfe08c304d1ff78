"""The command ``twin calibrate``: a scenario from a desk's history."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from twin.cli.terminal import (
    Json,
    Quiet,
    Workers,
    cores,
    err,
    interrupted,
    out,
    plain_errors,
    print_json,
    progress,
)

if TYPE_CHECKING:
    from twin.history.calibrated import Calibration

_MANY_TICKETS = 5_000


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command("calibrate")(calibrate_desk)


def calibrate_desk(
    history: Annotated[
        Path, typer.Argument(help="Folder of a history (see `twin import`).", show_default=False)
    ],
    to: Annotated[Path, typer.Option("--out", help="The scenario file.")] = Path("my-desk.toml"),
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Know only what happened from then on.",
                     show_default=False),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Know only what happened until then: later days are "
                     "left for twin fidelity to predict.", show_default=False),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a scenario that is there.")
    ] = False,
    corpus: Annotated[
        Path | None,
        typer.Option(help="Folder of twin corpus: tickets are of the categories of its texts."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Of all luck of the search, and of the desk that is found.",
                     show_default=False),
    ] = None,
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Calibrate a desk to its history: a scenario whose numbers say what they rest on.

    A log of calls makes a desk of agents, fitted to the waits; a log of statuses a workflow. Of a
    desk that began today, such as a live desk, minutes do. Where it is ended before it is done, the
    same command goes on from there. Logs of calls are played more than a hundred times: with the
    extra fast (numba) that takes about a third of the time.
    """
    with plain_errors("--out"):
        from twin.common.text import command
        from twin.desk.engines import INSTALL, has_numba
        from twin.history.calibrated_file import refuse_taken, summary, write_calibrated
        from twin.history.calibration import calibrate
        from twin.history.call_desk import PLAYS
        from twin.history.corpus_folder import open_corpus
        from twin.history.desk_history import open_history
        from twin.history.kept_plays import folder_of, forget
        from twin.history.own_corpus import with_categories
        from twin.history.part import days_after, minutes_after, part_of
        from twin.history.stretch_desk import is_stretch

        refuse_taken(to, replace)
        whole = open_history(history)
        known = part_of(whole, since, until)
        if corpus is not None:
            own = open_corpus(corpus)
            known = with_categories(known, own.categories(), own.rest)
        # To start processes takes longer than to play a small desk.
        several = cores() if len(known.log.tickets) >= _MANY_TICKETS else 1
        kept = folder_of(to)
        if known.tells_work and len(known.log.tickets) >= _MANY_TICKETS and not has_numba():
            err.print(
                f"note: this log is played more than a hundred times; with numba ({INSTALL}) that "
                "takes about a third of the time (and half a minute more the first time, to "
                "compile), and finds the same"
            )
        try:
            with progress(PLAYS, not quiet and not as_json, "plays") as moved:
                found = calibrate(known, moved, kept=kept, workers=workers or several, seed=seed)
        except KeyboardInterrupt:
            goes_on = "; what was played stays, and the same command goes on from there"
            interrupted(f"interrupted{goes_on if kept.is_dir() else ''}")
        write_calibrated(found, known, to, replace)
        forget(kept)
        if as_json:
            print_json(_as_data(found, to))
            return
        out.print(_table(found))
        for line in summary(found, known):
            out.print(line, soft_wrap=True)
        out.print(f"scenario: {to}", soft_wrap=True)
        left = minutes_after(whole, known) if is_stretch(known) else days_after(whole, known)
        if left:
            then = command("twin", "fidelity", to, history, "--test", left[0])
        else:
            then = command("twin", "run", to)
            out.print("twin fidelity has no day to predict: --until leaves some", soft_wrap=True)
        out.print(f"next: {then}", soft_wrap=True)


def _table(found: Calibration) -> Table:
    table = Table("key", "estimate", box=None, pad_edge=False)
    for one in found.estimates:
        # The heads of each hour stand in the file.
        if not one.key.endswith("]"):
            table.add_row(one.key, str(one))
    return table


def _as_data(found: Calibration, to: Path) -> dict[str, object]:
    gap = None if found.capacity is None else asdict(found.capacity.gap)
    return {
        "scenario": str(to),
        "days": len(found.days),
        "gap": gap,
        "said": list(found.said),
        "estimates": [
            {
                "key": one.key,
                "value": one.value,
                "low": one.low,
                "high": one.high,
                "n": one.n,
                "method": one.method,
                "assumed": one.assumed,
            }
            for one in found.estimates
        ],
    }
