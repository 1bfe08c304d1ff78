"""The page Desk: a customer files a ticket, reads and rates the answer, and sees earlier ones."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid

import streamlit as st

from twin.live.page.client import Client, DeskError, Ticket
from twin.live.page.parts import ago, escaped, line, show_facts, who_answers
from twin.records.tables import RESOLVED_STATUSES

# The customer's tickets are in the address of the page, by number, and a secret that nobody else
# knows: that is what survives a reload without a login.
_PARAMETER, _SECRET = "tickets", "visitor"
_SECRET_FORM = re.compile(r"[\w-]{22,64}", re.ASCII)
_MOST_REMEMBERED, _MOST_SHOWN = 50, 10
_MOST_CHARACTERS = 8_000


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
    st.title("How can we help?")
    try:
        health, models = client.health(), client.models()
    except DeskError as error:
        st.error(escaped(str(error)))
        st.button("Try again")
        return
    if health.get("note"):
        st.info(escaped(health["note"]))
    _form(client, models, health.get("backend") == "embedded")
    ticket = st.session_state.get("answered")
    if ticket is not None:
        _answer(client, ticket)
    _history(client)


def _form(client: Client, models: list[str], no_model: bool) -> None:
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
        st.error(escaped(str(error)))
        if error.ticket is not None:
            del st.session_state["sending"]
            st.session_state.pop("answered", None)
            _keep(error.ticket)
        return
    del st.session_state["sending"]
    st.session_state["answered"] = ticket
    _keep(ticket.number)


def _keep(number: int) -> None:
    mine = [n for n in st.session_state.get("mine", []) if n != number]
    st.session_state["mine"] = [*mine, number][-_MOST_REMEMBERED:]
    remember()


def _answer(client: Client, ticket: Ticket) -> None:
    with st.container(border=True, key="answer"):
        st.subheader(f"Ticket {ticket.number}")
        show_facts(ticket)
        # Neither the customer's words nor the model's are read as Markdown or HTML.
        st.text(ticket.response)
        if who := who_answers(ticket):
            st.caption(escaped(f"{who[0].upper()}{who[1:]}."))
        if ticket.articles:
            titles = "".join(f"\n- {escaped(title, 120)}" for title in ticket.articles)
            st.caption(f"From our help articles:\n{titles}")
        _rating(client, ticket)


def _rating(client: Client, ticket: Ticket) -> None:
    if ticket.status not in RESOLVED_STATUSES or not ticket.response:
        return
    rated: dict[int, str] = st.session_state.setdefault("rated", {})
    if ticket.number in rated:
        st.success(rated[ticket.number], icon=":material/favorite:")
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
        # One rating of a visitor for each resolution, also after a reload: by the key. Nobody else
        # can tell it, so nobody else's rating can stand in this one's place.
        whole = f"{_secret()} {ticket.number} {ticket.reopens}"
        key = hashlib.sha256(whole.encode()).hexdigest()
        client.rate(ticket, stars + 1, comment, key)
        rated[ticket.number] = f"Thank you for your {_stars(stars + 1)}!"
    except DeskError as error:
        if error.status != 409:
            st.error(escaped(str(error)))
            return
        rated[ticket.number] = "Thank you! You have rated this answer before."
    st.rerun()


def _stars(rating: int) -> str:
    return "star" if rating == 1 else f"{rating} stars"


def _history(client: Client) -> None:
    mine: list[int] = st.session_state.get("mine", [])
    if not mine:
        return
    st.subheader("Your tickets")
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
        with st.expander(label):
            show_facts(ticket)
            with st.chat_message("user"):
                st.text(ticket.description)
            with st.chat_message("assistant"):
                st.text(ticket.response or "Our people are looking into it.")
            st.caption(
                escaped(", ".join(filter(None, (ago(ticket.received), who_answers(ticket)))))
            )
            answered = st.session_state.get("answered")
            if answered is None or answered.number != ticket.number:
                _rating(client, ticket)
    st.caption("They are kept in the address of this page: bookmark it to come back to them.")
