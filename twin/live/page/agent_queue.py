"""The page Queue: tickets by status with age, promise and priority; agents take and answer them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from twin.live.page.client import Client, DeskError, Ticket
from twin.live.page.parts import (
    ago,
    escaped,
    show_facts,
    show_thread,
    show_title,
    span,
    who_answers,
)
from twin.records.tables import (
    CATEGORIZED,
    ESCALATED,
    IN_PROGRESS,
    OPEN,
    OPEN_STATUSES,
    PENDING_REVIEW,
    REOPENED,
    STATUSES,
    TRANSITIONS,
)

# In the order in which agents need them; those at the end need nothing from agents.
_ORDER = [
    *(STATUSES[k] for k in (ESCALATED, PENDING_REVIEW, REOPENED, IN_PROGRESS, OPEN, CATEGORIZED)),
]
_ORDER += [name for name in STATUSES if name not in _ORDER]
_COLOURS: dict[str, Any] = {"urgent": "red", "high": "orange", "normal": "blue", "low": "gray"}
_SOON_S = 900.0
_MOST = 25
_MOST_CHARACTERS = 8_000


def show() -> None:
    """Draw the page."""
    client = Client()
    show_title("Queue")
    # The message of the last action, kept while the page is drawn again.
    said = st.session_state.pop("queue said", None)
    if said is not None:
        st.toast(escaped(said), icon=":material/check:")
    try:
        counts = client.counts()
    except DeskError as error:
        st.error(escaped(str(error)))
        st.button("Try again")
        return
    busy = [name for name in _ORDER if counts.get(name)]
    if not busy:
        st.write("No ticket was filed yet.")
        st.button("Refresh", icon=":material/refresh:")
        return
    # By hand, as Streamlit would keep the label in the address, whose number changes.
    asked = st.query_params.get("status")
    status = st.pills(
        "Status", busy, default=asked if asked in busy else busy[0], required=True, key="status",
        format_func=lambda name: f"{name} ({counts.get(name, 0)})",
    ) or busy[0]  # fmt: skip
    st.query_params["status"] = status
    _list(client, status, counts)


def _list(client: Client, status: str, counts: dict[str, int]) -> None:
    # Where each part of the list begins, up to the one that is shown.
    if st.session_state.get("queue of") != status:
        st.session_state["queue of"], st.session_state["queue begins"] = status, [""]
    begins: list[str] = st.session_state["queue begins"]
    try:
        tickets, following = client.queue(status, _MOST, begins[-1])
    except DeskError as error:
        st.error(escaped(str(error)))
        st.button("Try again")
        return
    _turn(begins, following, status, counts.get(status, 0))
    if not tickets:
        st.write("No more tickets are here now.")
    now = time.time()
    for place, ticket in enumerate(tickets):
        _card(client, ticket, now, first=place == 0)


def _turn(begins: list[str], following: str, status: str, count: int) -> None:
    """Refresh, and for a list of several parts: say which is shown, and turn to the others."""
    several = len(begins) > 1 or count > _MOST
    with st.container(horizontal=True):
        st.button("Refresh", icon=":material/refresh:")
        if several:
            # All keep their places, so that nobody who clicks twice hits another.
            for name, to in (("First", begins[:1]), ("Previous", begins[:-1])):
                st.button(name, on_click=_go, args=(to,), disabled=len(begins) == 1)
            st.button("Next", on_click=_go, args=([*begins, following],), disabled=not following)
    if several:
        first = "the most overdue first" if status in OPEN_STATUSES else "the newest first"
        of = max(math.ceil(count / _MOST), len(begins))
        st.caption(f"Part {len(begins)} of {of}; {first}.")


def _go(begins: list[str]) -> None:
    st.session_state["queue begins"] = begins


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


def _card(client: Client, ticket: Ticket, now: float, first: bool) -> None:
    words, colour = clock(ticket, now)
    late = ":red[overdue] " if colour == "red" else ""
    label = f"{ticket.number}: {late}{escaped(ticket.description, 70)}"
    with st.expander(label, expanded=first):
        with st.container(horizontal=True):
            st.badge(escaped(ticket.priority), color=_COLOURS.get(ticket.priority, "gray"))
            if words:
                shade: Any = colour
                st.badge(words, color=shade, icon=":material/timer:")
            show_facts(ticket)
        st.text(ticket.description)
        sure = "" if ticket.confidence is None else f"confidence {ticket.confidence:.2f}"
        facts = (f"received {ago(ticket.received, now)}", sure, who_answers(ticket))
        st.caption(escaped(", ".join(filter(None, facts))))
        if first or ticket.response:
            show_thread(_whole(client, ticket).thread[1:])
        _actions(client, ticket)


def _whole(client: Client, ticket: Ticket) -> Ticket:
    """The ticket with its thread, where the desk tells it: lists do not."""
    try:
        return client.ticket(ticket.number)
    except DeskError:
        return ticket


def _actions(client: Client, ticket: Ticket) -> None:
    status = ticket.status
    may = {STATUSES[k] for k in TRANSITIONS[STATUSES.index(status)]}
    at = f"{ticket.number} {status}"
    text = ""
    # Typed text is there again after the ticket changed, or another part was looked at.
    typed: dict[int, str] = st.session_state.setdefault("queue typed", {})
    answers = "Resolved" in may or (status in OPEN_STATUSES and "In Progress" in may)
    if answers:
        before = (ticket.draft if status == "Pending Review" else ticket.response) or ticket.draft
        text = st.text_area(
            "Draft, to approve or to mend" if status == "Pending Review" else "Answer",
            typed.get(ticket.number, before), height=150, max_chars=_MOST_CHARACTERS,
            key=f"text {at}",
        )  # fmt: skip
        if text != before:
            typed[ticket.number] = text
        else:
            typed.pop(ticket.number, None)
    with st.container(horizontal=True):
        if answers:
            name = "Approve and send" if status == "Pending Review" else "Send answer"
            if st.button(name, key=f"send {at}", type="primary"):
                if text.strip():
                    _do(lambda: _answer(client, ticket, text, typed),
                        f"Ticket {ticket.number} answered")  # fmt: skip
                else:
                    st.error("Please write an answer first.")
        for new, name in (("In Progress", "Take"), ("Escalated", "Hand on"),
                          ("Reopened", "Reopen"), ("Closed", "Close")):  # fmt: skip
            if new in may and st.button(name, key=f"{new} {at}"):
                said = f"Ticket {ticket.number} is {new} now"
                _do(lambda new=new: client.change(ticket.number, new), said)  # type: ignore[misc]


def _answer(client: Client, ticket: Ticket, text: str, typed: dict[int, str]) -> None:
    if ticket.status not in ("In Progress", "Pending Review"):
        # An agent who answers a ticket has taken it first.
        client.change(ticket.number, "In Progress")
    client.change(ticket.number, "Resolved", text)
    typed.pop(ticket.number, None)


def _do(action: Callable[[], object], said: str) -> None:
    try:
        action()
    except DeskError as error:
        st.error(escaped(str(error)))
        return
    st.session_state["queue said"] = said
    st.rerun()
