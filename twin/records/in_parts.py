"""A log in parts: some tickets each, with all that belongs to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.records.tables import RunLog

# Tickets of a part: a part takes about 100 MB while it is measured. Sums over more tickets are
# sums of the sums of parts, so another number changes the last digits of figures.
PART = 50_000

# Tables whose rows belong to tickets.
OF_TICKETS = ("timeline", "visits", "calls", "ratings")


def parts_of(log: RunLog, size: int | None = None) -> Iterator[RunLog]:
    """The parts of a log, in the order of tickets; a short one is a part by itself.

    Parameters
    ----------
    log : RunLog
        Its tickets are in the order of ``ticket_id``.
    size : int, optional
        Tickets of a part.
    """
    size = PART if size is None else size
    if len(log.arrays("tickets")) <= size:
        yield log
        return
    firsts = log.tickets["ticket_id"].to_numpy()[::size]
    rows = {name: _rows(getattr(log, name)["ticket_id"].to_numpy(), firsts) for name in OF_TICKETS}
    for k in range(len(firsts)):
        of_tickets: dict[str, Any] = {
            name: getattr(log, name).iloc[np.sort(order[edges[k] : edges[k + 1]])]
            for name, (order, edges) in rows.items()
        }
        yield replace(log, tickets=log.tickets.iloc[k * size : (k + 1) * size], **of_tickets)


def _rows(
    ids: npt.NDArray[Any], firsts: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Places of rows, part by part, and where each part begins and ends among them."""
    part = np.searchsorted(firsts, ids, side="right") - 1
    order = np.argsort(part.astype(np.int16), kind="stable")
    edges = np.searchsorted(part[order], np.arange(len(firsts) + 1))
    return order, edges


def without_rows(log: RunLog) -> RunLog:
    """The log without any rows of tickets, with the names that columns know."""
    names = ("tickets", *OF_TICKETS)
    none: dict[str, Any] = {name: getattr(log, name).iloc[:0] for name in names}
    return replace(log, **none)
