"""A crowd at desks that are killed, and a check of what their store says afterwards.

Each of the crowd is a customer and the agent of their own tickets: files one, answers it where the
assistant did not, says of some answers that they helped and of others that they did not, reopens
some and gives them back to the assistant, and rates it. A request whose
answer was lost, or not waited for, is sent again, to any of the desks. What was acknowledged is
noted, as is when the provider was asked about what; `faults` holds that against the store.
"""

import http.client
import random
import threading
import time
import uuid
from collections import Counter
from contextlib import ExitStack
from itertools import pairwise

from fault_server import KEY, FaultServer

from tests.live_server import Server, environment, scenario_file
from twin.records.tables import STATUSES, TRANSITIONS

OK, RESPOND, CATEGORIZE = "ok", "respond", "categorize"
PATIENCE_S = 90
# Time limit of an answer, so that leases run out soon.
TIMEOUT_S = 1


class Provider(FaultServer):
    """A provider that takes its time and remembers when it was asked about what.

    Attributes
    ----------
    asked : list of tuple
        Moment, step, and text of the ticket.
    """

    def __init__(self):
        super().__init__()
        self.latency_s = 0.1
        self.asked = []

    def next_fault(self, body):
        step = RESPOND if body.get("response_format") is None else CATEGORIZE
        text = " ".join(message["content"] for message in body["messages"])
        number = text.rsplit("order number ", 1)[1].split()[0].strip('."')
        self.asked.append((time.time(), step, text_of(number)))
        return "ok"


def text_of(number):
    return f"My card was declined, order number {number}"


class Crowd:
    """See the module.

    Parameters
    ----------
    servers : list of Server
    seed : int

    Attributes
    ----------
    answers : dict
        Last answer to each text that was acknowledged.
    changes : dict
        Changes of status that were made, by ticket, in order.
    ratings : list
        Comments that were acknowledged.
    troubles : list
        Exceptions that ended a member.
    """

    def __init__(self, servers, seed):
        self._servers, self._seed = servers, seed
        self.answers, self.changes, self.ratings, self.troubles = {}, {}, [], []
        self.retries = 0

    def start(self, total, members):
        self._threads = [
            threading.Thread(target=self._member, args=(n, range(n, total, members)))
            for n in range(members)
        ]
        for thread in self._threads:
            thread.start()

    def finish(self):
        for thread in self._threads:
            thread.join()
        if self.troubles:
            raise self.troubles[0]

    def _member(self, number, mine):
        luck = random.Random(f"{self._seed} {number}")
        try:
            for k in mine:
                self._visit(luck, text_of(k))
        except BaseException as trouble:
            self.troubles.append(trouble)

    def _ask(self, luck, method, path, body=None, key=None):
        """An answer, of whichever desk gives one; whether it is not yet one is told by None."""
        headers = {"Idempotency-Key": key} if key else {}
        # Some do not wait: they send it again, to another desk, while the first is at work on it.
        patience_s = 0.05 if luck.random() < 0.3 else 30
        try:
            status, said = luck.choice(self._servers).ask(method, path, body, headers, patience_s)
        except (OSError, http.client.HTTPException):
            status, said = 503, {}
        if status in (503, 504) and "ticket_id" not in said:
            self.retries += 1
            time.sleep(0.02 + 0.1 * luck.random())
            return None, {}
        return status, said

    def _until(self, luck, *asked, wanted=(200,), **more):
        end = time.monotonic() + PATIENCE_S
        while True:
            status, said = self._ask(luck, *asked, **more)
            if status in wanted:
                return said
            assert status in (None, 409), (status, said)
            assert time.monotonic() < end, f"never: {asked}: {said}"
            time.sleep(0.02)

    def _visit(self, luck, text):
        key = uuid.uuid4().hex
        # A ticket whose call failed (504) is kept for agents, and that is an answer, too.
        said = self._until(
            luck, "POST", "/process_ticket", {"description": text}, key=key, wanted=(200, 502, 504)
        )
        number = said["ticket_id"]
        self.answers[text] = said
        self.changes[number] = []
        status = self._answered(luck, number)
        if status == "Resolved" and luck.random() < 0.4:
            self._change(luck, number, status="Reopened")
            self._change(luck, number, status="In Progress")
            self._change(luck, number, status="Categorized", category="Payment")
            self._answered(luck, number)
        rated = {"description": text, "rating": 4, "feedback": text, "ticket_id": number}
        self._until(luck, "POST", "/submit_feedback", rated, key=uuid.uuid4().hex)
        self.ratings.append(text)

    def _answered(self, luck, number):
        """Answer a ticket that the assistant did not resolve; its status then."""
        end = time.monotonic() + PATIENCE_S
        while True:
            status = self._until(luck, "GET", f"/tickets/{number}")["status"]
            if status == "Resolved":
                return status
            assert time.monotonic() < end, f"{number} stays {status}"
            if status == "Waiting for customer":
                self._reply(luck, number, helped=luck.random() < 0.7)
            elif status == "In Progress":
                self._change(luck, number, status="Resolved", response=f"By hand: {number}")
            else:
                self._change(luck, number, status="In Progress")

    def _reply(self, luck, number, helped):
        """Say once whether an answer helped, under one key, to whichever desk hears it."""
        said = {"helped": helped, "text": f"said of {number}"}
        self._until(luck, "POST", f"/tickets/{number}/reply", said, key=uuid.uuid4().hex)
        self.changes[number].append("Resolved" if helped else "Reopened")

    def _change(self, luck, number, **change):
        """Change a ticket once; where the answer was lost, its history tells whether it did."""
        path, wanted = f"/tickets/{number}", change["status"]

        def made():
            found = self._until(luck, "GET", path)["changes"]
            return sum(c["by"] in ("agent", "customer") for c in found)

        before = made()
        end = time.monotonic() + PATIENCE_S
        while True:
            status, said = self._ask(luck, "PATCH", path, change)
            assert status in (200, 409, None), (status, said)
            if status == 200 or made() > before:
                self.changes[number].append(wanted)
                return
            if status == 409 and "can only become" in said["error"]:
                return
            assert time.monotonic() < end, f"{number} never became {wanted}: {said}"
            time.sleep(0.05)


def faults(store, crowd, asked=()):
    """Faults of a store, by what a crowd saw and what the provider was asked."""
    found = []
    rows = {row["id"]: row for row in store.tickets()}
    texts = Counter(row["description"] for row in rows.values())
    found += [f"{text}: {n} tickets" for text, n in texts.items() if n > 1]
    found += [f"{text}: acknowledged and lost" for text in crowd.answers if not texts[text]]
    said = Counter(row["feedback"] for row in store.feedback())
    found += [f"rating of {t}: {said[t]} times" for t in crowd.ratings if said[t] != 1]
    for text, answer in crowd.answers.items():
        row = rows.get(answer["ticket_id"])
        if row is None or row["description"] != text:
            found.append(f"{text}: its number leads to another ticket")
        elif not crowd.changes[row["id"]] and row["response"] != answer["response"]:
            found.append(f"{text}: another answer than was acknowledged")
    for row in rows.values():
        found += [f"ticket {row['id']}: {why}" for why in _history(store, row, crowd)]
        found += [f"ticket {row['id']}: {why}" for why in _paid(store, row, asked)]
    return found


def _history(store, row, crowd):
    changes = store.history(row["id"])
    codes = [None, *(STATUSES.index(change["status"]) for change in changes)]
    for before, after in pairwise(codes):
        if after not in TRANSITIONS[before]:
            yield f"{STATUSES[after]} follows {before and STATUSES[before]}"
    if changes[-1]["status"] != row["status"]:
        yield f"is {row['status']}, its last change says {changes[-1]['status']}"
    thread = store.messages(row)
    answers = [m["text"] for m in thread if m["by"] in ("assistant", "agent")]
    if row["response"] is not None and answers[-1:] != [row["response"]]:
        yield f"its answer is {row['response']}, its thread ends with {answers[-1:]}"
    words = Counter((m["by"], m["at"], m["text"]) for m in thread)
    yield from (f"{word} is there twice" for word, n in words.items() if n > 1)
    back = sum(c["by"] == "customer" and c["status"] == "Reopened" for c in changes)
    if row["reopens"] != back:
        yield f"came back {back} times, counted {row['reopens']}"
    moments = [change["at"] for change in changes]
    if moments != sorted(moments):
        yield "times go back"
    if row["held_by"] is not None:
        yield "is held by somebody though all is done"
    made = [c["status"] for c in changes if c["by"] in ("agent", "customer")][1:]
    if made != crowd.changes.get(row["id"], made):
        yield f"changes {made}, acknowledged {crowd.changes[row['id']]}"


def _paid(store, row, asked):
    calls = store.calls(row["id"])
    back = sum(c["by"] == "agent" and c["status"] == "Categorized"
               for c in store.history(row["id"]))  # fmt: skip
    for step, most in ((CATEGORIZE, 1), (RESPOND, 1 + back)):
        kept = [call["ended_at"] for call in calls if (call["step"], call["outcome"]) == (step, OK)]
        if len(kept) > most:
            yield f"{step} is paid for {len(kept)} times"
        if kept and len(kept) == most:
            later = [at for at, of, text in asked
                     if (of, text) == (step, row["description"]) and at > max(kept)]  # fmt: skip
            if later:
                yield f"{step} was asked again after its answer was kept"


def trouble(folder, database, *, desks, total, members, kills, seed=12):
    """Let a crowd visit desks on one store while those are killed at random; crowd and provider."""
    with Provider() as provider, ExitStack() as stack:
        env = environment(GROQ_API_KEY=KEY, GROQ_BASE_URL=provider.url)
        scenario = scenario_file(folder)
        options = ("--backend", "groq", "--timeout", str(TIMEOUT_S))
        servers = [
            Server(folder, database, *options, scenario=scenario, env=env) for _ in range(desks)
        ]
        for server in servers:
            stack.callback(server.kill)
            server.start()
        crowd = Crowd(servers, seed)
        crowd.start(total, members)
        luck = random.Random(seed)
        for number in range(1, kills + 1):
            while len(crowd.ratings) < total * number / (kills + 1) and not crowd.troubles:
                time.sleep(0.002)
            time.sleep(0.2 * luck.random())
            server = luck.choice(servers)
            server.kill()
            server.start()
        crowd.finish()
        for server in servers:
            assert server.stop() == 0
    return crowd, provider.asked
