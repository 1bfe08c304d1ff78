"""The live desk's store as a history."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np

from twin.assistant.protocol import OK, OUTCOMES
from twin.common.errors import Fault, ScenarioError
from twin.history.log import LiveRecord, speaker
from twin.live.asking import PLACES
from twin.live.kept import Row
from twin.live.store import Store
from twin.records.tables import (
    CATEGORIZED,
    IN_PROGRESS,
    RESOLVED,
    STATUSES,
    WAITING_FOR_CUSTOMER,
)

_TAKEN, _TRIAGED, _ANSWERED, _ASKED = (
    STATUSES[k] for k in (IN_PROGRESS, CATEGORIZED, RESOLVED, WAITING_FOR_CUSTOMER)
)


def read_history(
    store: Store, since: float | None = None, until: float | None = None, model: str | None = None
) -> LiveRecord:
    """The history of live tickets that arrived in a stretch of time.

    Parameters
    ----------
    store : Store
    since, until : float, optional
        Seconds since 1970.
    model : str, optional
        Whose calls to measure: a language model that answered, or "embedded".

    Raises
    ------
    ScenarioError
        If there is too little to go by.
    """
    low, high = since or -np.inf, until or np.inf
    tickets = [
        _as_answered(t)
        for t in store.tickets()[::-1]
        if t["origin"] == "live" and t["merged_into"] is None and low <= t["received_at"] < high
    ]
    tickets.sort(key=lambda t: t["received_at"])
    desk = store.desk()
    if len(tickets) < 2 or desk is None:
        raise _too_little("fewer than two tickets arrived in that time")
    here = {t["id"] for t in tickets}
    began = since if since is not None else tickets[0]["received_at"]
    ended = until if until is not None else tickets[-1]["received_at"]
    if not ended > began:
        raise _too_little("all tickets arrived at the same moment")
    calls = [c for c in store.calls()[::-1] if c["ticket_id"] in here]
    asked = Counter(speaker(c) for c in calls if c["outcome"] == OUTCOMES[OK])
    if model is not None and model not in asked:
        known = f"there are: {', '.join(asked)}" if asked else "there are none"
        raise _too_little(f"no answered calls of that model; {known}")
    if not asked:
        raise _too_little("no model call was answered in that time")
    spells = _spells([c for c in store.changes()[::-1] if c["ticket_id"] in here])
    return LiveRecord(
        desk=json.loads(desk),
        began=began,
        ended=ended,
        edges_known=since is not None and until is not None,
        tickets=tickets,
        calls=calls,
        handle_s=np.array(spells[_ANSWERED]),
        triage_s=np.array(spells[_TRIAGED]),
        ratings=[
            f | {"model": f["answered_model"]}
            for f in store.feedback()
            if f["origin"] == "live" and f["ticket_id"] in here
        ],
        model=model or asked.most_common(1)[0][0],
        calls_at_once=PLACES,
    )


def _as_answered(ticket: Row) -> Row:
    """A ticket that is resolved by its newest answer, when that was given.

    So it is in the twin, where nobody waits for the customer's word: the time until then is not the
    desk's.
    """
    if ticket["answered_by"] is None:
        return ticket
    return ticket | {"resolved_at": ticket["answered_at"], "resolved_by": ticket["answered_by"]}


def _too_little(reason: str) -> ScenarioError:
    return ScenarioError("the live desk's history", [Fault("", reason)])


def _spells(changes: list[Row]) -> dict[str, list[float]]:
    """Lengths of agents' work, by what it ended in; a question counts as an answer does."""
    taken: dict[int, float] = {}
    found: dict[str, list[float]] = {_ANSWERED: [], _TRIAGED: []}
    for change in changes:
        began = taken.pop(change["ticket_id"], None)
        if change["by"] != "agent":
            continue
        if change["status"] == _TAKEN:
            taken[change["ticket_id"]] = change["at"]
            continue
        end = _ANSWERED if change["status"] == _ASKED else change["status"]
        if began is not None and end in found and change["at"] >= began:
            found[end].append(change["at"] - began)
    return found
