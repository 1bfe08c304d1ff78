"""The live desk's store: what is acknowledged is there, once, whatever else happens."""

import errno
import json
import os
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError

from twin.common.errors import ScenarioError
from twin.history.sheets import read_database
from twin.live import exchange, tables
from twin.live.connectors.outbox import Outbox
from twin.live.database import StoreError, StoreFull, StoreUnusable
from twin.live.kept import KeyReused
from twin.live.moves import NotAllowed
from twin.live.store import Store

# As the first program of this kind made it, with a ticket, its call and its rating.
OLD = Path(__file__).parent / "data" / "store-1.sql"
ENTRY = {"description": "I cannot log in", "model": "m", "rating": 5, "feedback": "Good"}
TICKET = {
    "ticket_id": 1, "description": "I cannot log in", "category": "Login", "response": "Press it.",
    "status": "In Progress",
}  # fmt: skip


@pytest.fixture
def store(tmp_path):
    made = Store(str(tmp_path / "desk.sqlite"))
    yield made
    made.close()


def ticket(key=None, description="I cannot log in", **values):
    return {
        "key": key, "received_at": 1000.0, "description": description, "priority": "normal",
        "model": "m", "use_rag": True, **values,
    }  # fmt: skip


def rated(key=None, **values):
    return {"key": key, "at": 1000.0, "answered_model": "m", **ENTRY, **values}


def test_what_was_stored_is_there_after_opening_again(tmp_path):
    path = str(tmp_path / "new" / "folder" / "desk.sqlite")
    first = Store(path)
    row, fresh = first.receive(ticket())
    assert fresh
    first.add_feedback(rated())
    first.close()
    second = Store(f"sqlite:///{path}")
    assert second.ticket(row["id"]) == row
    assert second.history(row["id"])[0]["status"] == "Open"
    assert second.feedback()[0]["rating"] == 5
    second.close()


def test_the_file_is_for_its_owner_only_and_kept_safely(store, tmp_path):
    assert (tmp_path / "desk.sqlite").stat().st_mode & 0o077 == 0
    with store.database.reading() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_key_counts_once_and_not_for_something_else(store):
    first, fresh = store.receive(ticket("k"))
    again, new = store.receive(ticket("k"))
    assert (again, fresh, new) == (first, True, False)
    with pytest.raises(KeyReused):
        store.receive(ticket("k", "another"))
    store.add_feedback(rated("k"))
    assert store.add_feedback(rated("k"))[1] is False
    with pytest.raises(KeyReused):
        store.add_feedback(rated("k", rating=1))
    assert (len(store.tickets()), len(store.feedback())) == (1, 1)
    # Without a key each is its own.
    store.receive(ticket())
    store.receive(ticket())
    assert len(store.tickets()) == 3


def test_many_at_once_lose_nothing_and_count_once(store):
    def submit(writer):
        for k in range(20):
            for _ in range(2):
                store.add_feedback(rated(f"{writer}-{k}", feedback=f"{writer} {k}"))
                store.receive(ticket(f"shared-{k}"))

    threads = [threading.Thread(target=submit, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = [row["feedback"] for row in store.feedback()]
    assert sorted(said) == sorted(f"{n} {k}" for n in range(8) for k in range(20))
    assert sorted(row["key"] for row in store.tickets()) == sorted(f"shared-{k}" for k in range(20))


def test_a_ticket_moves_only_as_allowed_and_from_where_it_was_seen(store):
    row, _ = store.receive(ticket())
    with pytest.raises(NotAllowed, match="Open"):
        store.move(row, [("Closed", 1.0, "agent")], {})
    with pytest.raises(NotAllowed, match="Categorized"):
        store.move(row, [("Categorized", 1.0, "agent"), ("Closed", 2.0, "agent")], {})
    moved = store.move(row, [("Escalated", 1.0, "assistant")], {"category": "Login"})
    assert (moved["status"], moved["category"]) == ("Escalated", "Login")
    call = {
        "step": "respond", "backend": "embedded", "model": "m", "prompt_version": "1",
        "asked_at": 1.0, "ended_at": 2.0, "prompt_tokens": 1, "completion_tokens": 1,
        "max_tokens": 9, "articles": 0, "outcome": "ok",
    }  # fmt: skip
    # A desk that saw it Open comes too late; the call was made all the same.
    assert store.move(row, [("Escalated", 2.0, "agent")], {}, [call]) is None
    assert [c["status"] for c in store.history(row["id"])] == ["Open", "Escalated"]
    assert len(store.calls(row["id"])) == 1


def test_two_who_change_a_ticket_at_once_do_not_both_win(store):
    row, _ = store.receive(ticket())
    won = []
    gate = threading.Barrier(8)

    def change(n):
        gate.wait()
        if store.move(row, [("Escalated", float(n), "agent")], {}) is not None:
            won.append(n)

    threads = [threading.Thread(target=change, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.history(row["id"])[-1]["at"] == won[0]


def test_a_transaction_that_fails_leaves_nothing(store):
    def fail():
        with store.database.writing() as connection:
            connection.execute(tables.desks.insert().values(at=1.0, scenario="{}"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.desk() is None


def test_a_full_disk_is_told_apart_and_leaves_nothing(store):
    with store.database.reading() as connection:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    with store.database.writing() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count={used}")
    kept = 0

    def fill():
        nonlocal kept
        for _ in range(20):
            store.add_feedback(rated(feedback="x" * 5000))
            kept += 1

    with pytest.raises(StoreFull):
        fill()
    assert len(store.feedback()) == kept


def test_a_file_is_imported_whole_or_not_at_all(store, tmp_path):
    with store.database.reading() as connection:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    with store.database.writing() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count={used + 3}")
    entries = [ENTRY | {"feedback": f"{k}" + "x" * 2000} for k in range(30)]
    path = write(tmp_path / "feedback.json", entries)
    tickets = write(tmp_path / "tickets.json", [TICKET | {"response": "x" * 4000}] * 30)
    before = path.read_bytes()
    with pytest.raises(StoreFull):
        exchange.import_feedback(store, path)
    with pytest.raises(StoreFull):
        exchange.import_tickets(store, tickets)
    assert store.feedback() == store.tickets() == []
    assert path.read_bytes() == before
    # With room again it is all there.
    with store.database.writing() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=100000")
    assert exchange.import_feedback(store, path) == (30, 0)
    assert exchange.import_tickets(store, tickets) == (30, 0)


def test_a_locked_store_is_told(store, tmp_path, monkeypatch):
    from twin.live import database

    monkeypatch.setattr(database, "PATIENCE_S", 0.1)
    impatient = Store(str(tmp_path / "desk.sqlite"))
    other = sqlite3.connect(tmp_path / "desk.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        impatient.receive(ticket())
    other.execute("ROLLBACK")
    other.close()
    impatient.receive(ticket())
    impatient.close()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mysql://host/name", "only sqlite and postgresql"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        # This one is in memory, too, and the other is a new file of that name.
        ("sqlite:///file::memory:?uri=true", "leave out what follows"),
        ("sqlite:///desk.sqlite?mode=ro", "leave out what follows"),
        ("sqlite+aiosqlite:///x", "leave the driver out"),
        ("postgresql+asyncpg://h/x", "leave the driver out"),
        ("a\0b", "characters that no name has"),
        ("\udcff", "characters that no name has"),
        ("x\n", "characters that no name has"),
        ("://", "must be a file name"),
        ("postgresql://user:secret-word@127.0.0.1:1/x", "127.0.0.1"),
        ("postgresql://user@127.0.0.1:1/x?password=secret-word", "127.0.0.1"),
        ("postgresql://127.0.0.1:1/x?user=u&sslpassword=secret-word", "127.0.0.1"),
    ],
)
@pytest.mark.enable_socket
def test_a_database_that_cannot_be_used_is_told_without_its_password(name, words):
    with pytest.raises(StoreUnusable, match=words) as error:
        Store(name)
    assert "secret-word" not in str(error.value)


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    "where", ["u:secret-word@127.0.0.1:1/x", "127.0.0.1:1/x?password=secret-word"]
)
def test_a_history_in_a_database_is_told_without_its_password(where):
    pytest.importorskip("psycopg")
    with pytest.raises(ScenarioError, match=r"127\.0\.0\.1") as error:
        read_database(f"postgresql://{where}")
    assert "secret-word" not in str(error.value)


def test_a_file_that_is_no_database_is_left_as_it_was(tmp_path):
    path = tmp_path / "desk.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreUnusable, match="not a database"):
        Store(str(path))
    assert path.read_bytes() == b"not a database at all" * 100


def make(path, sql):
    """A SQLite file from SQL, with nothing of ours involved."""
    connection = sqlite3.connect(path)
    connection.executescript(sql)
    connection.close()
    return path


def test_a_store_of_version_1_is_brought_up_with_all_that_is_in_it(tmp_path):
    path = make(tmp_path / "desk.sqlite", OLD.read_text(encoding="utf-8"))
    for _ in range(2):
        store = Store(str(path))
        (call,) = store.calls()
        assert (call["latency_s"], call["category"], call["confidence"]) == (0.5, None, None)
        row = store.ticket(1)
        assert (row["response"], row["answered_by"]) == ("Press it.", "assistant")
        # What is known of it is its thread, and is copied once.
        thread = [(m["by"], m["at"], m["text"]) for m in store.messages(row)]
        assert thread == [
            ("customer", row["received_at"], row["description"]),
            ("assistant", row["resolved_at"], "Press it."),
        ]
        assert [c["status"] for c in store.history(1)][-1] == "Resolved"
        assert store.feedback()[0]["rating"] == 5
        with store.database.reading() as connection:
            found = connection.exec_driver_sql("SELECT version FROM schema_version").scalar_one()
        assert found == tables.VERSION
        store.close()


@pytest.mark.parametrize(
    ("backend", "answered"), [("embedded", ""), ("groq", "second"), (None, "")]
)
def test_an_old_store_tells_what_answered_by_its_calls_and_not_by_the_model_wanted(
    tmp_path, backend, answered
):
    call = "'respond','{}','{}','1',1000.0,1000.0,1000.5,{},100,9,20,0,'{}');"
    sql = OLD.read_text(encoding="utf-8")
    if backend is not None:
        row = "INSERT INTO calls VALUES({},1," + call
        failed = row.format(2, backend, "m", "NULL", "server error")
        then = row.format(3, backend, "second", 0.5, "ok")
        sql = sql.replace("COMMIT;", f"{failed}\n{then}\nCOMMIT;")
    store = Store(str(make(tmp_path / "desk.sqlite", sql)))
    for found in (store.ticket(1), store.feedback()[0]):
        assert (found["backend"], found["answered_model"]) == (backend or "", answered)
        # The same request sent again is known all the same.
        assert found["model"] == "m"
    out = tmp_path / "feedback.json"
    exchange.export_feedback(store, out)
    (entry,) = json.loads(out.read_text(encoding="utf-8"))
    assert (entry["model"], entry.get("backend")) == (answered, backend)
    store.close()


def test_a_file_that_was_imported_before_backends_were_known_is_not_imported_again(store, tmp_path):
    """Its keys, as the program of that day made them."""
    full = ENTRY | {"category": "", "answer": "", "prompt_version": ""}
    old = exchange._keys([json.dumps(full, sort_keys=True)])[0]
    store.add_feedback(rated(old, origin="import"))
    path = write(tmp_path / "feedback.json", [ENTRY, ENTRY | {"backend": "groq"}])
    assert exchange.import_feedback(store, path) == (1, 1)


def test_an_old_store_and_a_new_one_have_the_same_columns(tmp_path):
    old = make(tmp_path / "old.sqlite", OLD.read_text(encoding="utf-8"))
    columns = []
    for path in (old, tmp_path / "new.sqlite"):
        store = Store(str(path))
        with store.database.reading() as connection:
            columns.append(
                {
                    name: {column["name"] for column in inspect(connection).get_columns(name)}
                    for name in tables.metadata.tables
                }
            )
        store.close()
    assert columns[0] == columns[1]


def as_of_version_7(store):
    """Make a store one of version 7, with tickets of a help desk and the messages for them."""
    said = "INSERT INTO messages (ticket_id, at, by, text, person) VALUES ({}, {}, '{}', 'x', {})"
    row = "INSERT INTO remote_tickets (desk, remote, ticket_id, updated, priority, state, changed)"
    box = "INSERT INTO outbox (remote_id, marker, body, state, planned_at, done_at, tries)"
    with store.database.writing() as connection:
        run = connection.exec_driver_sql
        for name in ("outbox", "remote_tickets", "connections"):
            run(f"DROP TABLE {name}")
        tables.STEPS[5](connection)
        for number in (1, 2):
            for k, by in enumerate(("assistant", "customer", "customer")[: 4 - number]):
                run(said.format(number, 1000.0 + k, by, "false"))
            run(f"{row} VALUES ('rt:x', '7{number}', {number}, 1.0, 'high', 'taken', true)")
        run(f"{row} VALUES ('rt:x', '73', NULL, 1.0, 'normal', 'read', false)")
        run(f"{box} VALUES (2, 'twin-b', '{{}}', 'done', 1001.0, 1002.0, 1)")
        run(f"{box} VALUES (1, 'twin-a', '{{}}', 'begun', 1003.0, NULL, 2)")
        run("UPDATE schema_version SET version = 7")


def check_of_version_7(store):
    """See that all of such a store is there, and that its tickets take more messages, each once."""
    box = Outbox(store.database, "rt:x")
    first, second = box.tickets("taken")
    assert [(row["remote"], row["word"]) for row in (first, second)] == [("71", 2), ("72", 1)]
    assert [row["word"] for row in box.tickets("read")] == [0]
    kept = [(m["id"], m["remote"], m["word"], m["marker"], m["state"], m["tries"], m["done_at"])
            for m in box.messages("begun", "done")]  # fmt: skip
    assert kept == [(1, "72", 0, "twin-b", "done", 1, 1002.0),
                    (2, "71", 0, "twin-a", "begun", 2, None)]  # fmt: skip
    # What was said before is not written now; each later word has its message, once.
    for word in (1, 2, 3, 3, 4):
        box.plan(first, 1, word, {"text": str(word)}, 2000.0)
    planned = [(m["id"], m["word"], m["body"]) for m in box.messages("planned")]
    assert planned == [(3, 3, '{"text": "3"}'), (4, 4, '{"text": "4"}')]
    with pytest.raises(IntegrityError), store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE outbox SET word = 3 WHERE id = 4")
    with pytest.raises(IntegrityError), store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE outbox SET marker = 'twin-a' WHERE id = 4")


def test_a_store_with_one_message_a_ticket_takes_more_and_keeps_all(tmp_path):
    path = str(tmp_path / "desk.sqlite")
    old = Store(path)
    for k in range(2):
        old.receive(ticket(description=f"number {k}"))
    as_of_version_7(old)
    old.close()
    new = Store(path)
    check_of_version_7(new)
    with new.database.reading() as connection:
        run = connection.exec_driver_sql
        assert run("PRAGMA foreign_key_check").all() == []
        assert len(run("SELECT 1 FROM sqlite_master WHERE name = 'ix_outbox_state'").all()) == 1
    new.close()
    assert len(inspect_tables(path)) == len(tables.metadata.tables)


def inspect_tables(path):
    """Names of the tables of a file."""
    store = Store(path)
    with store.database.reading() as connection:
        found = inspect(connection).get_table_names()
    store.close()
    return found


def test_a_new_step_is_taken_once_and_a_newer_store_refused(tmp_path, monkeypatch):
    path = str(tmp_path / "desk.sqlite")
    Store(path).close()
    newer = tables.VERSION + 1

    def add(connection):
        connection.exec_driver_sql("ALTER TABLE desks ADD COLUMN note TEXT")

    monkeypatch.setattr(tables, "STEPS", (*tables.STEPS, add))
    monkeypatch.setattr(tables, "VERSION", newer)
    for _ in range(2):
        new = Store(path)
        with new.database.reading() as connection:
            assert connection.exec_driver_sql("SELECT note FROM desks").all() == []
        new.close()
    monkeypatch.undo()
    with pytest.raises(StoreUnusable, match=f"version {newer}"):
        Store(path)


def test_a_step_that_fails_changes_nothing(tmp_path, monkeypatch):
    path = str(tmp_path / "desk.sqlite")
    Store(path).close()

    def half(connection):
        connection.exec_driver_sql("ALTER TABLE desks ADD COLUMN note TEXT")
        connection.exec_driver_sql("ALTER TABLE nothing ADD COLUMN note TEXT")

    monkeypatch.setattr(tables, "STEPS", (*tables.STEPS, half))
    monkeypatch.setattr(tables, "VERSION", tables.VERSION + 1)
    with pytest.raises(StoreUnusable):
        Store(path)
    monkeypatch.undo()
    store = Store(path)
    with store.database.reading() as connection:
        columns = connection.exec_driver_sql("PRAGMA table_info(desks)").all()
    assert "note" not in {column[1] for column in columns}
    store.close()


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("CREATE TABLE tickets (id INTEGER, subject TEXT)", 'table "tickets" has no'),
        ("CREATE TABLE schema_version (number INTEGER)", 'table "schema_version" has no version'),
        ("CREATE TABLE schema_version (version INTEGER)", "version None"),
        (
            "CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (0)",
            "version 0",
        ),
        (
            "CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (1)",
            "no such table: calls",
        ),
        (
            "CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (2)",
            "no such table: tickets",
        ),
        (
            "CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (3)",
            "no such table: tickets",
        ),
        (
            "CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (4)",
            "no such table: tickets",
        ),
        (
            "CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (5)",
            "no such table: tickets",
        ),
        (
            "CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (6)",
            "no such table: messages",
        ),
        (
            "CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (7)",
            "no such table: remote_tickets",
        ),
        (
            "CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (8)",
            'table "connections" has no desk, place, since: another program',
        ),
    ],
)
def test_a_database_of_another_program_is_refused_and_left_as_it_was(tmp_path, sql, words):
    path = make(tmp_path / "desk.sqlite", sql)
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match=words):
        Store(str(path))
    assert path.read_bytes() == before


@pytest.fixture
def clock(store, monkeypatch):
    """The store's clock, to be set."""
    now = [1000.0]
    monkeypatch.setattr(store.database, "clock", lambda: now[0])
    return now


def status_of(store, row):
    return store.ticket(row["id"])["status"]


def test_a_lease_is_taken_by_one_runs_out_and_goes_to_agents(store, clock):
    row, _ = store.receive(ticket(**store.lease(1000.0)))
    assert (row["held_since"], row["held_until"]) == (1000.0, 2000.0)
    clock[0] = 1999.0
    assert store.take(row, 75.0) is None
    clock[0] = 2000.0
    taken = store.take(row, 1000.0)
    assert taken["held_until"] == 3000.0
    assert taken["held_by"] != row["held_by"]
    # Who saw the lease before it went to another cannot take it, too.
    assert store.take(row, 1000.0) is None
    store.tidy(5000.0, 60.0)
    assert status_of(store, row) == "Open"
    clock[0] = 3001.0
    # The machine's own clock was set back before the ticket came; it is no earlier than that.
    store.tidy(900.0, 60.0)
    assert status_of(store, row) == "Escalated"
    assert [change["at"] for change in store.history(row["id"])] == [1000.0, 1000.0]
    assert store.ticket(row["id"])["held_by"] is None


def test_who_lost_a_lease_changes_nothing_even_where_the_status_is_the_same_again(store, clock):
    first, _ = store.receive(ticket(**store.lease(10.0)))
    clock[0] = 1010.0
    second = store.take(first, 10.0)
    assert store.move(first, [("Escalated", 1011.0, "assistant")], {"draft": "mine"}) is None
    assert status_of(store, first) == "Open"
    assert store.move(second, [("Escalated", 1012.0, "assistant")], {"draft": "yours"})
    assert store.ticket(first["id"])["draft"] == "yours"
    # Nor does an agent's change go through once an assistant has taken the ticket.
    seen, _ = store.receive(ticket())
    store.take(seen, 10.0)
    assert store.move(seen, [("In Progress", 1013.0, "agent")], {}) is None


@pytest.mark.parametrize(("back_s", "free"), [(5.0, False), (59.0, False), (61.0, True)])
def test_a_clock_set_back_a_little_frees_nothing_and_one_set_back_far_does(
    store, clock, back_s, free
):
    # However long the lease: desks may be started with other time limits.
    for lease_s in (10.0, 6000.0):
        clock[0] = 1000.0
        row, _ = store.receive(ticket(**store.lease(lease_s)))
        clock[0] -= back_s
        assert (store.take(row, 75.0) is not None) == free


def test_a_second_desk_on_a_file_is_refused_while_the_first_runs(store, tmp_path, clock):
    held, _ = store.receive(ticket(**store.lease(1000.0)))
    free, _ = store.receive(ticket())
    store.claim()
    # What a desk held that is not there any more is free.
    assert store.take(store.ticket(held["id"]), 1000.0) is not None
    assert store.ticket(free["id"])["held_until"] is None
    assert store.database.hold()
    (tmp_path / "link.sqlite").symlink_to(tmp_path / "desk.sqlite")
    for name in ("desk.sqlite", "link.sqlite", "./desk.sqlite"):
        other = Store(str(tmp_path / name))
        with pytest.raises(StoreUnusable, match="another desk runs on this store"):
            other.claim()
        # It can be read and added to all the same, as by `twin feedback import`.
        assert len(other.tickets()) == 2
        other.add_feedback(rated())
        other.close()
    assert store.take(store.ticket(held["id"]), 1000.0) is None
    store.close()
    again = Store(str(tmp_path / "desk.sqlite"))
    again.claim()
    again.close()


# Files


def write(path, data):
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_feedback_goes_out_and_comes_in_once(store, tmp_path):
    store.add_feedback(rated(category="Login", answer="Press it.", prompt_version="1"))
    store.add_feedback(rated(feedback="Grüße \U0001f600"))
    out = tmp_path / "feedback.json"
    assert exchange.export_feedback(store, out) == 2
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written[1] == ENTRY | {"feedback": "Grüße \U0001f600"}
    assert written[0]["category"] == "Login"
    other = Store(str(tmp_path / "other.sqlite"))
    assert exchange.import_feedback(other, out) == (2, 0)
    assert exchange.import_feedback(other, out) == (0, 2)
    again = tmp_path / "again.json"
    exchange.export_feedback(other, again)
    assert again.read_bytes() == out.read_bytes()
    other.close()


def test_equal_entries_of_a_file_are_all_kept(store, tmp_path):
    path = write(tmp_path / "feedback.json", [ENTRY, ENTRY, ENTRY])
    assert exchange.import_feedback(store, path) == (3, 0)
    assert exchange.import_feedback(store, path) == (0, 3)


def test_tickets_go_out_and_come_in_once(store, tmp_path):
    path = write(tmp_path / "sample_tickets.json", [TICKET, TICKET | {"status": "Open"}])
    assert exchange.import_tickets(store, path) == (2, 0)
    assert exchange.import_tickets(store, path) == (0, 2)
    out = tmp_path / "out.json"
    assert exchange.export_tickets(store, out) == 2
    assert json.loads(out.read_text(encoding="utf-8")) == [
        TICKET, TICKET | {"ticket_id": 2, "status": "Open"},
    ]  # fmt: skip
    assert store.history(1)[0]["status"] == "In Progress"


@pytest.mark.parametrize("status", ["Open", "Resolved", "Closed"])
@pytest.mark.parametrize("response", ["", "Please try again."])
def test_an_imported_ticket_is_resolved_by_its_status(store, tmp_path, status, response):
    item = TICKET | {"status": status, "response": response}
    assert exchange.import_tickets(store, write(tmp_path / "tickets.json", [item])) == (1, 0)
    (row,) = store.tickets()
    assert (row["resolved_at"] is not None) == (status != "Open")
    assert (row["answered_at"] is not None) == bool(response)


def test_a_file_that_is_there_is_not_written_over(store, tmp_path):
    path = write(tmp_path / "feedback.json", [ENTRY])
    before = path.read_bytes()
    for export in (exchange.export_feedback, exchange.export_tickets):
        with pytest.raises(ScenarioError, match="already"):
            export(store, path)
    assert path.read_bytes() == before
    exchange.export_feedback(store, path, replace=True)
    # Texts of customers are for their owner alone.
    assert os.name == "nt" or path.stat().st_mode & 0o077 == 0
    exchange.export_tickets(store, tmp_path / "tickets.json")
    assert os.name == "nt" or (tmp_path / "tickets.json").stat().st_mode & 0o077 == 0
    assert json.loads(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("export", [exchange.export_feedback, exchange.export_tickets])
def test_an_export_to_a_full_disk_names_its_file_and_leaves_it_as_it_was(
    store, tmp_path, monkeypatch, export
):
    path = write(tmp_path / "out.json", [ENTRY])

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left") as error:
        export(store, path, replace=True)
    assert error.value.filename == str(path)
    assert json.loads(path.read_text(encoding="utf-8")) == [ENTRY]
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b'[{"description": "a" "b"}]', "line 1, column 22"),
        # Python 3.13 points at the comma, earlier ones behind it.
        (b'[{"description": "a",}]', "line 1, column 2[12]"),
        (b'[\n{"description": "a"', "line 2"),
        (b"[\xff]", "byte 1"),
        (b"{}", "list"),
        (b"[" * 100_000, "nested"),
        (b'["x"]', "1"),
    ],
)
@pytest.mark.parametrize("kind", ["feedback", "tickets"])
def test_a_damaged_file_is_refused_with_its_place(store, tmp_path, kind, content, place):
    path = tmp_path / f"{kind}.json"
    path.write_bytes(content)
    with pytest.raises(ScenarioError, match=place):
        getattr(exchange, f"import_{kind}")(store, path)
    assert path.read_bytes() == content
    assert store.feedback() == store.tickets() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "Nobody"}, "status must be one of"),
        ({"description": " "}, "description must not be empty"),
        ({"ticket_id": True}, "ticket_id must be a whole number"),
        ({"category": 7}, "category must be text"),
        ({"response": "x" * 9000}, "more than 8000"),
        ({"response": "a\x00"}, "not text"),
        ({"more": 1}, "must be an object of"),
    ],
)
def test_a_wrong_ticket_is_refused_with_its_number_and_none_is_stored(
    store, tmp_path, change, words
):
    path = write(tmp_path / "tickets.json", [TICKET, TICKET | change])
    with pytest.raises(ScenarioError, match=f"ticket 2.*{words}"):
        exchange.import_tickets(store, path)
    assert store.tickets() == []


def test_a_wrong_entry_is_refused_and_none_is_stored(store, tmp_path):
    path = write(tmp_path / "feedback.json", [ENTRY, ENTRY | {"description": "a\x00b"}])
    with pytest.raises(ScenarioError, match="entry 2"):
        exchange.import_feedback(store, path)
    assert store.feedback() == []
