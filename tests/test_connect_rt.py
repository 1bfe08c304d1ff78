"""A real help desk: Request Tracker 5 of Debian, answered, rated, pulled, calibrated.

The long one, 1,000 tickets with ten kills, takes about a quarter of an hour:

    pytest -m slow tests/test_connect_rt.py -s
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager

import pytest

from tests.live_desk import Small
from tests.live_server import environment, free_port
from tests.rt_server import HERE, WITHOUT, request_tracker
from tests.test_connect_dialogue import ASKED, PAYMENT, Asks
from twin.cli.app import main
from twin.live.bodies import FOR_AGENTS
from twin.live.connectors.help_desk import iso
from twin.live.web import make_server

pytestmark = [
    pytest.mark.network,
    pytest.mark.enable_socket,
    pytest.mark.skipif(not HERE, reason=WITHOUT),
]
FIELDS = {"category_field": "Category", "rating_field": "Satisfaction"}
SETTINGS = """
since = {since}
category_field = "Category"
rating_field = "Satisfaction"
poll_s = 1.0
settle_s = {settle_s}
priorities = {{ Payment = "high" }}
"""


@pytest.fixture(scope="module")
def rt(tmp_path_factory):
    with request_tracker(tmp_path_factory.mktemp("rt")) as server:
        yield server


@contextmanager
def desk_at_work(folder, kind=Small):
    """A live desk behind its API, in this process."""
    small = kind(folder)
    port = free_port()
    server = make_server(small.app, "127.0.0.1", port, places=2)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield small, f"http://127.0.0.1:{port}"
    finally:
        server.close()
        small.store.close()


class Connector:
    """The connector's process, and what it has noted in the store."""

    def __init__(self, folder, rt, backend, since=0.0, reply="public", settle_s=3.0):
        settings = folder / "connect.toml"
        settings.write_text(SETTINGS.format(settle_s=settle_s, since=iso(since)))
        self.database = str(folder / "desk.sqlite")
        self._log = (folder / "connector.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.connector_lives", "--tool", "rt", "--settings",
             str(settings), "--reply", reply, "--port", str(free_port())],
            env=environment(TWIN_RT_URL=rt.url, TWIN_RT_TOKEN=rt.token, TWIN_BACKEND=backend,
                            TWIN_DATABASE=self.database),
            cwd=folder, stdout=subprocess.PIPE, stderr=self._log, text=True,
        )  # fmt: skip
        self.life = int(self._process.stdout.readline())
        self.kills = 0

    def counts(self):
        query = "SELECT state, COUNT(*) FROM outbox GROUP BY state"
        # Opened anew: one that stays open while others of the file are killed may see an old state.
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as base:
            return dict(base.execute(query).fetchall())

    def kill(self):
        """As by kill -9; it is started again at once."""
        os.kill(self.life, signal.SIGKILL)
        self.life = int(self._process.stdout.readline())
        self.kills += 1

    def until(self, wanted, within_s):
        until = time.monotonic() + within_s
        while not wanted(self.counts()):
            assert time.monotonic() < until, self.counts()
            assert self._process.poll() is None
            time.sleep(0.03)

    def stop(self):
        self._process.kill()
        os.kill(self.life, signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()
        self._log.close()


def written(rt, tickets):
    """Of each ticket what the connector wrote: pairs of kind and text."""
    threads = rt.threads(tickets)
    return {
        ticket: [(kind, text) for kind, who, text in threads[ticket]
                 if who == "twin" and kind in ("Correspond", "Comment")]
        for ticket in tickets
    }  # fmt: skip


def texts(count):
    kinds = ("I cannot log in", "payment failed", "unsure what to do", "other things")
    return [("Help", f"{kinds[k % 4]}, number {k}") for k in range(count)]


def check_once(rt, tickets, store, filed):
    """Each ticket is in the desk once, and has one message of the connector's."""
    rows, every = {row["description"]: row for row in store.tickets()}, written(rt, tickets)
    assert len(store.tickets()) == len(rows) == len(tickets)
    for ticket, (subject, text) in zip(tickets, filed, strict=True):
        row = rows[f"{subject}\n\n{text}"]
        (message,) = every[ticket]
        answered = row["status"] == "Waiting for customer"
        assert message[0] == ("Correspond" if answered else "Comment")
        assert row["category"] in message[1]


def play(rt, folder, backend, store, filed, tickets, kills, since=0.0):
    """Kill the connector while it works; it, and the seconds that it took."""
    count = len(tickets)
    connector = Connector(folder, rt, backend, since)
    try:
        began = time.monotonic()
        for k in range(kills):
            done = count * (k + 1) // (kills + 2)
            # In the midst of a message: begun, and not noted as done.
            connector.until(lambda now, done=done: (
                (now.get("done", 0) >= done and now.get("begun")) or now == {"done": count}
            ), 2 * count + 60)  # fmt: skip
            connector.kill()
        connector.until(lambda now: now == {"done": count}, 2 * count + 60)
        took = time.monotonic() - began
        check_once(rt, tickets, store, filed)
        assert connector.kills == kills
        return connector, took
    except BaseException:
        connector.stop()
        raise


def test_tickets_are_answered_once_though_the_connector_is_killed(rt, tmp_path):
    filed, since = texts(12), time.time()
    tickets = rt.file(filed)
    with desk_at_work(tmp_path) as (small, backend):
        connector, _ = play(rt, tmp_path, backend, small.store, filed, tickets, 3, since)
        try:
            # The first customer is not content, the second writes again.
            first, second = tickets[0], tickets[1]
            rated = rt.root.put(f"/ticket/{first}", json={"CustomFields": {"Satisfaction": "1"}})
            assert rated.status_code == 200
            rt.mail([(second, "It still fails.")])
            wanted = {"I cannot log in, number 0", "payment failed, number 1"}
            until = time.monotonic() + 60
            while True:
                back = {row["description"].partition("\n\n")[2] for row in small.store.tickets()
                        if row["status"] == "Reopened"}  # fmt: skip
                if back == wanted:
                    break
                assert time.monotonic() < until, back
                time.sleep(0.1)
        finally:
            connector.stop()
        (rating,) = small.store.feedback()
        assert (rating["rating"], rating["backend"]) == (1, "embedded")
        (row,) = [row for row in small.store.tickets() if row["description"].endswith("number 1")]
        said = [message["text"] for message in small.store.messages(row)]
        assert said[-1].strip() == "It still fails."
        # What it set stands in RT; what was not sure, not.
        shown = rt.root.get(f"/ticket/{second}").json()
        fields = {one["name"]: one["values"] for one in shown["CustomFields"]}
        assert (fields["Category"], shown["Priority"]) == (["Payment"], "100")
        assert rt.root.get(f"/ticket/{tickets[2]}").json()["CustomFields"][1]["values"] == []
        # Ratings of histories are of tickets that are resolved.
        assert rt.root.put(f"/ticket/{first}", json={"Status": "resolved"}).status_code == 200
        pulled_and_read(rt, tmp_path, len(rt.tickets))
        log = (tmp_path / "connector.log").read_text()
        assert rt.token not in log
        assert "log in" not in log


# A customer's further words, and what is written to the first one and to these.
REPLIES = ("My payment was declined.", "It still fails.")
DIALOGUE = [("Correspond", ASKED), ("Correspond", PAYMENT), ("Correspond", FOR_AGENTS)]


def dialogues(rt, tickets, connector, kills, within_s):
    """Customers reply to all that is written to them, while the connector is killed at random."""
    luck, said = random.Random(kills), dict.fromkeys(tickets, 0)
    whole = len(tickets) * len(DIALOGUE)
    until = time.monotonic() + within_s
    while True:
        every = written(rt, tickets)
        due = [n for n in tickets if len(every[n]) > said[n] and said[n] < len(REPLIES)]
        rt.mail([(number, REPLIES[said[number]]) for number in due])
        for number in due:
            said[number] += 1
        if sum(map(len, every.values())) >= whole and connector.counts() == {"done": whole}:
            return
        assert time.monotonic() < until, (said, connector.counts())
        time.sleep(luck.uniform(0.0, 2.0))
        # At any moment, but spread over all of the work.
        done = connector.counts().get("done", 0)
        if connector.kills < kills and done >= whole * connector.kills // (kills + 1):
            # Each second time in the midst of a message, where one is begun soon.
            soon = time.monotonic() + (3.0 if connector.kills % 2 else 0.0)
            while time.monotonic() < soon and not connector.counts().get("begun"):
                time.sleep(0.03)
            connector.kill()


def check_dialogues(rt, tickets, store, filed):
    """Each message is there once, in order; each word of a customer counts once."""
    every = written(rt, tickets)
    rows = {row["description"]: row for row in store.tickets()}
    assert len(rows) == len(store.tickets()) == len(tickets)
    for ticket, (subject, text) in zip(tickets, filed, strict=True):
        told = [(kind, said.rpartition("\n\n[twin-")[0]) for kind, said in every[ticket]]
        assert told == DIALOGUE
        row = rows[f"{subject}\n\n{text}"]
        thread = [message["text"].strip() for message in store.messages(row)][1:]
        assert thread == [ASKED, REPLIES[0], PAYMENT, REPLIES[1]]
        assert (row["status"], row["reopens"]) == ("Reopened", 1)


def vague(count):
    return [("Help", f"Hi there {k}") for k in range(count)]


def test_questions_replies_and_answers_pass_once_and_in_order_though_it_is_killed(rt, tmp_path):
    filed, since = vague(2), time.time()
    tickets = rt.file(filed)
    with desk_at_work(tmp_path, Asks) as (small, backend):
        connector = Connector(tmp_path, rt, backend, since)
        try:
            dialogues(rt, tickets, connector, 4, 180)
        finally:
            connector.stop()
        check_dialogues(rt, tickets, small.store, filed)
        # A quick machine may be done before the last.
        assert 2 <= connector.kills <= 4
        # RT opens a ticket that its customer writes to: a person finds it there.
        shown = rt.root.get(f"/ticket/{tickets[0]}").json()
        fields = {one["name"]: one["values"] for one in shown["CustomFields"]}
        assert (shown["Status"], shown["Priority"]) == ("open", "100")
        assert fields["Category"] == ["Payment"]


def pulled_and_read(rt, folder, count):
    """The desk's history by `twin pull`."""
    out = folder / "history"
    wanted = ["pull", "rt", "--since", "2026-01-01", "--out", str(out), "--json", "--zone", "UTC",
              "--category-field", "Category", "--rating-field", "Satisfaction"]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWIN_RT_URL", rt.url)
        patch.setenv("TWIN_RT_TOKEN", rt.token)
        patch.setattr(sys, "argv", ["twin", *wanted])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code in (0, None)
    from twin.history.desk_history import open_history

    history = open_history(out)
    assert len(history.log.tickets) == count
    assert history.too_little == ""
    assert set(history.log.tickets["category"].dropna()) == {"Login", "Payment", "Other"}
    assert history.log.ratings["rating"].tolist() == [1]
    for file in (*out.rglob("*"), *out.with_name("history.pulled").rglob("*")):
        if file.is_file():
            assert rt.token.encode() not in file.read_bytes()
            assert b"customers.example" not in file.read_bytes()
    return history


@pytest.mark.slow
def test_two_hundred_dialogues_and_ten_kills(tmp_path):
    filed, began = vague(200), time.monotonic()
    with (request_tracker(tmp_path / "rt", filed, workers=2) as rt,
          desk_at_work(tmp_path, Asks) as (small, backend)):  # fmt: skip
        tickets = rt.tickets
        connector = Connector(tmp_path, rt, backend)
        try:
            dialogues(rt, tickets, connector, 10, 7200)
        finally:
            connector.stop()
        check_dialogues(rt, tickets, small.store, filed)
        with closing(sqlite3.connect(connector.database)) as base:
            (again,) = base.execute("SELECT COUNT(*) FROM outbox WHERE tries > 1").fetchone()
    print(json.dumps({
        "tickets": len(tickets), "messages": len(tickets) * len(DIALOGUE), "again": again,
        "kills": connector.kills, "seconds": round(time.monotonic() - began),
    }))  # fmt: skip


@pytest.mark.slow
def test_a_thousand_tickets_and_ten_kills(tmp_path):
    filed = texts(1000)
    with request_tracker(tmp_path / "rt", filed, workers=2) as rt:
        tickets = rt.tickets
        with desk_at_work(tmp_path) as (small, backend):
            connector, took = play(rt, tmp_path, backend, small.store, filed, tickets, 10)
            connector.stop()
        told = {"tickets": len(tickets), "kills": connector.kills, "seconds": round(took)}
        # Spread over eight weeks, so that there is a desk to be calibrated.
        rt.spread(tickets, 8 * 7 * 86_400)
        history = pulled_and_read_all(rt, tmp_path, 1000)
        print(json.dumps(told | {"pulled": len(history.log.tickets)}))


def pulled_and_read_all(rt, folder, count):
    import twin
    from twin.live.connectors.accounts import Account
    from twin.live.connectors.choose import source, wire_of
    from twin.live.connectors.help_desk import Rules
    from twin.live.connectors.pulled import about_pull, pull

    account = Account("rt", rt.url, "", rt.token)
    with closing(wire_of(account)) as wire:
        desk = source(account, wire, Rules(**FIELDS))
        about = about_pull(account.name, 1.0, False)
        history = pull(desk, about, 1.0, folder / "history", "rt", "UTC")
    assert len(history.log.tickets) == count
    found = twin.calibrate(history)
    assert found is not None
    return history
