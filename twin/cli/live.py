"""The commands of the live desk: ``twin serve``, ``live-scenario``, ``feedback``, ``tickets``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from twin.cli.terminal import (
    BAD_INPUT,
    FAILED,
    Changes,
    err,
    fail,
    name_provider,
    out,
    plain_errors,
)

if TYPE_CHECKING:
    from twin.live.serve import Part
    from twin.live.store import Store

DATABASE = "live/desk.sqlite"
DATABASE_VARIABLE = "TWIN_DATABASE"

Database = Annotated[
    str,
    typer.Option(envvar=DATABASE_VARIABLE, help="A file (SQLite), or postgresql://HOST/NAME."),
]
Replace = Annotated[bool, typer.Option("--replace", help="Replace a file that is there.")]
File = Annotated[Path, typer.Argument(help="A JSON file.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands to `twin`."""
    app.command()(serve)
    app.command("live-scenario")(live_scenario)
    for name, commands, words in (
        ("feedback", (export_feedback, import_feedback), "Feedback of the live desk as JSON."),
        ("tickets", (export_tickets, import_tickets), "Tickets of the live desk as JSON."),
    ):
        group = typer.Typer(help=words, no_args_is_help=True, rich_markup_mode=None)
        for verb, command in zip(("export", "import"), commands, strict=True):
            group.command(verb)(command)
        app.add_typer(group, name=name)


@contextmanager
def _errors() -> Iterator[None]:
    """As `plain_errors`, after a check that the live desk is installed."""
    with plain_errors():
        try:
            import sqlalchemy  # noqa: F401
        except ModuleNotFoundError:
            fail('the live desk takes its extra: pip install "support-desk-twin[live]"', FAILED)
        yield


def _scenario(path: Path | None) -> Path:
    from twin.scenario.file import starter

    return path or starter() / "live-desk.toml"


def serve(
    scenario: Annotated[
        Path | None,
        typer.Option(help="The desk's rules; default: the shipped live-desk.toml."),
    ] = None,
    changes: Changes = None,
    database: Database = DATABASE,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the API.")] = 5000,
    page_port: Annotated[int, typer.Option(min=1, max=65535, help="Of the page.")] = 8501,
    host: Annotated[
        str, typer.Option(help="Address of the API; others than this machine's take TWIN_TOKEN.")
    ] = "127.0.0.1",
    backend: Annotated[
        Literal["auto", "groq", "embedded"],
        typer.Option(help="Who answers; auto: groq where there is a key, else embedded."),
    ] = "auto",
    rate: Annotated[
        float | None,
        typer.Option(min=0, help="Requests a second of one client; default 1000, 20 elsewhere."),
    ] = None,
    no_page: Annotated[bool, typer.Option("--no-page", help="The API only.")] = False,
    connect: Annotated[
        Literal["zendesk", "rt"] | None,
        typer.Option(help="Answer the new tickets of this help desk."),
    ] = None,
    connect_settings: Annotated[
        Path | None, typer.Option(help="A TOML file: address, fields, priorities; no token.")
    ] = None,
    connect_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Of the webhooks, on this machine.")
    ] = 5001,
    reply: Annotated[
        Literal["note", "public"],
        typer.Option(help="public: what the assistant answers or asks on its own goes to "
                     "customers; else all are internal notes."),
    ] = "note",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be written to the help desk, and "
                           "write nothing; no store is kept.")
    ] = False,
) -> None:  # fmt: skip
    """Run the live desk: an API and a page, until Ctrl-C."""
    with _errors():
        from twin.experiments.checks import check
        from twin.live import serve as parts
        from twin.live.server import choose_backend, find_token
        from twin.scenario.changes import parse_change
        from twin.scenario.file import load

        # Also here, so that faults are told at once, and only once.
        find_token(host)
        path = _scenario(scenario)
        desk = choose_backend(
            load(path, dict(parse_change(text) for text in changes or [])), backend
        )
        check(desk)
        arguments = ["--scenario", str(path), "--backend", backend]
        for change in changes or []:
            arguments += ["--set", change]
        if rate is not None:
            arguments += ["--rate", str(rate)]
        running = [parts.backend(arguments, host, port)]
        connector = _connector(connect, connect_settings, connect_port, reply, dry_run)
        page = None if no_page else parts.page(page_port)
        if page is not None:
            running.append(page)
        elif not no_page:
            err.print('no page: it takes pip install "support-desk-twin[live]"')
        if connector is not None:
            running.append(connector)
        kind = desk.assistant.backend
        name_provider(surely=kind == "groq")
        if kind == "embedded":
            err.print(
                "no key is in use: the desk answers by backend embedded, with no language model"
            )

        def ready(parts: Sequence[Part]) -> None:
            for part in parts:
                out.print(f"{part.name}: {part.url}", soft_wrap=True)
            sys.stdout.flush()

        near = running[0].near
        url = f"http://{f'[{near}]' if ':' in near else near}:{port}"
        # The database may hold a password, and anybody can read the arguments of a process.
        with _kept_in(database, dry_run) as store:
            environment = {"TWIN_BACKEND": url, DATABASE_VARIABLE: store}
            environment |= parts.desk_of(path, changes or [])
            parts.serve(running, environment, ready)
        err.print("stopped")


def _connector(
    tool: str | None, file: Path | None, port: int, reply: str, dry_run: bool
) -> Part | None:  # fmt: skip
    """The part that answers a help desk's tickets; faults of its settings are told at once."""
    from twin.live import serve as parts

    if tool is None:
        if file is not None or reply != "note" or dry_run:
            fail("--connect-settings, --reply and --dry-run go with --connect", BAD_INPUT)
        return None
    from twin.live.connectors.accounts import find_account
    from twin.live.connectors.settings import read_settings

    settings = read_settings("" if file is None else str(file))
    find_account(tool, settings.url, settings.user)
    arguments = ["--tool", tool, "--reply", reply, *(["--dry-run"] if dry_run else [])]
    arguments += ["--settings", str(file)] if file is not None else []
    return parts.connector(arguments, port)


@contextmanager
def _kept_in(database: str, dry_run: bool) -> Iterator[str]:
    """The store; that of a dry run is gone at its end, so that nothing counts as handled."""
    if not dry_run:
        yield database
        return
    with TemporaryDirectory(prefix="twin-dry-run-") as folder:
        yield str(Path(folder) / "desk.sqlite")


@contextmanager
def _store(database: str) -> Iterator[Store]:
    from twin.live.store import Store

    if "://" not in database and not Path(database).exists():
        # An address without its beginning may hold a password.
        shown = database.rpartition("@")[2]
        fail(f"{shown}: no such store; name it with --database", BAD_INPUT)
    store = Store(database)
    try:
        yield store
    finally:
        store.close()


def _export(kind: str, items: str, file: Path, database: str, replace: bool) -> None:
    with _errors(), _store(database) as store:
        from twin.live import exchange

        number = getattr(exchange, f"export_{kind}")(store, file, replace)
        out.print(f"{number} {items} written to {file}", soft_wrap=True)


def _import(kind: str, items: str, file: Path, database: str) -> None:
    with _errors():
        from twin.live import exchange
        from twin.live.store import Store

        # Made here if it is not there yet, unlike in `_store`.
        with closing(Store(database)) as store:
            new, known = getattr(exchange, f"import_{kind}")(store, file)
        out.print(f"{new} {items} stored, {known} were there")


def export_feedback(file: File, database: Database = DATABASE, replace: Replace = False) -> None:
    """Write all feedback to a file, as description, model, rating, feedback."""
    _export("feedback", "entries", file, database, replace)


def import_feedback(file: File, database: Database = DATABASE) -> None:
    """Store the feedback of a file; what was imported before is not stored twice."""
    _import("feedback", "entries", file, database)


def export_tickets(file: File, database: Database = DATABASE, replace: Replace = False) -> None:
    """Write all tickets to a file, as ticket_id, description, category, response, status."""
    _export("tickets", "tickets", file, database, replace)


def import_tickets(file: File, database: Database = DATABASE) -> None:
    """Store the tickets of a file under new numbers; nothing is stored twice."""
    _import("tickets", "tickets", file, database)


def live_scenario(
    file: Annotated[Path, typer.Option("--out", help="New scenario file (TOML).")] = Path(
        "live-desk-measured.toml"
    ),
    database: Database = DATABASE,
    since: Annotated[datetime | None, typer.Option(help="Only tickets from then on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only tickets before then (UTC).")] = None,
    model: Annotated[
        str | None, typer.Option(help="Whose calls to measure; default: what answered most.")
    ] = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="Arrivals and texts as they came, not as a rate.")
    ] = False,
) -> None:
    """Turn the live desk's history into a scenario, so that the twin plays the desk that runs."""
    with _errors(), _store(database) as store:
        from twin.common.text import command
        from twin.history.live_scenario import write_scenario
        from twin.live.history import read_history

        def seconds(moment: datetime | None) -> float | None:
            if moment is None:
                return None
            return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()

        history = read_history(store, seconds(since), seconds(until), model)
        for sentence in write_scenario(history, file, trace=trace):
            err.print(sentence)
        out.print(f"scenario: {file}", soft_wrap=True)
        out.print(f"  {command('twin', 'run', file)}", soft_wrap=True)
