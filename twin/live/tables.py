"""The tables of the live desk's store, and how an old store is brought to this version.

Moments are seconds since 1970 (UTC) as floats, columns ``..._s`` of calls are lengths in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable

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

from twin.common.errors import TwinError
from twin.live.steps import STEPS, columns_of

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
    # True if something changed that was not looked at yet.
    Column("changed", Boolean, nullable=False, server_default=false()),
    # Number of the customer's words, behind the description, whose messages are planned already.
    Column("word", Integer, nullable=False, server_default="0"),
    UniqueConstraint("desk", "remote"),
)

# Messages for tickets of help desks: one at most for each word of the customer, in their order.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("remote_id", ForeignKey("remote_tickets.id"), nullable=False),
    # The customer's word that it follows; 0: the description.
    Column("word", Integer, nullable=False, server_default="0"),
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
    UniqueConstraint("remote_id", "word"),
)


VERSION = 1 + len(STEPS)
# Any number: on PostgreSQL its holder makes or changes the tables, and others wait.
_LOCK = 7_283_415


class WrongVersion(TwinError, RuntimeError):
    """A store made by a later version of this program, or by another program."""


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
        missing = set(table.columns.keys()) - columns_of(connection, table.name)
        if missing:
            raise WrongVersion(
                f'its table "{table.name}" has no {", ".join(sorted(missing))}: another program '
                "made it, so name another store"
            )
