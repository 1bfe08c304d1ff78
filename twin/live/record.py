"""The live desk's record as a history, with the promises that the desk gave its customers."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from typing import Any

from twin.common.errors import Fault, ScenarioError
from twin.history.desk_history import DeskHistory
from twin.history.imported import read_history
from twin.live.store import Store
from twin.scenario.model import from_data

# Tickets of files say nothing of the desk; so many of the newest are looked through for others.
_MOST = 1000


def live_history(database: str) -> DeskHistory:
    """All that happened at a live desk, in the tables of a run.

    Parameters
    ----------
    database : str
        See `twin.live.database.Database`.

    Raises
    ------
    ScenarioError
        If nothing happened yet.
    StoreError
        If the store cannot be read.
    """
    with closing(Store(database)) as store:
        kept = store.desk()
        if not any(ticket["origin"] == "live" for ticket in store.tickets(limit=_MOST)):
            raise ScenarioError("the live desk", [Fault("", "no ticket was filed yet")])
    desk: dict[str, Any] = {} if kept is None else json.loads(kept)
    history = read_history(database, zone=desk.get("time_zone") or "UTC")
    promises = {"targets": desk["targets"]} if "targets" in desk else {}
    return replace(history, desk=from_data(history.desk.as_data() | promises))
