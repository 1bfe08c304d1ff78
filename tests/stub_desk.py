"""Stands in for the live desk behind its page, and draws the page without a browser."""

from dataclasses import replace

import pytest

pytest.importorskip("streamlit", reason="the page takes the extra [live]")
from streamlit.testing.v1 import AppTest

from twin.live.page import agent_card, agent_queue
from twin.live.page import desk as customers_page
from twin.live.page.client import DeskError, Message, Suggestion, Ticket

NASTY = "<script>alert(1)</script> **bold** :red[x] $a$ [y](http://evil.example) `z`"
PAGES = {"desk": customers_page, "agent_queue": agent_queue}


class StubDesk:
    """Stands in for the client: answers at once, and remembers what it was asked."""

    def __init__(self):
        self.known = {}
        self.asked = []
        self.fault = None
        self.note = ""
        self.searches, self.versions = [], []

    def add(self, **values):
        number = len(self.known) + 1
        usual = {"category": "Login", "response": "", "status": "Escalated", "received": 1e9}
        ticket = Ticket(number, **{"description": "help", **usual, **values})
        self.known[number] = ticket
        return ticket

    def health(self):
        return {"status": "ok", "backend": "embedded", "note": self.note}

    def models(self):
        return ["small", "large"]

    def file(self, description, model, use_rag, key):
        self.asked.append(("file", description, model, use_rag, key))
        self._fail()
        return self.add(
            description=description,
            model=model,
            response=f"Answer to {description}",
            status="Resolved",
            articles=("Reset a password", NASTY) if use_rag else (),
        )

    def rate(self, ticket, rating, feedback, key):
        self.asked.append(("rate", ticket.number, rating, feedback, key))
        self._fail()

    def ticket(self, number):
        if number not in self.known:
            raise DeskError("gone", 404)
        return self.known[number]

    def reply(self, number, key, **said):
        self.asked.append(("reply", number, said, key))
        self._fail()
        now = self.known[number]
        message = Message("customer", said.get("text", ""), 1e9, said.get("helped"),
                          said.get("person", False))  # fmt: skip
        status = "Resolved" if said.get("helped") else "Reopened"
        self.known[number] = replace(
            now, messages=(*now.thread, message), status=status, resolves=None
        )

    def counts(self):
        self._fail()
        statuses = [ticket.status for ticket in self.known.values()]
        return {status: statuses.count(status) for status in statuses}

    def categories(self):
        return ["Login", "Payment"]

    def articles(self, number):
        self.asked.append(("articles", number))
        return [("Reset a password", "Press it."), (NASTY, NASTY)]

    def draft(self, number):
        self.asked.append(("draft", number))
        self._fail()
        made = Suggestion(f"Draft for {number}", "embedded", "", ("Reset a password",))
        self.known[number] = replace(self.known[number], suggestion=made)
        return self.known[number]

    def merge(self, number, into, version):
        self.asked.append(("merge", number, into, version))
        self._fail()

    def queue(self, status, most, place="", search=None):
        self.searches.append(search)
        found = sorted(
            (t for t in self.known.values() if t.status == status),
            key=lambda t: (agent_card._due(t)[1] or 1e18, t.number),
        )
        behind = int(place or 0)
        more = len(found) > behind + most
        return found[behind : behind + most], str(behind + most) if more else ""

    def change(self, number, status=None, response=None, version=None, **more):
        self.asked.append(("change", number, status, response, *([more] if more else [])))
        self.versions.append(version)
        self._fail()
        return self.known[number]

    def _fail(self):
        if self.fault is not None:
            raise self.fault


def stubbed(monkeypatch):
    """A desk that the pages of customers and agents ask in place of the real one."""
    stub = StubDesk()
    for module in PAGES.values():
        monkeypatch.setattr(module, "Client", lambda: stub)
    return stub


def draw(name, **address):
    """The page's script, run once; with what stands in the address."""
    app = AppTest.from_string(
        f"from twin.live.page import desk, {name}\ndesk.remember()\n{name}.show()",
        default_timeout=60,
    )
    for key, value in address.items():
        app.query_params[key] = value
    return whole(app.run())


def whole(app):
    assert not app.exception, [one.message for one in app.exception]
    return app


def press(app, label):
    button = next(b for b in app.button if b.label == label)
    return whole(button.click().run())


def texts(elements):
    return [element.value for element in elements]


def send(app, text):
    app.text_area[0].set_value(text)
    return press(app, "Send")


def html_of(app):
    return " ".join(element.proto.body for element in app.get("html"))


def slider(app, label):
    return next(s for s in app.slider if s.label == label)


def labels(app):
    return [b.label for b in app.button]


def protos(app):
    """All that goes to the browser, as text by kind of element."""
    found = []

    def walk(block):
        for node in block.children.values():
            if hasattr(node, "children"):
                walk(node)
            found.append(node)

    walk(app.main)
    return found


def rate(app, stars):
    app.feedback[0].set_value(stars - 1)
    return press(app, "Send rating")
