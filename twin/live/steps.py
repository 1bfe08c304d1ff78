"""The steps that bring an old store of the live desk to this version."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import NoSuchTableError


def columns_of(connection: Connection, table: str) -> set[str]:
    """Names of a table's columns; none where there is no such table."""
    try:
        return {column["name"] for column in inspect(connection).get_columns(table)}
    except NoSuchTableError:
        return set()


def _id_type(connection: Connection) -> str:
    """Type of a column that numbers the rows of a table by itself."""
    return "SERIAL" if connection.dialect.name == "postgresql" else "INTEGER"


def _note_what_models_said(connection: Connection) -> None:
    # Some stores of version 1 have them already: they came before this step did.
    known = columns_of(connection, "calls")
    for name, kind in (("category", "VARCHAR(200)"), ("confidence", "DOUBLE PRECISION")):
        if name not in known:
            connection.exec_driver_sql(f"ALTER TABLE calls ADD COLUMN {name} {kind}")


def _note_what_answered(connection: Connection) -> None:
    """Tell what answered from the calls that were kept, never from the model that was asked for."""
    run = connection.exec_driver_sql
    for table in ("tickets", "feedback"):
        run(f"ALTER TABLE {table} ADD COLUMN backend VARCHAR(20) NOT NULL DEFAULT ''")
        run(f"ALTER TABLE {table} ADD COLUMN answered_model VARCHAR(200) NOT NULL DEFAULT ''")
    for column, name in (("backend", "backend"), ("model", "answered_model")):
        run(
            f"UPDATE tickets SET {name} = COALESCE((SELECT c.{column} FROM calls c WHERE "
            "c.ticket_id = tickets.id AND c.step = 'respond' AND c.outcome = 'ok' "
            "ORDER BY c.id DESC LIMIT 1), '')"
        )
    run("UPDATE tickets SET answered_model = '' WHERE backend = 'embedded'")
    # Its answer is kept where the assistant gave it on its own.
    for name in ("backend", "answered_model"):
        run(
            f"UPDATE feedback SET {name} = COALESCE((SELECT t.{name} FROM tickets t "
            "WHERE t.id = feedback.ticket_id), '') WHERE answer <> ''"
        )
    run("UPDATE feedback SET answered_model = model WHERE origin = 'import'")


def _name_leases(connection: Connection) -> None:
    for name, kind in (("held_since", "DOUBLE PRECISION"), ("held_by", "VARCHAR(40)")):
        connection.exec_driver_sql(f"ALTER TABLE tickets ADD COLUMN {name} {kind}")


def _keep_threads(connection: Connection) -> None:
    """Make the newest answer of each ticket a message; earlier ones are lost already."""
    run = connection.exec_driver_sql
    for name, kind in (
        ("answered_at", "DOUBLE PRECISION"),
        ("answered_by", "VARCHAR(20)"),
        ("resolves_at", "DOUBLE PRECISION"),
    ):
        run(f"ALTER TABLE tickets ADD COLUMN {name} {kind}")
    number = _id_type(connection)
    run(
        f"CREATE TABLE messages (id {number} PRIMARY KEY, ticket_id INTEGER NOT NULL REFERENCES "
        "tickets (id), key VARCHAR(200) UNIQUE, at DOUBLE PRECISION NOT NULL, by VARCHAR(20) NOT "
        "NULL, text TEXT NOT NULL, helped BOOLEAN, person BOOLEAN DEFAULT false NOT NULL)"
    )
    run("CREATE INDEX ix_messages_ticket_id ON messages (ticket_id)")
    run(
        "UPDATE tickets SET answered_by = resolved_by, "
        "answered_at = COALESCE(resolved_at, responded_at, received_at) WHERE response IS NOT NULL"
    )
    run(
        "INSERT INTO messages (ticket_id, at, by, text) SELECT id, answered_at, CASE resolved_by "
        "WHEN 'assistant' THEN 'assistant' WHEN 'agent' THEN 'agent' WHEN 'reviewed draft' "
        "THEN 'agent' ELSE 'desk' END, response FROM tickets WHERE response IS NOT NULL ORDER BY id"
    )


def _let_agents_work_together(connection: Connection) -> None:
    for name, kind in (
        ("version", "INTEGER NOT NULL DEFAULT 1"),
        ("assignee", "VARCHAR(200) NOT NULL DEFAULT ''"),
        ("merged_into", "INTEGER"),
        ("suggestion", "TEXT"),
    ):
        connection.exec_driver_sql(f"ALTER TABLE tickets ADD COLUMN {name} {kind}")


def _connect_help_desks(connection: Connection) -> None:
    run = connection.exec_driver_sql
    number = _id_type(connection)
    run(
        "CREATE TABLE connections (desk VARCHAR(200) PRIMARY KEY, since DOUBLE PRECISION NOT NULL, "
        "place TEXT NOT NULL)"
    )
    run(
        f"CREATE TABLE remote_tickets (id {number} PRIMARY KEY, desk VARCHAR(200) NOT NULL, "
        "remote VARCHAR(100) NOT NULL, ticket_id INTEGER REFERENCES tickets (id), updated DOUBLE "
        "PRECISION NOT NULL, priority VARCHAR(10) NOT NULL, state VARCHAR(10) NOT NULL, reason "
        "VARCHAR(200) DEFAULT '' NOT NULL, description TEXT, changed BOOLEAN DEFAULT false NOT "
        "NULL, UNIQUE (desk, remote))"
    )
    run(
        f"CREATE TABLE outbox (id {number} PRIMARY KEY, remote_id INTEGER NOT NULL UNIQUE "
        "REFERENCES remote_tickets (id), marker VARCHAR(40) NOT NULL UNIQUE, body TEXT NOT NULL, "
        "state VARCHAR(10) NOT NULL, reason VARCHAR(200) DEFAULT '' NOT NULL, planned_at DOUBLE "
        "PRECISION NOT NULL, begun_at DOUBLE PRECISION, done_at DOUBLE PRECISION, tries INTEGER "
        "NOT NULL)"
    )
    for table, column in (
        ("remote_tickets", "ticket_id"),
        ("remote_tickets", "state"),
        ("outbox", "state"),
    ):
        run(f"CREATE INDEX ix_{table}_{column} ON {table} ({column})")


def _write_more_than_once(connection: Connection) -> None:
    """Let a ticket of a help desk have several messages; all that were there stay as they are.

    Nothing that the desk said before is written now: nobody waits for it any more.
    """
    run = connection.exec_driver_sql
    run("ALTER TABLE remote_tickets ADD COLUMN word INTEGER NOT NULL DEFAULT 0")
    run(
        "UPDATE remote_tickets SET word = (SELECT COUNT(*) FROM messages m WHERE m.by = 'customer' "
        "AND m.ticket_id = remote_tickets.ticket_id)"
    )
    if connection.dialect.name == "postgresql":
        for unique in inspect(connection).get_unique_constraints("outbox"):
            if unique["column_names"] == ["remote_id"]:
                run(f'ALTER TABLE outbox DROP CONSTRAINT "{unique["name"]}"')
        run("ALTER TABLE outbox ADD COLUMN word INTEGER NOT NULL DEFAULT 0")
        run("ALTER TABLE outbox ADD UNIQUE (remote_id, word)")
        return
    # SQLite takes no constraint off a table.
    kept = "id, remote_id, marker, body, state, reason, planned_at, begun_at, done_at, tries"
    run(
        "CREATE TABLE new_outbox (id INTEGER PRIMARY KEY, remote_id INTEGER NOT NULL REFERENCES "
        "remote_tickets (id), word INTEGER NOT NULL DEFAULT 0, marker VARCHAR(40) NOT NULL UNIQUE, "
        "body TEXT NOT NULL, state VARCHAR(10) NOT NULL, reason VARCHAR(200) DEFAULT '' NOT NULL, "
        "planned_at DOUBLE PRECISION NOT NULL, begun_at DOUBLE PRECISION, done_at DOUBLE "
        "PRECISION, tries INTEGER NOT NULL, UNIQUE (remote_id, word))"
    )
    run(f"INSERT INTO new_outbox ({kept}) SELECT {kept} FROM outbox")
    run("DROP TABLE outbox")
    run("ALTER TABLE new_outbox RENAME TO outbox")
    run("CREATE INDEX ix_outbox_state ON outbox (state)")


# Step k leads from version k to k + 1, by SQL of that day: never by `twin.live.tables`, which
# changes. Version 1 is what `metadata.create_all` made first.
STEPS: tuple[Callable[[Connection], None], ...] = (
    _note_what_models_said,
    _note_what_answered,
    _name_leases,
    _keep_threads,
    _let_agents_work_together,
    _connect_help_desks,
    _write_more_than_once,
)
