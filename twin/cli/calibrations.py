"""The command ``twin calibrate``: a scenario from a desk's history."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from twin.cli.terminal import Json, Quiet, out, plain_errors, print_json, progress

if TYPE_CHECKING:
    from twin.history.calibrated import Calibration


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command("calibrate")(calibrate_desk)


def calibrate_desk(
    history: Annotated[
        Path, typer.Argument(help="Folder of a history (see `twin import`).", show_default=False)
    ],
    to: Annotated[Path, typer.Option("--out", help="The scenario file.")] = Path("my-desk.toml"),
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a scenario that is there.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Calibrate a desk to its history: a scenario whose numbers say what they rest on.

    A log of calls makes a desk of agents, fitted to the waits; a log of statuses a workflow.
    """
    with plain_errors("--out"):
        from twin.history.calibrated_file import refuse_taken, summary, write_calibrated
        from twin.history.calibration import calibrate
        from twin.history.desk_history import open_history
        from twin.history.fit.capacity import PLAYS

        refuse_taken(to, replace)
        known = open_history(history)
        with progress(PLAYS, not quiet and not as_json, "plays") as moved:
            found = calibrate(known, moved)
        write_calibrated(found, known, to, replace)
        if as_json:
            print_json(_as_data(found, to))
            return
        out.print(_table(found))
        for line in summary(found, known):
            out.print(line, soft_wrap=True)
        out.print(f"scenario: {to}", soft_wrap=True)


def _table(found: Calibration) -> Table:
    table = Table("key", "estimate", box=None, pad_edge=False)
    for one in found.estimates:
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
