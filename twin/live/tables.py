"""The tables of the live desk's store, and the steps that bring an old store to this version.

Moments are seconds since 1970 (UTC) as floats, columns ``..._s`` of calls are lengths in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.exc import NoSuchTableError

from twin.common.errors import TwinError

metadata = MetaData()

schema = Table("schema_version", metadata, Column("version", Integer, nullable=False))

# The scenario that the desk was run by, each time that it changed, as JSON.
desks = Table(
    "desks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("scenario", Text, nullable=False),
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", Integer, primary_key=True),
    # Of the request that filed it (Idempotency-Key), so that a retry files nothing twice.
    Column("key", String(200), unique=True),
    # "live", or "import" for tickets of a file: those say nothing about when tickets arrive.
    Column("origin", String(10), nullable=False),
    Column("received_at", Double, nullable=False),
    Column("description", Text, nullable=False),
    # Hash of the description: a feedback without a ticket's number finds its ticket by it.
    Column("digest", String(64), nullable=False),
    Column("priority", String(10), nullable=False),
    # The model that was asked for, whatever answered.
    Column("model", String(200), nullable=False),
    Column("use_rag", Boolean, nullable=False),
    Column("status", String(20), nullable=False),
    Column("category", String(200)),
    Column("confidence", Double),
    Column("categorized_by", String(20)),
    # The assistant's draft, and the text that was sent.
    Column("draft", Text),
    Column("response", Text),
    Column("articles", Text, nullable=False),
    # Of the draft: the backend, its language model (empty: none) and its prompts; empty: unknown.
    Column("backend", String(20), nullable=False, server_default=""),
    Column("answered_model", String(200), nullable=False, server_default=""),
    Column("prompt_version", String(40), nullable=False),
    Column("responded_at", Double),
    Column("resolved_at", Double),
    Column("resolved_by", String(20)),
    # Of `response`, the newest answer: its moment and who gave it. It may still wait for the
    # customer's word, where the ticket is not resolved yet.
    Column("answered_at", Double),
    Column("answered_by", String(20)),
    # When a ticket that waits for its customer is resolved without a word; missing: it waits on.
    Column("resolves_at", Double),
    Column("reopens", Integer, nullable=False),
    # Rises with every change and every word of the customer: who saw an older one is told so.
    Column("version", Integer, nullable=False, server_default="1"),
    # The agent whose ticket it is, by a name of their own choice; empty: nobody's.
    Column("assignee", String(200), nullable=False, server_default=""),
    # The ticket that it became a part of.
    Column("merged_into", Integer),
    # The assistant's draft that an agent asked for, with what wrote it, as JSON.
    Column("suggestion", Text),
    # Lease of the desk that works on it, by the store's clock: it runs out if that desk died. Each
    # lease has a name of its own, by which its holder knows it again.
    Column("held_until", Double),
    Column("held_since", Double),
    Column("held_by", String(40)),
    Index("tickets_by_status", "status", "id"),
    Index("tickets_by_digest", "digest"),
    Index("tickets_by_time", "received_at"),
)

changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False, index=True),
    Column("at", Double, nullable=False),
    Column("status", String(20), nullable=False),
    # customer, assistant, agent or desk (changes that need nobody).
    Column("by", String(20), nullable=False),
)

# The thread of a ticket after its description, which is the customer's first message.
messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False, index=True),
    # Of the customer's request, so that a retry says nothing twice.
    Column("key", String(200), unique=True),
    Column("at", Double, nullable=False),
    # customer, assistant or agent; desk: nobody knows who wrote it.
    Column("by", String(20), nullable=False),
    Column("text", Text, nullable=False),
    # Of customers: whether the answer helped, where they say, and whether they ask for a person.
    Column("helped", Boolean),
    Column("person", Boolean, nullable=False, server_default=false()),
)

calls = Table(
    "calls",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False, index=True),
    Column("step", String(20), nullable=False),
    Column("backend", String(20), nullable=False),
    Column("model", String(200), nullable=False),
    Column("prompt_version", String(40), nullable=False),
    Column("asked_at", Double, nullable=False),
    # Missing where the model was never called, because all its places stayed taken.
    Column("started_at", Double),
    Column("ended_at", Double, nullable=False),
    # Without waits for a place or for quota; missing where the call failed.
    Column("latency_s", Double),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("max_tokens", Integer, nullable=False),
    Column("articles", Integer, nullable=False),
    Column("outcome", String(20), nullable=False),
    # The model's own answer, also where an agent changed it later.
    Column("category", String(200)),
    Column("confidence", Double),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(200), unique=True),
    Column("origin", String(10), nullable=False),
    Column("at", Double, nullable=False),
    Column("ticket_id", ForeignKey("tickets.id"), index=True),
    Column("description", Text, nullable=False),
    # The model that was asked for, or that a file names.
    Column("model", String(200), nullable=False),
    Column("rating", Integer, nullable=False),
    Column("feedback", Text, nullable=False),
    Column("category", String(200), nullable=False),
    Column("answer", Text, nullable=False),
    # As of tickets; all empty where a person answered.
    Column("backend", String(20), nullable=False, server_default=""),
    Column("answered_model", String(200), nullable=False, server_default=""),
    Column("prompt_version", String(40), nullable=False),
)

# Help desks that are connected: the place in their changes (JSON), and since when tickets of theirs
# are answered.
connections = Table(
    "connections",
    metadata,
    Column("desk", String(200), primary_key=True),
    Column("since", Double, nullable=False),
    Column("place", Text, nullable=False),
)

# Tickets of help desks: `remote` is their number there. See `twin.live.connectors.outbox`.
remote_tickets = Table(
    "remote_tickets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("desk", String(200), nullable=False),
    Column("remote", String(100), nullable=False),
    Column("ticket_id", ForeignKey("tickets.id"), index=True),
    Column("updated", Double, nullable=False),
    Column("priority", String(10), nullable=False),
    # found, read, taken or left; why it was left.
    Column("state", String(10), nullable=False, index=True),
    Column("reason", String(200), nullable=False, server_default=""),
    # The customer's text, once it was read: the desk is asked with the same one again.
    Column("description", Text),
    # Whether something changed that was not looked at yet.
    Column("changed", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("desk", "remote"),
)

# Messages for tickets of help desks.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("remote_id", ForeignKey("remote_tickets.id"), nullable=False, unique=True),
    # By which the message is found in the help desk.
    Column("marker", String(40), nullable=False, unique=True),
    Column("body", Text, nullable=False),
    # planned, begun, done or failed; why it failed.
    Column("state", String(10), nullable=False, index=True),
    Column("reason", String(200), nullable=False, server_default=""),
    Column("planned_at", Double, nullable=False),
    Column("begun_at", Double),
    Column("done_at", Double),
    Column("tries", Integer, nullable=False),
)


def _note_what_models_said(connection: Connection) -> None:
    # Some stores of version 1 have them already: they came before this step did.
    known = _columns(connection, "calls")
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
    number = "SERIAL" if connection.dialect.name == "postgresql" else "INTEGER"
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
    number = "SERIAL" if connection.dialect.name == "postgresql" else "INTEGER"
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


# Step k leads from version k to k + 1, by SQL of that day: never by the tables above, which change.
# Version 1 is what `metadata.create_all` made first.
STEPS: tuple[Callable[[Connection], None], ...] = (
    _note_what_models_said,
    _note_what_answered,
    _name_leases,
    _keep_threads,
    _let_agents_work_together,
    _connect_help_desks,
)
VERSION = 1 + len(STEPS)
# Any number: on PostgreSQL its holder makes or changes the tables, and others wait.
_LOCK = 7_283_415


class WrongVersion(TwinError, RuntimeError):
    """A store made by a later version of this program, or by another program."""


def _columns(connection: Connection, table: str) -> set[str]:
    try:
        return {column["name"] for column in inspect(connection).get_columns(table)}
    except NoSuchTableError:
        return set()


def migrate(connection: Connection) -> None:
    """Bring a store, new or old, to this version; within one transaction.

    Raises
    ------
    WrongVersion
        If the store is of a later version than this program knows, or its tables are not ours.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    if not inspect(connection).has_table(schema.name):
        metadata.create_all(connection)
        connection.execute(insert(schema).values(version=VERSION))
    _check_columns(connection, (schema,))
    found = connection.execute(select(schema.c.version)).scalar()
    if found is None or not 1 <= found <= VERSION:
        raise WrongVersion(
            f"the store is of version {found}, this program knows 1 to {VERSION}: update it, or "
            "name another store"
        )
    for step in STEPS[found - 1 :]:
        step(connection)
    if found < VERSION:
        connection.execute(update(schema).values(version=VERSION))
    _check_columns(connection, metadata.sorted_tables)


def _check_columns(connection: Connection, tables: Iterable[Table]) -> None:
    """Check the tables' columns when the store is opened, not first when a ticket needs them."""
    for table in tables:
        missing = set(table.columns.keys()) - _columns(connection, table.name)
        if missing:
            raise WrongVersion(
                f'its table "{table.name}" has no {", ".join(sorted(missing))}: another program '
                "made it, so name another store"
            )
