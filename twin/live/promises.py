"""Promises of the desk to its customers, and by them the order of the agents' queue."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Double, case, literal, tuple_

from twin.live.tables import tickets
from twin.records.tables import OPEN_STATUSES
from twin.scenario.model import PRIORITIES
from twin.scenario.sections.targets import Targets

# A thousand years: what is promised for then is not promised, and has no date in calendars.
_LONGEST_S = 1000 * 365.25 * 86_400
# Later than any promise; what is promised nothing comes behind all that is.
_NEVER = 9e15
PLACE = r"^([0-9]{1,17}\.[0-9]{1,17})_([0-9])_([0-9]{1,10})$"


class Promises:
    """Promises of a desk: until when a ticket is to be answered and resolved, around the clock.

    The next promise of an open ticket is its first response until somebody has responded, and its
    resolution from then on. The most urgent ticket is the one whose next promise ends first: the
    most overdue one. Tickets that are promised nothing come last, by priority. Of equals the one
    that was filed first comes first.

    Parameters
    ----------
    targets : Targets
        Of the scenario.
    """

    def __init__(self, targets: Targets) -> None:
        self._times = {
            name: {priority: s for priority, s in times.items() if s < _LONGEST_S}
            for name, times in (
                ("first_response", targets.first_response),
                ("resolution", targets.resolution),
            )
        }

    def due(self, ticket: Mapping[str, Any]) -> dict[str, float]:
        """Moments by which a ticket is to be answered and resolved, where that is promised."""
        return {
            name: ticket["received_at"] + times[ticket["priority"]]
            for name, times in self._times.items()
            if ticket["priority"] in times
        }

    def urgency(self) -> tuple[ColumnElement[Any], ...]:
        """Columns by which tickets are ordered, the most urgent first."""
        t = tickets
        never = literal(_NEVER, Double)
        unanswered = t.c.responded_at.is_(None) & t.c.priority.in_(self._times["first_response"])
        due = case(
            (t.c.status.not_in(OPEN_STATUSES), never),
            (unanswered, self._moment("first_response")),
            else_=self._moment("resolution"),
        )
        ranks = {name: rank for rank, name in enumerate(PRIORITIES)}
        return due, case(ranks, value=t.c.priority, else_=len(ranks)), t.c.id

    def _moment(self, name: str) -> ColumnElement[Any]:
        """The SQL of `due`."""
        t = tickets
        times = {p: t.c.received_at + literal(s, Double) for p, s in self._times[name].items()}
        never = literal(_NEVER, Double)
        return case(times, value=t.c.priority, else_=never) if times else never


def place(due: float, rank: int, number: int) -> str:
    """A place in the order of urgency, as text for a client to come back with."""
    return f"{due!r}_{rank}_{number}"


def behind(order: Sequence[ColumnElement[Any]], text: str) -> ColumnElement[bool]:
    """Condition that a ticket comes behind a place.

    Raises
    ------
    ValueError
        If the text is no place.
    """
    found = re.fullmatch(PLACE, text)
    if found is None:
        raise ValueError("not a place")
    due, rank, number = float(found[1]), int(found[2]), int(found[3])
    return tuple_(*order) > tuple_(literal(due, Double), literal(rank), literal(number))
