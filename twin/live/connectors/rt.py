"""Request Tracker 5: its REST API, version 2.

RT keeps no room for a marker that customers do not see, so the marker is the last line of a
message. Tickets are read in the order of their numbers, above a moment of their last change: that
order holds while tickets change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from twin.common.markup import plain
from twin.live.connectors.accounts import Account
from twin.live.connectors.help_desk import (
    MOST_CHARACTERS,
    Page,
    Place,
    Remote,
    Rules,
    Said,
    Stage,
    Writing,
    iso,
    picked,
    seconds,
)
from twin.live.connectors.wire import NotThere, Unclear, Wire
from twin.scenario.model import Priority

_API = "/REST/2.0"
# RT gives no more than 100 a page.
_PAGE, _PULL_PAGE = 100, 50
# A change that is written slowly has an earlier moment than ones that were read before it.
_BEHIND_S = 60.0
_FIELDS = ("Subject", "Status", "Priority", "Created", "LastUpdated", "Started", "Resolved", "Told",
           "Queue", "Owner", "CustomFields", "Requestor")  # fmt: skip
_KEPT = ("id", "Status", "Priority", "Created", "LastUpdated", "Resolved")
_TRANSACTION = ("Type", "Field", "OldValue", "NewValue", "Created", "Creator")
# Types of transactions that tell a history; all others are left out.
_HISTORY = ("Create", "Status", "Correspond", "Set", "SetWatcher", "Take", "Give", "Steal",
            "Untake", "Force")  # fmt: skip
_STAGES: dict[str, Stage] = {"new": "new", "resolved": "closed", "rejected": "closed",
                             "deleted": "gone"}  # fmt: skip
# RT has numbers, and words for some of them ($PriorityAsString, as it comes).
_PRIORITIES: dict[Priority, int] = {"urgent": 100, "high": 100, "normal": 50, "low": 0}
_MARKER = re.compile(r"^\[(twin-[0-9a-f]{16})\]\s*\Z", re.MULTILINE)


class RequestTracker:
    """An RT server.

    Parameters
    ----------
    wire : Wire
    rules : Rules, optional
        Names of custom fields of the queue.
    """

    def __init__(self, wire: Wire, rules: Rules | None = None) -> None:
        self._wire = wire
        self._rules = rules or Rules()

    @staticmethod
    def headers(account: Account) -> dict[str, str]:
        """Headers with the token."""
        return {"Authorization": f"token {account.token}"}

    def export(self, place: Place, since: float, texts: bool) -> Page[dict[str, Any]]:
        """Tickets with those of their transactions that tell a history."""
        rows, after, done = self._round(place, since, _PULL_PAGE)
        told = self._transactions([str(row["id"]) for row in rows])
        items = [self._whole(row, told.get(str(row["id"]), []), texts) for row in rows]
        return Page(items, after, done)

    def changed(self, place: Place, since: float) -> Page[Remote]:
        """Tickets that changed."""
        rows, after, done = self._round(place, since, _PAGE)
        return Page([self._remote(row) for row in rows], after, done)

    def _round(
        self, place: Place, since: float, size: int
    ) -> tuple[list[dict[str, Any]], dict[str, Any], bool]:
        """One page of the tickets above a moment, and the place behind it."""
        start = float(place.get("from", since))
        if "next" not in place:
            newest = self._search(start, 0, "LastUpdated", "DESC", 1)
            if not newest:
                return [], {"from": start}, True
            latest = seconds(newest[0].get("LastUpdated"))
            place = {"from": start, "after": 0, "next": max(latest - _BEHIND_S, start)}
        rows = self._search(start, int(place["after"]), "id", "ASC", size)
        if len(rows) < size:
            return rows, {"from": place["next"]}, True
        return rows, {**place, "after": int(rows[-1]["id"])}, False

    def _search(
        self, start: float, after: int, order: str, way: str, size: int
    ) -> list[dict[str, Any]]:
        # RT's own clock for moments without a zone is the user's: it is named.
        query = f"LastUpdated > '{iso(start)}' AND id > {after}"
        if self._rules.queue:
            query += f" AND Queue = '{self._rules.queue}'"
        found = self._wire.get(f"{_API}/tickets", {
            "query": query, "fields": ",".join(_FIELDS), "fields[Queue]": "Name",
            "orderby": order, "order": way, "per_page": size,
        })  # fmt: skip
        return _numbered(found)

    def _transactions(self, tickets: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Transactions of many tickets that tell a history, by ticket, the oldest first."""
        found: dict[str, list[dict[str, Any]]] = {}
        if not tickets:
            return found
        which = " OR ".join(f"TicketId = {int(ticket)}" for ticket in tickets)
        kinds = " OR ".join(f"Type = '{kind}'" for kind in _HISTORY)
        last = 0
        while True:
            query = f"({which}) AND ({kinds}) AND ObjectType = 'RT::Ticket' AND id > {last}"
            rows = _items(self._wire.get(f"{_API}/transactions", {
                "query": query, "fields": ",".join((*_TRANSACTION, "ObjectId")), "orderby": "id",
                "order": "ASC", "per_page": _PAGE,
            }))  # fmt: skip
            # Some of a page may be hidden from the token's user, so a short one is not the last.
            if not rows:
                return found
            for row in rows:
                found.setdefault(str(row.get("ObjectId")), []).append(row)
            last, before = _number(rows[-1].get("id")), last
            if last <= before:
                raise Unclear("the list of transactions does not get on")

    def _whole(
        self, row: dict[str, Any], told: Sequence[dict[str, Any]], texts: bool
    ) -> dict[str, Any]:  # fmt: skip
        item = {"kind": "tickets", **picked(row, _KEPT)}
        # A moment that has not come yet.
        if seconds(item.get("Resolved")) <= 0.0:
            item.pop("Resolved", None)
        item["Queue"] = picked(row.get("Queue") or {}, ("Name",))
        item["Owner"] = picked(row.get("Owner") or {}, ("id",))
        for name, key in ((self._rules.category_field, "Category"),
                          (self._rules.rating_field, "Satisfaction")):  # fmt: skip
            if value := _field(row, name):
                item[key] = value
        if texts:
            item |= {"Subject": row.get("Subject"), "Description": self.opening(str(row["id"]))}
        asked = _requestors(row)
        item["Transactions"] = [
            {**picked(one, ("Type", "Field", "OldValue", "NewValue", "Created")),
             # A customer is no agent, and has no name here.
             "Creator": "" if (who := _id(one.get("Creator"))) in asked else who}
            for one in told
        ]  # fmt: skip
        return item

    def _pages(self, path: str, fields: Sequence[str]) -> list[dict[str, Any]]:
        """All of a list; of a page, some may be hidden from the token's user."""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            query = {"fields": ",".join(fields), "per_page": _PAGE, "page": page}
            rows = _items(self._wire.get(f"{_API}/{path}", query))
            if not rows:
                return found
            if rows == found[-len(rows) :]:
                raise Unclear("a list does not get on")
            found += rows
            page += 1

    def ticket(self, ticket: str) -> Remote:
        """A ticket as it is now."""
        return self._remote(self._ticket(ticket))

    def _ticket(self, ticket: str) -> dict[str, Any]:
        if not re.fullmatch(r"[0-9]{1,10}", ticket):
            raise NotThere("a ticket's number is no number")
        found = self._wire.get(f"{_API}/ticket/{ticket}")
        # A ticket that was merged has another number.
        if str(found.get("id")) != ticket:
            raise NotThere(f"ticket {ticket} became a part of another one")
        return found

    def _remote(self, row: dict[str, Any]) -> Remote:
        stars = _field(row, self._rules.rating_field)
        number = _number(row.get("Priority"))
        priority: Priority | None = "high" if number >= 100 else "normal" if number >= 50 else "low"
        return Remote(
            str(row["id"]), seconds(row.get("Created")), seconds(row.get("LastUpdated")),
            _STAGES.get(str(row.get("Status")), "open"), priority if number > 0 else None,
            int(stars) if stars in tuple("12345") else None,
        )  # fmt: skip

    def opening(self, ticket: str) -> str:
        """Subject and text of the customer."""
        rows = _items(self._wire.get(f"{_API}/ticket/{ticket}/attachments", {
            "fields": "Subject,Content,ContentType,TransactionId", "per_page": _PAGE,
        }))  # fmt: skip
        first = [row for row in rows if row.get("TransactionId") == rows[0].get("TransactionId")]
        subject = next((str(row["Subject"]) for row in first if row.get("Subject")), "")
        return f"{subject}\n\n{_text(first)}".strip()

    def thread(self, ticket: str) -> Sequence[Said]:
        """Messages and comments, with their markers."""
        asked = _requestors(self._ticket(ticket))
        told = self._pages(f"ticket/{ticket}/history", ("Type", "Creator", "Created"))
        parts: dict[str, list[dict[str, Any]]] = {}
        wanted = ("Content", "ContentType", "TransactionId")
        for row in self._pages(f"ticket/{ticket}/attachments", wanted):
            parts.setdefault(str(row.get("TransactionId")), []).append(row)
        said = []
        for one in told:
            kind = one.get("Type")
            if kind not in ("Create", "Correspond", "Comment"):
                continue
            text = _text(parts.get(str(one.get("id")), []))
            by_customer = kind == "Create" or _id(one.get("Creator")) in asked
            found = None if by_customer else _MARKER.search(text)
            said.append(Said(
                str(one.get("id")), seconds(one.get("Created")),
                "customer" if by_customer else "desk", text, kind != "Comment",
                found[1] if found else "",
            ))  # fmt: skip
        return said

    def write(self, ticket: str, writing: Writing) -> None:
        """Write a reply or a comment with the category; first the priority, which may be repeated.

        What a person has set stays.
        """
        now = self._ticket(ticket)
        if now.get("Status") == "deleted":
            raise NotThere(f"ticket {ticket} is deleted")
        writing.check(seconds(now.get("LastUpdated")))
        if writing.priority and _number(now.get("Priority")) == 0:
            wanted = {"Priority": _PRIORITIES[writing.priority]}
            self._wire.send("PUT", f"{_API}/ticket/{ticket}", wanted)
        text = f"{writing.text[:MOST_CHARACTERS]}\n\n[{writing.marker}]"
        body: dict[str, Any] = {"Content": text, "ContentType": "text/plain"}
        field = self._rules.category_field
        if writing.category and field and not _field(now, field):
            body["CustomFields"] = {field: writing.category}
        how = "correspond" if writing.public else "comment"
        self._wire.send("POST", f"{_API}/ticket/{ticket}/{how}", body)


def _items(found: dict[str, Any]) -> list[dict[str, Any]]:
    rows = found.get("items")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unclear("the answer holds no list of items")
    return rows


def _numbered(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Items of a list, each with a number of its own."""
    rows = _items(found)
    if not all(re.fullmatch(r"[0-9]{1,10}", str(row.get("id"))) for row in rows):
        raise Unclear("the answer's items have no numbers")
    return rows


def _id(one: Any) -> str:
    return str(one.get("id") or "") if isinstance(one, dict) else ""


def _requestors(row: dict[str, Any]) -> set[str]:
    return {_id(one) for one in row.get("Requestor") or []}


def _field(row: dict[str, Any], name: str) -> str:
    """The value of a custom field; empty where there is none."""
    if not name:
        return ""
    for one in row.get("CustomFields") or []:
        if isinstance(one, dict) and one.get("name") == name:
            return ", ".join(str(value) for value in one.get("values") or [])
    return ""


def _number(text: Any) -> int:
    try:
        return int(text)
    except (TypeError, ValueError):
        return 0


def _text(rows: Sequence[dict[str, Any]]) -> str:
    """The text of a message: its plain part, else what its markup says."""
    for kind in ("text/plain", "text/html"):
        for row in rows:
            if str(row.get("ContentType")).startswith(kind) and row.get("Content"):
                text = str(row["Content"])[: 4 * MOST_CHARACTERS]
                return text if kind == "text/plain" else plain(text)
    return ""
