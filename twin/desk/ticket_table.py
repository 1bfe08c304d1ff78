"""The table tickets: what a ticket was when it came, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.records.tables import STATUSES, WORKERS, Columns, codes, columns_of
from twin.scenario.model import PRIORITIES

Array = npt.NDArray[Any]
# What becomes of a ticket, with the type of each.
OUTCOMES = (
    ("category", "i2"), ("confidence", "f8"), ("categorized_by", "i1"), ("responded_s", "f8"),
    ("resolved_s", "f8"), ("resolved_by", "i1"), ("solved", "i1"), ("quality", "f8"),
    ("answer", "i4"), ("transfers", "i2"), ("reopens", "i2"),
)  # fmt: skip


def ticket_table(
    drawn: Mapping[str, Array],
    became: Mapping[str, Array],
    latest: Array,
    categories: tuple[str, ...],
    channels: tuple[str, ...],
    first: int = 0,
) -> Columns:
    """The table tickets of a run, or of some of its tickets in a row.

    Parameters
    ----------
    drawn : mapping of str to array
        arrived_s, text, category, priority and channel, as in `twin.demand.tickets.Demand`.
    became : mapping of str to array
        `OUTCOMES`; -1 or NaN where nothing did.
    latest : array of int
        Last status.
    categories, channels : tuple of str
    first : int
        Number of the first of them; 0 is the first of all.
    """
    n = len(latest)
    solved = became["solved"].astype(float)
    solved[solved < 0] = np.nan
    return columns_of(
        "tickets",
        {
            "ticket_id": np.arange(first + 1, first + n + 1, dtype=np.int32),
            "arrived_s": drawn["arrived_s"],
            "text_id": drawn["text"],
            "category_true": codes(drawn["category"], categories),
            "priority": codes(drawn["priority"], PRIORITIES),
            "channel": codes(drawn["channel"], channels),
            "category": codes(became["category"], categories),
            "confidence": became["confidence"],
            "categorized_by": codes(became["categorized_by"], WORKERS),
            "responded_s": became["responded_s"],
            "resolved_s": became["resolved_s"],
            "resolved_by": codes(became["resolved_by"], WORKERS),
            "solved": solved,
            "quality": became["quality"],
            "answer_id": became["answer"],
            "transfers": became["transfers"],
            "reopens": became["reopens"],
            "status": codes(latest, STATUSES),
        },
    )
