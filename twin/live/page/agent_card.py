"""A ticket in the agents' queue: its promise, its thread, help for an answer, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from twin.live.page.client import Client, DeskError, Ticket
from twin.live.page.parts import ago, escaped, line, show_facts, show_thread, span, who_answers
from twin.records.tables import FINAL_STATUSES, OPEN_STATUSES, STATUSES, TRANSITIONS
from twin.scenario.model import PRIORITIES

_COLOURS: dict[str, Any] = {"urgent": "red", "high": "orange", "normal": "blue", "low": "gray"}
_SOON_S = 900.0
_MOST_CHARACTERS = 8_000
_HEADING = re.compile(r"^#+ +", re.MULTILINE)
_REVIEW, _TAKEN, _ASKED = "Pending Review", "In Progress", "Waiting for customer"


@dataclass(frozen=True)
class Agent:
    """An agent at the queue: a name of their choice, and the desk's categories."""

    name: str
    categories: Sequence[str]


def _due(ticket: Ticket) -> tuple[str, float | None]:
    """The next promise, and until when it holds."""
    if ticket.status not in OPEN_STATUSES:
        return "", None
    if ticket.responded is None and ticket.first_response_due is not None:
        return "first response", ticket.first_response_due
    return "resolution", ticket.resolution_due


def clock(ticket: Ticket, now: float) -> tuple[str, str]:
    """The promise in words, and the colour of how pressing it is; empty where nothing is promised.

    Examples
    --------
    >>> late = Ticket(1, "", "", "", "Escalated", first_response_due=100.0)
    >>> clock(late, 220.0)
    ('first response overdue by 2 min', 'red')
    """
    what, due = _due(ticket)
    if due is None:
        return "", ""
    if due < now:
        return f"{what} overdue by {span(now - due)}", "red"
    return f"{what} due in {span(due - now)}", "orange" if due - now < _SOON_S else "green"


def show(client: Client, ticket: Ticket, now: float, agent: Agent, first: bool) -> None:
    """Draw a ticket; the first one is open, and of others only what lists tell is asked for."""
    words, colour = clock(ticket, now)
    late = ":red[overdue] " if colour == "red" else ""
    label = f"{ticket.number}: {late}{escaped(ticket.description, 70)}"
    key = f"card {ticket.number} {first}"
    card = st.expander(label, expanded=first, key=key, on_change="rerun")
    with card:
        with st.container(horizontal=True):
            st.badge(escaped(ticket.priority), color=_COLOURS.get(ticket.priority, "gray"))
            if words:
                shade: Any = colour
                st.badge(words, color=shade, icon=":material/timer:")
            show_facts(ticket)
            if ticket.assignee:
                st.badge(escaped(ticket.assignee, 40), color="violet", icon=":material/badge:")
        st.text(ticket.description)
        sure = "" if ticket.confidence is None else f"confidence {ticket.confidence:.2f}"
        back = f"came back {ticket.reopens}x" if ticket.reopens else ""
        facts = (f"received {ago(ticket.received, now)}", sure, back, who_answers(ticket))
        st.caption(escaped(", ".join(filter(None, facts))))
        if card.open:
            _work(client, ticket, agent)


def _work(client: Client, ticket: Ticket, agent: Agent) -> None:
    """The contents of an open card."""
    whole = _whole(client, ticket)
    show_thread(whole.thread[1:])
    if whole.merged_into is not None:
        st.caption(f"A part of ticket {whole.merged_into}.")
    if whole.parts:
        st.caption(f"Parts of it: {', '.join(map(str, whole.parts))}. A search by number shows "
                   "their threads.")  # fmt: skip
    # A click draws the page anew with the ticket of now: what the agent saw is the one before.
    shown: dict[int, Ticket] = st.session_state.setdefault("queue shown", {})
    seen = shown.get(ticket.number, ticket)
    shown[ticket.number] = whole
    if ticket.status in OPEN_STATUSES:
        _help(client, whole)
    _actions(client, whole, seen, agent)


def _whole(client: Client, ticket: Ticket) -> Ticket:
    """The ticket with its thread, where the desk tells it: lists do not."""
    try:
        return client.ticket(ticket.number)
    except DeskError:
        return ticket


def _help(client: Client, ticket: Ticket) -> None:
    """Articles that fit, and a draft by the assistant."""
    number, draft = ticket.number, ticket.suggestion
    with st.container(horizontal=True):
        with st.popover("Articles that fit", icon=":material/menu_book:", key=f"help {number}",
                        on_change="rerun") as articles:  # fmt: skip
            if articles.open:
                _articles(client, number)
        if st.button("Draft by the assistant", key=f"draft {number}", icon=":material/smart_toy:"):
            _do(lambda: client.draft(number), f"A draft for ticket {number} is there", ticket)
    if draft is not None:
        author = draft.model or "the desk without a language model"
        st.caption(escaped(f"Draft by {author} (backend {draft.backend}); nothing of it was sent. "
                           f"From: {', '.join(draft.articles) or 'no article'}."))  # fmt: skip
        with st.chat_message("assistant", avatar=":material/smart_toy:"):
            st.text(draft.text)
        if draft.sent:
            st.caption("The customer already had this very answer: the assistant has no other.")
        st.button("Use this draft", key=f"use {number}", on_click=_use, args=(ticket, draft.text))


def _articles(client: Client, number: int) -> None:
    try:
        found = client.articles(number)
    except DeskError as error:
        st.error(escaped(str(error)))
        return
    if not found:
        st.write("No article fits.")
    for title, text in found:
        st.markdown(f"**{escaped(title, 120)}**")
        # Articles are Markdown; shown as text, a heading is a line of its own.
        st.text(_HEADING.sub("", text))


def _use(ticket: Ticket, text: str) -> None:
    st.session_state.setdefault("queue typed", {})[ticket.number] = text
    st.session_state[_key(ticket)] = text


def _key(ticket: Ticket) -> str:
    return f"text {ticket.number} {ticket.status}"


def _actions(client: Client, ticket: Ticket, seen: Ticket, agent: Agent) -> None:
    number, status = ticket.number, ticket.status
    may = {STATUSES[k] for k in TRANSITIONS[STATUSES.index(status)]}
    at = f"{number} {status}"
    text = ""
    # Typed text is there again after the ticket changed, or another part was looked at.
    typed: dict[int, str] = st.session_state.setdefault("queue typed", {})
    answers = "Resolved" in may or (status in OPEN_STATUSES and _TAKEN in may)
    if answers:
        # An answer that was given already is in the thread, and not to be given again.
        before = ticket.draft if ticket.draft != ticket.response else ""
        if _key(ticket) not in st.session_state:
            st.session_state[_key(ticket)] = typed.get(number, before)
        text = st.text_area(
            "Draft, to approve or to mend" if status == _REVIEW else "Answer",
            height=150, max_chars=_MOST_CHARACTERS, key=_key(ticket),
        )  # fmt: skip
        if text != before:
            typed[number] = text
        else:
            typed.pop(number, None)
    with st.container(horizontal=True):
        if answers:
            name = "Approve and send" if status == _REVIEW else "Send answer"
            if st.button(name, key=f"send {at}", type="primary"):
                _send(client, seen, text, "Resolved", f"Ticket {number} answered")
            if status != _ASKED and st.button("Ask the customer", key=f"ask {at}"):
                _send(client, seen, text, _ASKED, f"Ticket {number} waits for its customer")
        for new, name in ((_TAKEN, "Take"), ("Escalated", "Hand on"), ("Open", "Take back"),
                          ("Reopened", "Reopen"), ("Closed", "Close")):  # fmt: skip
            if new in may and st.button(name, key=f"{new} {at}"):
                said = f"Ticket {number} is {new} now"
                mine = {"assignee": agent.name} if new == _TAKEN and agent.name else {}
                _do(lambda new=new, mine=mine: client.change(  # type: ignore[misc]
                    number, new, version=seen.version, **mine), said, seen)  # fmt: skip
        if status not in FINAL_STATUSES:
            with st.popover("Change", icon=":material/edit:", key=f"change {number}"):
                _facts(client, ticket, seen, agent)


def _facts(client: Client, ticket: Ticket, seen: Ticket, agent: Agent) -> None:
    """Category, priority and assignee; and the way into another ticket."""
    number, at = ticket.number, f"{ticket.number} {ticket.version}"
    # One that the desk no longer has stays until another is chosen.
    categories = list(dict.fromkeys([ticket.category, *agent.categories]))
    category = st.selectbox("Category", categories, key=f"category {at}",
                            format_func=lambda name: line(name) or "not known")  # fmt: skip
    levels = list(dict.fromkeys([ticket.priority, *PRIORITIES]))
    priority = st.selectbox("Priority", levels, key=f"priority {at}", format_func=line)
    assignee = st.text_input("Assigned to", ticket.assignee, max_chars=200, key=f"assignee {at}")
    if st.button("Save", key=f"save {number}"):
        new = {"category": category, "priority": priority, "assignee": assignee}
        old = {"category": ticket.category, "priority": ticket.priority,
               "assignee": ticket.assignee}  # fmt: skip
        more = {name: value for name, value in new.items() if value != old[name]}
        if more:
            _do(lambda: client.change(number, version=seen.version, **more),
                f"Ticket {number} changed", seen)  # fmt: skip
    into = st.number_input("A part of ticket", 1, 2**31 - 1, None, 1, key=f"into {number}")
    if st.button("Merge", key=f"merge {number}"):
        if into is None:
            st.error("Please give the number of the other ticket.")
        else:
            _do(lambda: client.merge(number, int(into), seen.version),
                f"Ticket {number} is a part of ticket {int(into)} now", seen)  # fmt: skip


def _send(client: Client, seen: Ticket, text: str, status: str, said: str) -> None:
    """Send an answer or a question."""
    if not text.strip():
        st.error("Please write an answer first.")
        return

    def send() -> None:
        version = seen.version
        if STATUSES.index(status) not in TRANSITIONS[STATUSES.index(seen.status)]:
            # An agent who answers a ticket has taken it first.
            version = client.change(seen.number, _TAKEN, version=version).version
        client.change(seen.number, status, text, version=version)
        st.session_state["queue typed"].pop(seen.number, None)
        st.session_state["queue shown"].pop(seen.number, None)

    _do(send, said, seen)


def _do(action: Callable[[], object], said: str, seen: Ticket) -> None:
    try:
        action()
    except DeskError as error:
        what = changes(seen, error.now) if error.now is not None else ""
        st.error(escaped(f"{error}. {what}".replace("..", ".") if what else str(error)))
        return
    st.session_state["queue said"] = said
    st.rerun()


def changes(seen: Ticket, now: Ticket) -> str:
    """Changes of a ticket since an agent saw it, in words.

    Examples
    --------
    >>> seen = Ticket(1, "", "Login", "", "Escalated")
    >>> changes(seen, Ticket(1, "", "Login", "", "In Progress", assignee="Ana"))
    'Now: status In Progress (was Escalated), assigned to Ana (was nobody)'
    """
    words = []
    for name, old, new in (
        ("status", seen.status, now.status),
        ("category", seen.category, now.category),
        ("priority", seen.priority, now.priority),
        ("assigned to", seen.assignee or "nobody", now.assignee or "nobody"),
    ):
        if old != new:
            words.append(f"{name} {new} (was {old})")
    if seen.response != now.response:
        words.append("another answer was sent")
    return f"Now: {', '.join(words)}" if words else "Now: there is more in its thread"
