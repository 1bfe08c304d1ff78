"""The page Desk: a customer files a ticket, reads and rates the answer, and sees earlier ones."""

from __future__ import annotations

import hashlib
import math
import re
import secrets
import time
import uuid
from typing import Any

import streamlit as st

from twin.live.page.client import Client, DeskError, Message, Ticket
from twin.live.page.parts import (
    escaped,
    line,
    show_facts,
    show_thread,
    show_title,
    who_answers,
)
from twin.records.tables import FINAL_STATUSES, RESOLVED, STATUSES, WAITING_FOR_CUSTOMER

# The customer's tickets are in the address of the page, by number, and a secret that nobody else
# knows: that is what survives a reload without a login.
_PARAMETER, _SECRET = "tickets", "visitor"
_SECRET_FORM = re.compile(r"[\w-]{22,64}", re.ASCII)
_MOST_REMEMBERED, _MOST_SHOWN = 50, 10
_MOST_CHARACTERS = 8_000
# Statuses in which an answer, or a question, is with the customer.
_NAMES = {"customer": "You", "assistant": "Response", "agent": "Response of an agent",
          "desk": "Response"}  # fmt: skip
_ANSWERED = (STATUSES[WAITING_FOR_CUSTOMER], STATUSES[RESOLVED])


def remember() -> None:
    """Keep the customer's ticket numbers in the address, whichever page is shown."""
    known = st.session_state.setdefault("mine", _numbers(st.query_params.get(_PARAMETER, "")))
    text = "-".join(map(str, known))
    if not text:
        return
    for name, value in ((_PARAMETER, text), (_SECRET, _secret())):
        if st.query_params.get(name) != value:
            st.query_params[name] = value


def _secret() -> str:
    """A secret of this visitor, the same after a reload."""
    if "visitor" not in st.session_state:
        given = st.query_params.get(_SECRET, "")
        known = _SECRET_FORM.fullmatch(given)
        st.session_state["visitor"] = given if known else secrets.token_urlsafe(16)
    return str(st.session_state["visitor"])


def _numbers(text: str) -> list[int]:
    found = [int(word) for word in text.split("-") if word.isascii() and word.isdigit()]
    return list(dict.fromkeys(n for n in found if 0 < n < 2**31))[-_MOST_REMEMBERED:]


def show() -> None:
    """Draw the page."""
    client = Client()
    show_title("How can we help?")
    # The message of the last action, kept while the page is drawn again.
    said = st.session_state.pop("desk said", None)
    if said is not None:
        st.toast(escaped(said), icon=":material/check:")
    try:
        health, models = client.health(), client.models()
    except DeskError as error:
        st.error(escaped(str(error)))
        st.button("Try again")
        return
    if health.get("note"):
        st.info(escaped(health["note"]))
    _form(client, models, health.get("backend") == "embedded")
    number = st.session_state.get("answered")
    if number is not None:
        _answer(client, number)
    _history(client, number)


def _form(client: Client, models: list[str], no_model: bool) -> None:
    # Of a ticket that was filed: a fault of its answer, or nothing.
    fault: str | None = st.session_state.pop("filed", None)
    if fault is not None:
        # Left in the form, the same text would be filed as another ticket by a second press.
        st.session_state["description"] = ""
    with st.form("ticket", border=False):
        text = st.text_area(
            "Describe your problem", height=140, max_chars=_MOST_CHARACTERS, key="description",
            placeholder="For example: I forgot my password and cannot log in.",
        )  # fmt: skip
        model = st.selectbox(
            "Language model wanted (none answers here)" if no_model else "Language model",
            models, format_func=line,
        )  # fmt: skip
        use_rag = st.toggle(
            "Look up help articles", value=True,
            help="The assistant reads the articles that fit before it answers.",
        )  # fmt: skip
        sent = st.form_submit_button("Send", type="primary", icon=":material/send:")
    if fault:
        st.error(escaped(fault))
    if sent:
        _send(client, text, model or "", use_rag)


def _send(client: Client, text: str, model: str, use_rag: bool) -> None:
    if not text.strip():
        st.error("Please provide a ticket description.")
        return
    wanted = (text, model, use_rag)
    # Sent again after a fault it is the same ticket, with the same key.
    before = st.session_state.get("sending")
    key = before[1] if before is not None and before[0] == wanted else uuid.uuid4().hex
    st.session_state["sending"] = (wanted, key)
    try:
        with st.spinner("The assistant is reading your ticket ..."):
            ticket = client.file(text, model, use_rag, key)
    except DeskError as error:
        if error.ticket is None:
            st.error(escaped(str(error)))
            return
        # It is filed, and only its answer failed.
        st.session_state.pop("answered", None)
        filed, fault = error.ticket, str(error)
    else:
        st.session_state["answered"] = filed = ticket.number
        fault = ""
    del st.session_state["sending"]
    _keep(filed)
    st.session_state["filed"] = fault
    st.rerun()


def _keep(number: int) -> None:
    mine = [n for n in st.session_state.get("mine", []) if n != number]
    st.session_state["mine"] = [*mine, number][-_MOST_REMEMBERED:]
    remember()


def _answer(client: Client, number: int) -> None:
    """The ticket that was just filed."""
    with st.container(border=True, key="answer"):
        st.subheader(f"Ticket {number}")
        try:
            ticket = client.ticket(number)
        except DeskError as error:
            st.error(escaped(str(error)))
            st.button("Try again", key="again")
            return
        _show(client, ticket)


def _show(client: Client, ticket: Ticket) -> None:
    """A ticket with its thread, and what its customer can do."""
    show_facts(ticket, named=True)
    show_thread(ticket.thread, _NAMES)
    asked = _is_asked(ticket)
    if not ticket.response and not asked:
        st.text("Our people are looking into it.")
    if (who := who_answers(ticket)) and not asked:
        st.caption(escaped(f"{who[0].upper()}{who[1:]}."))
    if ticket.articles and ticket.response and ticket.answered_by != "agent":
        titles = "".join(f"\n- {escaped(title, 120)}" for title in ticket.articles)
        st.caption(f"From our help articles:\n{titles}")
    elif ticket.backend and not ticket.use_rag:
        st.caption("No help articles were looked up, as you wished.")
    _word(client, ticket)
    _rating(client, ticket)


def _word(client: Client, ticket: Ticket) -> None:
    """Ask whether the answer helped; take a reply; offer a person."""
    number = ticket.number
    if ticket.merged_into is not None:
        into = ticket.merged_into
        st.caption(f"We answer this ticket together with your ticket {into}.")
        st.button(f"Go to ticket {into}", key=f"into {number}", on_click=_keep, args=(into,))
        return
    if ticket.status in FINAL_STATUSES:
        st.caption("This ticket is over. If you need more, please send a new one.")
        return
    since, asked = _since_answer(ticket), _is_asked(ticket)
    with st.container(horizontal=True, vertical_alignment="center"):
        if ticket.status in _ANSWERED and not asked and not any(m.helped for m in since):
            st.markdown("**Did this help?**")
            if st.button("Yes", key=f"yes {number}", icon=":material/thumb_up:"):
                _say(client, number, "Good to hear. Thank you!", helped=True)
            if st.button("No", key=f"no {number}", icon=":material/thumb_down:"):
                _say(client, number, "Sorry. A person will look at it.", helped=False)
        if st.button("I need a person", key=f"person {number}", icon=":material/support_agent:"):
            _say(client, number, "A person will answer you here.", person=True)
    if any(m.helped for m in since):
        st.caption("You said that this helped. Write back if it did not after all.")
    elif asked:
        st.caption("Please write back, so that we can help.")
    elif ticket.resolves is not None:
        hours = math.ceil(max(ticket.resolves - time.time(), 0.0) / 3600.0)
        left = "an hour" if hours <= 1 else f"{hours} hours"
        st.caption(f"Without a word from you it counts as solved in {left}.")
    elif ticket.status not in _ANSWERED:
        st.caption("A person has your ticket. The answer will be here.")
    with st.form(f"reply {number}", border=False, clear_on_submit=True):
        text = st.text_area(
            "Write back", height=80, max_chars=_MOST_CHARACTERS, key=f"text {number}"
        )
        if st.form_submit_button("Send reply", key=f"reply {number}"):
            if text.strip():
                thanks = "Sent." if asked else "Sent. A person will read it."
                _say(client, number, thanks, text=text)
            else:
                st.error("Please write something first.")


def _is_asked(ticket: Ticket) -> bool:
    """True if the customer is asked something, and has no answer yet."""
    return ticket.status == STATUSES[WAITING_FOR_CUSTOMER] and not ticket.response


def _since_answer(ticket: Ticket) -> list[Message]:
    """Messages since the newest answer, the newest first."""
    found: list[Message] = []
    for message in reversed(ticket.thread):
        if message.by != "customer":
            break
        found.append(message)
    return found


def _say(client: Client, number: int, thanks: str, **said: Any) -> None:
    """Say something once, also where it is sent again after a fault."""
    before = st.session_state.get(f"saying {number}")
    key = before[1] if before is not None and before[0] == said else uuid.uuid4().hex
    st.session_state[f"saying {number}"] = (said, key)
    try:
        client.reply(number, key, **said)
    except DeskError as error:
        st.error(escaped(str(error)))
        return
    del st.session_state[f"saying {number}"]
    st.session_state["desk said"] = thanks
    st.rerun()


def _rating(client: Client, ticket: Ticket) -> None:
    if not ticket.response:
        return
    rated: dict[tuple[int, float | None], str] = st.session_state.setdefault("rated", {})
    this = ticket.number, ticket.answered
    if this in rated:
        st.success(rated[this], icon=":material/favorite:")
        return
    st.markdown("**How good is this answer?**")
    stars = st.feedback("stars", key=f"stars {ticket.number}")
    comment = st.text_input("What could be better? (optional)", max_chars=2_000,
                            key=f"comment {ticket.number}")  # fmt: skip
    if not st.button("Send rating", key=f"rate {ticket.number}"):
        return
    if stars is None:
        st.error("Please choose from one to five stars.")
        return
    try:
        # One rating of a visitor for each answer, also after a reload: by the key. Nobody else can
        # tell it, so nobody else's rating can stand in this one's place.
        whole = f"{_secret()} {ticket.number} {ticket.answered}"
        key = hashlib.sha256(whole.encode()).hexdigest()
        client.rate(ticket, stars + 1, comment, key)
        # The desk decides how bad a rating brings the ticket back.
        back = ticket.status in _ANSWERED and client.ticket(ticket.number).status not in _ANSWERED
        more = " A person will look at your ticket." if back else ""
        rated[this] = f"Thank you for your {_stars(stars + 1)}!{more}"
    except DeskError as error:
        if error.status != 409:
            st.error(escaped(str(error)))
            return
        rated[this] = "Thank you! You have rated this answer before."
    st.rerun()


def _stars(rating: int) -> str:
    return "star" if rating == 1 else f"{rating} stars"


def _history(client: Client, above: int | None) -> None:
    """The customer's tickets but the one that is shown above, the newest first and open."""
    mine: list[int] = [n for n in st.session_state.get("mine", []) if n != above]
    if not mine:
        return
    st.subheader("Your tickets" if above is None else "Your earlier tickets")
    shown = 0
    for number in reversed(mine):
        if shown == _MOST_SHOWN:
            st.caption(f"and {len(mine) - shown} earlier ones")
            break
        try:
            ticket = client.ticket(number)
        except DeskError as error:
            if error.status == 404:
                continue
            st.error(escaped(str(error)))
            break
        shown += 1
        label = f"{ticket.number}: {escaped(ticket.description, 60)} ({escaped(ticket.status)})"
        with st.expander(label, expanded=above is None and shown == 1):
            _show(client, ticket)
    st.caption("They are kept in the address of this page: bookmark it to come back to them.")
