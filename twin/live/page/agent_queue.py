"""The page Queue: tickets by status, the most overdue first; agents search and filter them."""

from __future__ import annotations

import math
import time

import streamlit as st

from twin.live.page import agent_card
from twin.live.page.client import NOBODY, Client, DeskError, Search
from twin.live.page.parts import escaped, line, show_title
from twin.records.tables import (
    CATEGORIZED,
    ESCALATED,
    IN_PROGRESS,
    OPEN,
    OPEN_STATUSES,
    PENDING_REVIEW,
    REOPENED,
    STATUSES,
)
from twin.scenario.model import PRIORITIES

# In the order in which agents need them; those at the end need nothing from agents.
_ORDER = [
    *(STATUSES[k] for k in (ESCALATED, PENDING_REVIEW, REOPENED, IN_PROGRESS, OPEN, CATEGORIZED)),
]
_ORDER += [name for name in STATUSES if name not in _ORDER]
_MOST = 25
_LONGEST = 200


def show() -> None:
    """Draw the page."""
    client = Client()
    show_title("Queue")
    # The message of the last action, kept while the page is drawn again.
    said = st.session_state.pop("queue said", None)
    if said is not None:
        st.toast(escaped(said), icon=":material/check:")
    try:
        counts, categories = client.counts(), client.categories()
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
    me, search = _search(categories)
    shown = status, search
    # Where each part of the list begins, up to the one that is shown.
    if st.session_state.get("queue of") != shown:
        st.session_state["queue of"], st.session_state["queue begins"] = shown, [""]
    _list(client, status, counts, search, agent_card.Agent(me, categories))


def _search(categories: list[str]) -> tuple[str, Search]:
    """The agent's name, and what they look for."""
    text_side, filter_side = st.columns([3, 2], vertical_alignment="bottom")
    text = text_side.text_input("Search in tickets", max_chars=_LONGEST, key="queue text",
                                placeholder="words, or a number")  # fmt: skip
    with filter_side.popover("Filters and your name", icon=":material/filter_list:"):
        # There is no log-in: whoever opens the page can work as an agent, under any name.
        known = st.query_params.get("agent", "")[:_LONGEST]
        me = st.text_input("Your name, for tickets that you take", known, max_chars=_LONGEST,
                           key="queue agent")  # fmt: skip
        me = " ".join(me.split())
        whose = st.selectbox("Assigned to", ["", me, NOBODY] if me else ["", NOBODY],
                             format_func=lambda name: _WHOSE.get(name, line(name)),
                             key="queue whose")  # fmt: skip
        category = st.selectbox("Category", ["", *categories], key="queue category",
                                format_func=lambda name: line(name) or "any")  # fmt: skip
        priority = st.selectbox("Priority", ["", *PRIORITIES], key="queue priority",
                                format_func=lambda name: name or "any")  # fmt: skip
    if me:
        st.query_params["agent"] = me
    search = Search(" ".join(text.split()), category or "", priority or "", whose or "")
    if search != Search():
        st.caption("Only tickets that the search finds are shown; the numbers above count all.")
    return me, search


_WHOSE = {"": "anybody", NOBODY: "nobody"}


def _list(
    client: Client, status: str, counts: dict[str, int], search: Search, agent: agent_card.Agent
) -> None:
    begins: list[str] = st.session_state["queue begins"]
    try:
        tickets, following = client.queue(status, _MOST, begins[-1], search)
    except DeskError as error:
        st.error(escaped(str(error)))
        st.button("Try again")
        return
    _turn(begins, following, status, counts.get(status, 0) if search == Search() else None)
    if not tickets:
        st.write("No more tickets are here now.")
    now = time.time()
    for place, ticket in enumerate(tickets):
        agent_card.show(client, ticket, now, agent, first=place == 0)


def _turn(begins: list[str], following: str, status: str, count: int | None) -> None:
    """Refresh, and for a list of several parts: say which is shown, and turn to the others."""
    several = len(begins) > 1 or (bool(following) if count is None else count > _MOST)
    with st.container(horizontal=True):
        st.button("Refresh", icon=":material/refresh:")
        if several:
            # All keep their places, so that nobody who clicks twice hits another.
            for name, to in (("First", begins[:1]), ("Previous", begins[:-1])):
                st.button(name, on_click=_go, args=(to,), disabled=len(begins) == 1)
            st.button("Next", on_click=_go, args=([*begins, following],), disabled=not following)
    if several:
        first = "the most overdue first" if status in OPEN_STATUSES else "the newest first"
        of = "" if count is None else f" of {max(math.ceil(count / _MOST), len(begins))}"
        st.caption(f"Part {len(begins)}{of}; {first}.")


def _go(begins: list[str]) -> None:
    st.session_state["queue begins"] = begins
