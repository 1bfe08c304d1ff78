"""The command ``twin import``: a desk's history from the files that its help desk exports."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from twin.cli.terminal import BAD_INPUT, Json, err, fail, out, plain_errors, print_json

if TYPE_CHECKING:
    from twin.history.desk_history import DeskHistory
    from twin.history.gathered import Understood

_LONGEST = 60


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command("import")(import_history)


def import_history(
    files: Annotated[
        list[str],
        typer.Argument(
            help="What the help desk exports: CSV, Parquet, XLSX, JSON, XES, or the live desk's "
            "store (a file, or postgresql://HOST/NAME). Several files are of one desk.",
            show_default=False,
        ),
    ],
    to: Annotated[Path, typer.Option("--out", help="Folder of the history.")] = Path("history"),
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN", help='A column, as created="Opened on"; '
                     "with nothing behind = it is left out."),
    ] = None,
    statuses: Annotated[
        list[str] | None,
        typer.Option("--status", metavar="OWN=STATUS", help="A status of the desk in the twin's "
                     'words, as "With vendor"="On hold".'),
    ] = None,
    priorities: Annotated[
        list[str] | None,
        typer.Option("--priority", metavar="OWN=PRIORITY", help="A priority of the desk in the "
                     "twin's words (urgent, high, normal, low), as 2=high."),
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="Time zone of the desk, as Europe/London; default: UTC.")
    ] = None,
    tool: Annotated[
        str, typer.Option(help="Reader: zendesk, freshdesk, jira, servicenow, intercom, hubspot, "
                          "zoho, rt, store, events, calls, tickets; default: by the columns.")
    ] = "",
    since: Annotated[str | None, typer.Option(help="Take only what happened from then on.")] = None,
    until: Annotated[str | None, typer.Option(help="Take only what happened until then.")] = None,
    day_first: Annotated[
        bool | None,
        typer.Option("--day-first/--month-first", help="What 03/04/2026 is; default: by the "
                     "other rows."),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(help="The mapping.toml of an earlier history, to read this export alike."),
    ] = None,
    keep_names: Annotated[
        bool, typer.Option("--keep-names", help="Keep names of agents instead of codes.")
    ] = False,
    texts: Annotated[
        bool, typer.Option("--texts", help="Keep customers' texts, in a file of their own.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out rows that cannot be read (a time, a "
                     "length, a number, too few or too many cells), have no moment of "
                     "creation or less than no time, and list them.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a history that is there, by its mapping.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Take the guesses; ask nothing.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Read a desk's history, say how each column was understood, and keep it as tables of a run.

    Names of people become codes and texts are left out, unless asked for; nothing leaves this
    machine.
    """
    with plain_errors("--out", to):
        from twin.history.desk_history import MAPPING, open_history, refuse_taken
        from twin.history.imported import read_history

        refuse_taken(to, replace)
        replaced = to.exists()
        if mapping is None and (to / MAPPING).is_file():
            mapping = to / MAPPING
        asks = sys.stdin.isatty() and sys.stdout.isatty() and not yes and not as_json
        history = read_history(
            *files, zone=zone, tool=tool, since=since, until=until,
            columns=_pairs(columns, "--map"), statuses=_pairs(statuses, "--status"),
            priorities=_pairs(priorities, "--priority"),
            days_first=day_first, keep_names=keep_names, texts=texts,
            skip_bad=skip_bad, mapping=mapping, confirm=_ask if asks else None,
        )  # fmt: skip
        history.save(to, replace)
        if replaced:
            # With what was kept of the older one.
            history = open_history(to)
        if as_json:
            print_json(as_data(history, to))
        else:
            tell_history(history, to)


def _pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    found = {}
    for text in texts or []:
        key, sign, value = text.rpartition("=") if option != "--map" else text.partition("=")
        if not sign or not key.strip():
            fail(f'{option}: give it as NAME=VALUE, not "{text}"', BAD_INPUT)
        found[key.strip().strip('"')] = value.strip().strip('"')
    return found


def _meaning(one: Understood) -> str:
    from twin.history.fields import FIELDS

    field = FIELDS.get(one.field)
    return f"{one.field}: {field.meaning}" if field else one.field


def _table(rows: Sequence[Understood]) -> Table:
    table = Table("column", "understood as", "how", box=None, pad_edge=False)
    for one in rows:
        if one.field:
            table.add_row(one.column[:_LONGEST], _meaning(one), one.how)
    return table


def _left_out(rows: Sequence[Understood]) -> list[str]:
    """Columns that were left out, by the reason."""
    reasons: dict[str, list[str]] = {}
    for one in rows:
        if not one.field:
            reasons.setdefault(one.how, []).append(one.column[:_LONGEST])
    return [f"left out ({why}): {', '.join(names)}" for why, names in reasons.items()]


def _ask(rows: Sequence[Understood], names: Sequence[str]) -> Mapping[str, str]:
    """Ask about the guesses, until the user takes them."""
    from twin.history.fields import FIELDS
    from twin.history.sheet import simple

    out.print(_table(rows))
    for line in _left_out(rows):
        out.print(line, soft_wrap=True)
    out.print("Enter takes this; FIELD=COLUMN changes a field, FIELD= leaves it out.")
    known = {simple(name): name for name in names}
    given: dict[str, str] = {}
    while text := typer.prompt("change", default="", show_default=False).strip():
        field, sign, column = (part.strip() for part in text.partition("="))
        if field not in FIELDS or not sign:
            out.print(f"fields: {', '.join(FIELDS)}", soft_wrap=True)
        elif column and simple(column) not in known:
            out.print(f"columns: {', '.join(names)}", soft_wrap=True)
        else:
            given[field] = known.get(simple(column), "")
            out.print(f"{field}: {given[field] or 'left out'}")
    return given


def tell_history(history: DeskHistory, folder: Path) -> None:
    """Tell how a history was understood, and what may be done with it."""
    from twin.common.text import command
    from twin.history.desk_history import DESK

    out.print(f"read as {history.tool}: {_stretch(history)}", soft_wrap=True)
    out.print(_table(history.understood))
    for line in _left_out(history.understood):
        out.print(line, soft_wrap=True)
    for trap in history.traps:
        err.print(f"look out, {trap.name}: {trap.said}")
    for note in history.notes:
        err.print(f"note: {note}")
    for line in history.missing():
        # With its folder, so that it is found from here.
        out.print(line.replace(DESK, str(folder / DESK)), soft_wrap=True)
    out.print(f"history: {folder}", soft_wrap=True)
    out.print(f"next: {command('twin', 'report', folder)}", soft_wrap=True)
    if history.too_little:
        out.print(f"not yet for twin calibrate: {history.too_little}", soft_wrap=True)
    else:
        out.print(f"      {command('twin', 'calibrate', folder)}", soft_wrap=True)


def _stretch(history: DeskHistory) -> str:
    from twin.common.text import in_words

    days = round(history.log.horizon_s / 86400, 1)
    first = history.desk.start
    return (f"{len(history.log.tickets):,} tickets in {in_words(days * 86400)} from {first} "
            f"({history.desk.time_zone})")  # fmt: skip


def as_data(history: DeskHistory, folder: Path) -> dict[str, object]:
    """The same as data."""
    return {
        "folder": str(folder), "tool": history.tool, "tickets": len(history.log.tickets),
        "start": history.desk.start, "time_zone": history.desk.time_zone,
        "horizon_s": history.log.horizon_s, "not_known": sorted(history.log.unknown),
        "columns": [{"column": one.column, "field": one.field, "how": one.how}
                    for one in history.understood],
        "traps": [{"name": trap.name, "said": trap.said} for trap in history.traps],
        "notes": list(history.notes),
    }  # fmt: skip
