"""The same store on PostgreSQL: a cluster of its own, started by the test in its own folder."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import twin
from tests.live_desk import TARGETS, Small, fill, next_due, pressing, queue
from tests.live_server import free_port
from tests.test_live_kill import check, check_history
from tests.test_live_store import as_of_version_7, check_of_version_7, ticket
from tests.test_provider_faults import serves
from twin.common.errors import ScenarioError
from twin.live.database import StoreError
from twin.live.history import read_history
from twin.live.kept import KeyReused
from twin.live.moves import is_held
from twin.live.store import Store
from twin.live.tables import VERSION

pytest.importorskip("psycopg")

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]


def programs():
    """Folder of initdb and postgres: on the path, or where Debian keeps them."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    return versions[0].parent if versions else None


BIN = programs()
if BIN is None:
    pytest.skip("PostgreSQL is not installed (no initdb)", allow_module_level=True)


def somebody():
    """PostgreSQL does not run as root: whose account to use instead, as options of Popen."""
    if os.name != "posix" or os.geteuid() != 0:
        return {}
    import pwd

    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    pytest.skip("PostgreSQL does not run as root, and there is no other account")


class Cluster:
    """A PostgreSQL server on loopback."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"postgresql://desk@127.0.0.1:{self.port}/postgres"
        self._data = folder / "data"
        self._who = somebody()
        self._data.mkdir()
        if self._who:
            os.chown(self._data, self._who["user"], self._who["group"])
        self._run("initdb", "-D", str(self._data), "-U", "desk", "-A", "trust", "-E", "UTF8",
                  "--no-locale", "--no-sync")  # fmt: skip
        self.process = None

    def _run(self, program, *arguments):
        command = [str(BIN / program), *arguments]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, **self._who)
        assert done.returncode == 0, done.stderr

    def start(self):
        command = [
            str(BIN / "postgres"), "-D", str(self._data), "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, cwd="/", stderr=subprocess.DEVNULL, **self._who)
        until = time.monotonic() + 60
        while True:
            try:
                store = Store(self.url)
                store.close()
                return
            except StoreError:
                assert time.monotonic() < until
                time.sleep(0.1)

    def stop(self):
        # Its fast way to end: it does not wait for clients to go.
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


@pytest.fixture(scope="module")
def cluster():
    # Not below pytest's folders, which are for their owner only.
    folder = Path(tempfile.mkdtemp(prefix="twin-postgres-"))
    folder.chmod(0o755)
    made = Cluster(folder)
    made.start()
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(cluster):
    """The URL of an empty store."""
    store = Store(cluster.url)
    with store.database.writing() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    store.close()
    return cluster.url


def test_a_desk_runs_on_it(database, tmp_path):
    small = Small(tmp_path, database=database)
    said = small.file("My payment was declined").get_json()
    assert (said["status"], said["category"]) == ("Waiting for customer", "Payment")
    assert small.file("other things").get_json()["status"] == "Pending Review"
    assert small.change(2, status="Resolved").status_code == 200
    assert small.change(2, status="Open").status_code == 409
    body = {"description": "My payment was declined", "model": said["model"], "rating": 5}
    for _ in range(2):
        headers = {"Idempotency-Key": "k"}
        assert small.client.post("/submit_feedback", json=body, headers=headers).status_code == 200
    assert [row["ticket_id"] for row in small.store.feedback()] == [1]
    values = {"at": 1.0, "description": "x", "model": "m", "rating": 1, "feedback": ""}
    with pytest.raises(KeyReused):
        small.store.add_feedback(values | {"key": "client:k"})
    assert small.path(1) == ["Open", "Categorized", "In Progress", "Waiting for customer"]
    assert small.client.get("/tickets/2147483647").status_code == 404
    small.desk.tidy()
    assert len(read_history(small.store).tickets) == 2
    small.store.close()


def test_answers_that_it_cannot_keep_are_cleaned_before(server, database, tmp_path):
    """A NUL was an error of the store, so that a ticket was asked and paid for again and again."""
    serves(server, Store(database), tmp_path)


@pytest.mark.parametrize("old", [False, True])
def test_many_who_open_it_at_once_make_it_or_bring_it_up_once(database, old):
    if old:
        first = Store(database)
        with first.database.writing() as connection:
            for column in ("category", "confidence"):
                connection.exec_driver_sql(f"ALTER TABLE calls DROP COLUMN {column}")
            for table in ("tickets", "feedback"):
                for column in ("backend", "answered_model"):
                    connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
            for table in ("messages", "outbox", "remote_tickets", "connections"):
                connection.exec_driver_sql(f"DROP TABLE {table}")
            added = ("held_since", "held_by", "answered_at", "answered_by", "resolves_at",
                     "version", "assignee", "merged_into", "suggestion")  # fmt: skip
            for column in added:
                connection.exec_driver_sql(f"ALTER TABLE tickets DROP COLUMN {column}")
            connection.exec_driver_sql("UPDATE schema_version SET version = 1")
        first.close()
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(Store, [database] * 8))
    for store in stores:
        assert store.calls() == []
        with store.database.reading() as connection:
            found = connection.exec_driver_sql("SELECT version FROM schema_version").all()
        assert found == [(VERSION,)]
        store.close()


def test_a_store_with_one_message_a_ticket_takes_more_there_and_keeps_all(database):
    old = Store(database)
    for k in range(2):
        old.receive(ticket(description=f"number {k}"))
    as_of_version_7(old)
    old.close()
    new = Store(database)
    check_of_version_7(new)
    new.close()


def test_a_database_that_goes_away_and_comes_back(cluster, database, tmp_path):
    small = Small(tmp_path, database=database)
    assert small.file().status_code == 200
    cluster.stop()
    for path in ("/health", "/tickets"):
        answer = small.client.get(path)
        assert answer.status_code == 503
        assert set(answer.get_json()) == {"error"}
    assert small.file().status_code == 503
    cluster.start()
    assert small.file().status_code == 200
    assert len(small.store.tickets()) == 2
    small.store.close()


def test_feedback_survives_kills(database, tmp_path):
    check(tmp_path, database, total=400, writers=16, kills=1)


@pytest.mark.slow
def test_ten_thousand_submissions_survive_five_kills(database, tmp_path):
    check(tmp_path, database, total=10_000, writers=16, kills=5)


def test_several_desks_share_a_store_and_a_history_without_a_fault(database, tmp_path):
    check_history(tmp_path, database, desks=2, total=24, members=6, kills=2)


@pytest.mark.slow
def test_a_long_history_of_three_desks_without_a_fault(database, tmp_path):
    check_history(tmp_path, database, desks=3, total=600, members=16, kills=12)


@pytest.mark.parametrize("targets", TARGETS)
def test_the_queue_is_in_the_same_order_there(database, tmp_path, targets):
    small = Small(tmp_path, database=database, changes={"targets": targets})
    fill(small.store)
    every = queue(small.client)
    assert len(every) == 48
    assert every == sorted(every, key=pressing)
    assert queue(small.client, 7) == every
    assert any(map(next_due, every)) == bool(targets)
    small.store.close()


def test_leases_go_by_the_databases_clock(database, monkeypatch):
    """As two machines would have it whose own clocks are ten minutes apart."""
    ahead, behind = Store(database), Store(database)
    now = time.time()
    values = {
        "key": None, "received_at": now, "description": "x", "priority": "normal", "model": "m",
        "use_rag": True,
    }  # fmt: skip
    row, _ = behind.receive(values | behind.lease(60.0))
    assert abs(row["held_since"] - now) < 30
    monkeypatch.setattr(time, "time", lambda: now + 600.0)
    assert ahead.take(row, 60.0) is None
    ahead.tidy(ahead.clock(), 60.0)
    assert ahead.ticket(row["id"])["status"] == "Open"
    # It is no file, so none is refused.
    ahead.claim()
    behind.claim()
    assert is_held(behind.ticket(row["id"]), behind.clock())
    ahead.close()
    behind.close()


def test_two_desks_do_not_pay_for_the_same_draft(database, tmp_path):
    desks = [Small(tmp_path, database=database) for _ in range(2)]
    first, second = desks
    first.file("unsure")
    asked = [len(one.assistant.asked) for one in desks]
    first.assistant.hold.clear()
    with ThreadPoolExecutor() as pool:
        waits = pool.submit(first.client.post, "/tickets/1/draft")
        until = time.monotonic() + 20
        while len(first.assistant.asked) == asked[0]:
            assert time.monotonic() < until
            time.sleep(0.005)
        # The desks are processes of their own to the database: each has its own connections.
        late = second.client.post("/tickets/1/draft")
        first.assistant.hold.set()
        made = waits.result(20)
    assert (made.status_code, late.status_code) == (200, 409)
    assert "is being written" in late.get_json()["error"]
    again = second.client.post("/tickets/1/draft")
    assert again.get_json()["suggestion"] == made.get_json()["suggestion"]
    assert [len(one.assistant.asked) for one in desks] == [asked[0] + 1, asked[1]]
    assert sum(call["step"] == "respond" for call in first.store.calls(1)) == 1
    for one in desks:
        one.store.close()


def test_a_claim_is_free_again_when_its_process_is_gone(database):
    one, other = Store(database), Store(database)
    with one.database.claiming("draft", 7) as mine, other.database.claiming("draft", 8) as too:
        assert mine
        assert too
        with other.database.claiming("draft", 7) as late:
            assert not late
        # What PostgreSQL does when a process dies: its connections end.
        with other.database.writing() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                "AND pid <> pg_backend_pid()"
            )
        until = time.monotonic() + 20
        while True:
            with other.database.claiming("draft", 7) as free:
                if free:
                    break
            assert time.monotonic() < until
            time.sleep(0.05)
    # Neither is held now, whatever became of the connections.
    for number in (7, 8):
        with one.database.claiming("draft", number) as mine:
            assert mine
    one.close()
    other.close()


def test_its_history_is_read_as_that_of_a_file(database, tmp_path):
    stores = {database: Small(tmp_path, database=database)}
    (tmp_path / "file").mkdir()
    own = Small(tmp_path / "file")
    stores[str(tmp_path / "file" / "desk.sqlite")] = own
    found = []
    for where, small in stores.items():
        for text in ("My payment was declined", "other things", "I cannot log in"):
            small.file(text)
        assert small.change(2, status="Resolved").status_code == 200
        small.store.close()
        found.append(twin.read_history(where, zone="UTC", texts=True))
    first, second = (history.log.tickets for history in found)
    for column in ("category_true", "priority", "status", "resolved_by", "reopens"):
        assert first[column].astype(str).tolist() == second[column].astype(str).tolist()
    assert found[0].texts["description"].tolist() == found[1].texts["description"].tolist()
    secret = database.replace("desk@", "desk:opensesame@")
    saved = twin.read_history(secret, zone="UTC").save(tmp_path / "h")
    assert all(b"opensesame" not in one.read_bytes() for one in saved.iterdir())
    with pytest.raises(ScenarioError) as error:
        twin.read_history(secret.replace("/postgres", "/nothing"), zone="UTC")
    assert "opensesame" not in str(error.value)
