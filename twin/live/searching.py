"""Searches for tickets: in their texts, and by what is known of them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists, or_

from twin.live import tables


def wanted(
    text: str | None = None,
    category: str | None = None,
    priority: str | None = None,
    assignee: str | None = None,
) -> Sequence[ColumnElement[bool]]:
    """Conditions of a search; what is None is not asked for.

    Parameters
    ----------
    text : str, optional
        In the description or the thread, in capitals or not; or the number.
    category, priority, assignee : str, optional
        An empty assignee finds what nobody has taken on.
    """
    t, m = tables.tickets, tables.messages
    found: list[ColumnElement[bool]] = []
    for column, value in ((t.c.category, category), (t.c.priority, priority),
                          (t.c.assignee, assignee)):  # fmt: skip
        if value is not None:
            found.append(column == value)
    if text:
        said = exists().where(m.c.ticket_id == t.c.id, m.c.text.icontains(text, autoescape=True))
        ways = [t.c.description.icontains(text, autoescape=True), said]
        if text.isascii() and text.isdigit() and len(text) < 10:
            ways.append(t.c.id == int(text))
        found.append(or_(*ways))
    return found
