"""The command ``twin fidelity``."""

from __future__ import annotations

from collections.abc import Iterable
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
    fail,
    out,
    plain_errors,
    print_json,
    progress,
    records,
)

if TYPE_CHECKING:
    from twin.history.fidelity.fidelity import Fidelity
    from twin.scenario.model import Scenario


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
            "(2026-10-12..2026-10-25); or two moments of a day (2026-10-12T09:30..2026-10-12T10); "
            "default: the last quarter, in whole weeks.",
            show_default=False,
        ),
    ] = None,
    change: Annotated[
        Path | None,
        typer.Option(
            help="Test a change that the history holds: a scenario file that extends the twin's, "
            "with the change as the only difference.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="DAY",
            help="With --change: its first day (2026-03-22); the twin is calibrated to the days "
            "before.",
            show_default=False,
        ),
    ] = None,
    runs: Annotated[
        int,
        typer.Option(min=5, max=1000, help="Of each rung; of a change 20 or more, of minutes 100."),
    ] = 5,
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
        from twin.common.files import make_writable
        from twin.history.call_desk import sessions_of
        from twin.history.fidelity.fidelity import fidelity as compare
        from twin.history.fidelity.minutes import is_stretch
        from twin.history.fidelity.records import open_records
        from twin.history.fidelity.tables import answer
        from twin.history.kinds import kinds_as
        from twin.scenario.changes import parse_change
        from twin.scenario.file import load

        wanted = dict(parse_change(text) for text in changes or [])
        desk = load(scenario, wanted)
        if (change is None) != (at is None):
            fail("--change and --at go together: what changed, and from which day on", BAD_INPUT)
        if change is not None and at is not None:
            if test is not None or roster is not None or page is not None:
                fail("--change goes without --test, --roster and --page", BAD_INPUT)
            plan = (desk, load(change, wanted), history, at)
            _test_change(*plan, runs, workers or cores(), as_json=as_json, quiet=quiet)
            return
        if is_stretch(test) and test is not None:
            if roster is not None or page is not None:
                fail("moments in --test go without --roster and --page", BAD_INPUT)
            _test_minutes(desk, history, test, runs, workers, as_json=as_json, quiet=quiet)
            return
        if page is not None:
            make_writable(page.parent)
        try:
            real = kinds_as(open_records(history), desk)
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
        elif quiet:
            _say(answer(found))
        else:
            _show(found)
        if page is not None:
            from twin.report.fidelity import write

            out.print(f"page: {write(found, page)}", soft_wrap=True)


def _say(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        out.print(sentence, soft_wrap=True)


def _test_change(
    desk: Scenario,
    changed: Scenario,
    history: Path,
    at: str,
    runs: int,
    workers: int,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    from twin.history.fidelity.change import RUNS, back_test, cells
    from twin.history.fidelity.records import open_records

    runs = max(runs, RUNS)
    try:
        real = open_records(history)
        with progress(3 * runs, shown=not quiet and not as_json, what="runs") as told:
            found = back_test(desk, changed, real, at, runs=runs, workers=workers, progress=told)
    except ValueError as error:
        fail(str(error), BAD_INPUT)
    if as_json:
        plain = {name: getattr(found, name) for name in ("name", "before", "after", "runs")}
        plain |= {"changes": found.changes, "as_predicted": found.as_predicted}
        plain |= {"needed": found.needed, "notes": list(found.notes)}
        print_json(plain | {"table": records(found.table)})
        return
    if quiet:
        _say(found.sentences())
        return
    out.print(f"{found.name}: before {found.before}, after {found.after}", soft_wrap=True)
    _say(found.sentences())
    heads = ("figure", "before", "real change", "predicted", "real less predicted", "without it")
    table = Table(*heads, "verdict", box=None, pad_edge=False, header_style="bold")
    for row in cells(found):
        table.add_row(*row)
    out.print(table)
    out.print(
        "Intervals of 95 %; those of real less predicted hold together. Tickets come when they "
        "came, on both sides.",
        soft_wrap=True,
    )
    for note in found.notes:
        err.print(f"note: {note}")


def _test_minutes(
    desk: Scenario,
    history: Path,
    test: str,
    runs: int,
    workers: int | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    from twin.history.fidelity.minutes import RUNS, cells, minutes
    from twin.history.fidelity.records import open_records

    runs = max(runs, RUNS)
    with progress(2 * runs, shown=not quiet and not as_json, what="runs") as told:
        real = open_records(history)
        found = minutes(desk, real, test, runs=runs, workers=workers or cores(), progress=told)
    if as_json:
        print_json({"name": found.name, "test": found.test, "runs": found.runs,
                    "table": records(found.table)})  # fmt: skip
        return
    if not quiet:
        out.print(f"{found.name}: test {found.test}", soft_wrap=True)
    _say(found.sentences())
    if quiet:
        return
    heads = ("given", "figure", "real", "twin (95 of 100 runs)", "apart", "")
    table = Table(*heads, box=None, pad_edge=False, header_style="bold")
    for row in cells(found):
        table.add_row(*row)
    out.print(table)


def _show(found: Fidelity) -> None:
    from twin.history.fidelity.tables import answer, tables

    out.print(f"{found.name}: test {found.test}")
    if found.training:
        out.print(f"training {found.training}")
    _say(answer(found))
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
