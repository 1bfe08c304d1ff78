"""A small live desk for tests: three categories, two articles, and an assistant that obeys."""

import threading
import time

import numpy as np

from twin.assistant.protocol import OK, Answers, Written
from twin.live.api import Settings, create_app
from twin.live.desk import Desk
from twin.live.store import Store
from twin.scenario.model import PRIORITIES, from_data

MODEL = "openai/gpt-oss-20b"
THANKS = {"message": "Feedback submitted successfully."}
CATEGORIES = ("Login", "Other", "Payment")
TEXTS = [
    ("I cannot log into my account.", "Login", "reset"),
    ("My card was declined twice today", "Payment", "card"),
    ("Do you sponsor sports clubs?", "Other", ""),
]
ARTICLE = """---
title: {title}
category: {category}
---
For customers.

## Steps
1. {step}
2. Ask us if that did not help.
"""


def desk_data(folder, **assistant):
    """A desk as data, with its corpus and articles in a folder."""
    lines = ["text,category,priority,article,split"]
    for text, category, article in TEXTS:
        lines += [f"{text},{category},normal,{article},desk"]
        lines += [f"{text} please,{category},normal,{article},train"]
    (folder / "corpus.csv").write_text("\n".join(lines), encoding="utf-8")
    articles = folder / "knowledge"
    articles.mkdir(exist_ok=True)
    for slug, title, category, step in (
        ("reset", "Reset your password", "Login", "Press Forgot password."),
        ("card", "Card is declined", "Payment", "Try another card."),
    ):
        text = ARTICLE.format(title=title, category=category, step=step)
        (articles / f"{slug}.md").write_text(text, encoding="utf-8")
    return {
        "name": "small",
        "horizon": "1d",
        "replications": 2,
        "arrivals": {"rate": "6/h"},
        "tickets": {"corpus": str(folder / "corpus.csv")},
        "agents": {"all": {"heads": 1, "handle_time": "5min"}},
        "provider": {"plan": "unlimited", "concurrency": 4},
        "targets": {"first_response": {"normal": "1h"}, "resolution": {"normal": "8h"}},
        "assistant": {
            "role": "full",
            "backend": "embedded",
            "model": MODEL,
            "knowledge": str(articles),
            "articles": 1,
            "confidence_threshold": 0.5,
            "review_categories": ["Other"],
            **assistant,
        },
    }


class Obedient:
    """An assistant that does as the ticket says: its words decide category, doubt and faults.

    "payment" and "other" are categories, "unsure" is doubt; `outcomes` and `raises` are how calls
    of a step end; while `hold` is set, calls wait.
    """

    columnar = False
    prompt_version = "1"

    def __init__(self, model=MODEL, retrieval=True):
        self.model = model
        self.retrieval = retrieval
        self.outcomes = {}
        self.raises = {}
        self.hold = threading.Event()
        self.hold.set()
        self.asked = []
        self.guidance = None

    def answer(self, questions):
        text = questions.texts[0]
        self.asked.append((questions.step, text))
        self.guidance = questions.guidance[0] if questions.guidance else None
        assert self.hold.wait(20)
        if questions.step in self.raises:
            raise self.raises[questions.step]
        outcome = self.outcomes.get(questions.step, OK)
        columns = (np.array([0.25]), np.array([90]), np.array([20]), np.array([outcome]))
        if questions.step == "categorize":
            name = next((c for c in CATEGORIES if c.lower() in text.lower()), "Login")
            sure = 0.2 if "unsure" in text else 0.9
            category = np.array([questions.categories.index(name)])
            return Answers(*columns, category=category, confidence=np.array([sure]))
        name = questions.categories[questions.category[0]]
        articles = (("reset",), (0.8,)) if self.retrieval else ((), ())
        written = Written(f"This is how {name} works.", *articles)
        return Answers(*columns, written=np.array([0]), texts=[written])


class Small:
    """A small desk with its store, its assistants and a client of its API."""

    def __init__(self, folder, settings=None, timeout_s=5.0, database=None, changes=None, **keys):
        self.assistants = {}
        self.scenario = from_data(desk_data(folder, **keys) | (changes or {}))
        self.store = Store(database or str(folder / "desk.sqlite"))
        self.desk = Desk(self.scenario, self.store, timeout_s, self.build)
        self.app = create_app(self.desk, settings or Settings(rate=0))
        self.client = self.app.test_client()

    def build(self, scenario, categories, corpus, model):
        assert categories == CATEGORIES
        made = Obedient(model, scenario.assistant.retrieval)
        return self.assistants.setdefault((model, scenario.assistant.retrieval), made)

    @property
    def assistant(self):
        """The assistant of the desk's own model, with retrieval."""
        return self.assistants.setdefault((MODEL, True), Obedient())

    def file(self, description="I cannot log in", headers=None, **fields):
        body = {"description": description, **fields}
        return self.client.post("/process_ticket", json=body, headers=headers)

    def change(self, ticket_id, **fields):
        return self.client.patch(f"/tickets/{ticket_id}", json=fields)

    def ticket(self, ticket_id):
        return self.client.get(f"/tickets/{ticket_id}").get_json()

    def path(self, ticket_id):
        """Statuses that a ticket went through."""
        return [change["status"] for change in self.ticket(ticket_id)["changes"]]


def within(seconds, check):
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until
        time.sleep(0.005)


def in_thread(call):
    """Start a call; returns where its answer will be, and the thread."""
    box = []
    thread = threading.Thread(target=lambda: box.append(call()))
    thread.start()
    return box, thread


def queue(client, most=100, **where):
    """All numbers of a queue, asked for part by part."""
    found, after = [], {}
    while True:
        said = client.get("/queue", query_string={"limit": most, **where, **after}).get_json()
        found += said["tickets"]
        if said["next_after"] is None:
            return found
        after = {"after": said["next_after"]}


def next_due(shown):
    first, last = shown["first_response_due"], shown["resolution_due"]
    return first if shown["responded_at"] is None and first else last


# Moments as text sort as they are: all are of one form, in UTC.
def pressing(shown):
    return (next_due(shown) or "9", PRIORITIES.index(shown["priority"]), shown["ticket_id"])


TARGETS = [
    {"first_response": {"urgent": "15min", "high": "1h"}, "resolution": {"normal": "4h"}},
    {"first_response": dict.fromkeys(PRIORITIES, "1h"), "resolution": {"low": "1min"}},
    {"resolution": {"high": "2h"}},
    {},
]


def fill(store):
    """Tickets of three statuses, all priorities and many ages, some of them responded to."""
    now = time.time()
    for k in range(72):
        row, _ = store.receive(
            {
                "key": None, "received_at": now - 1000.0 * (k * 37 % 72), "description": f"{k}",
                "priority": PRIORITIES[k % 4], "model": MODEL, "use_rag": True,
            }
        )  # fmt: skip
        answered = {"responded_at": now - 5.0} if k % 3 or k % 5 == 0 else {}
        path = [("Escalated",), ("In Progress", "Resolved"),
                ("In Progress", "Resolved", "Reopened")][k % 3]  # fmt: skip
        store.move(row, [(status, now, "agent") for status in path], answered)
