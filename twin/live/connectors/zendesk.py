"""Zendesk: the incremental exports, and the ticket API.

By developer.zendesk.com, read in November 2026: exports take 10 requests a minute, keep back the
last minute, and tell deleted tickets by their status; an update with ``safe_update`` is refused
where the ticket changed since; an update's audit keeps ``metadata.custom``, which customers do not
see, so the marker of a message is in it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

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
    picked,
    seconds,
)
from twin.live.connectors.wire import ChangedThere, NotThere, Pace, Unclear, Wire
from twin.scenario.model import PRIORITIES

_EXPORT_EVERY_S = 6.0
# Exports do not take a start within the last minute.
_KEPT_BACK_S = 61.0
_TICKET = ("id", "created_at", "updated_at", "status", "priority", "type", "group_id",
           "assignee_id", "tags")  # fmt: skip
_METRICS = ("reopens", "assignee_stations", "solved_at", "reply_time_in_minutes",
            "full_resolution_time_in_minutes")  # fmt: skip
_EVENT = ("id", "ticket_id", "metric", "instance_id", "type", "time")
_STAGES: dict[str, Stage] = {"new": "new", "solved": "closed", "closed": "closed",
                             "deleted": "gone"}  # fmt: skip
# Of a satisfaction that knows good and bad only (assumed).
_STARS = {"good": 5, "bad": 1}
TAGS = "tags"
_MARKER = "twin"


class Zendesk:
    """A Zendesk account.

    Parameters
    ----------
    wire : Wire
    rules : Rules, optional
        `category_field`: number of a custom field, or "tags".
    """

    def __init__(self, wire: Wire, rules: Rules | None = None) -> None:
        self._wire = wire
        self._rules = rules or Rules()
        self._pace = Pace(_EXPORT_EVERY_S)

    @staticmethod
    def headers(account: Account) -> dict[str, str]:
        """Headers with the token."""
        pair = f"{account.user}/token:{account.token}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def export(self, place: Place, since: float, texts: bool) -> Page[dict[str, Any]]:
        """Tickets with their metric sets, and behind them the metric events."""
        if place.get("stage") == "events":
            return self._events(place, since)
        found = self._tickets(place, since, {"include": "metric_sets"})
        metrics = {one.get("ticket_id"): one for one in _objects(found, "metric_sets")}
        items = []
        for ticket in _objects(found, "tickets"):
            item = {"kind": "tickets", **picked(ticket, _TICKET)}
            item["via"] = picked(ticket.get("via") or {}, ("channel",))
            item["satisfaction_rating"] = picked(_rating(ticket), ("score",))
            own = ticket.get("metric_set") or metrics.get(ticket["id"]) or {}
            item["metric_set"] = picked(own, _METRICS)
            if texts:
                item |= picked(ticket, ("subject", "description"))
            items.append(item)
        cursor = found.get("after_cursor") or place.get("cursor")
        after = {**place, "cursor": cursor}
        if found.get("end_of_stream"):
            after["stage"] = "events"
        return Page(items, after, done=False)

    def _events(self, place: Place, since: float) -> Page[dict[str, Any]]:
        start = int(place.get("events", self._start(since)))
        self._wait()
        found = self._wire.get(
            "/api/v2/incremental/ticket_metric_events.json", {"start_time": start}
        )
        events = _objects(found, "ticket_metric_events")
        items = [{"kind": "events", **picked(one, _EVENT)} for one in events]
        end = found.get("end_time") or start
        done = bool(found.get("end_of_stream"))
        after = {**place, "events": end}
        if done:
            after["stage"] = "tickets"
        return Page(items, after, done)

    def _tickets(self, place: Place, since: float, more: Mapping[str, Any]) -> dict[str, Any]:
        where = {"cursor": place["cursor"]} if place.get("cursor") else None
        where = where or {"start_time": self._start(since)}
        self._wait()
        return self._wire.get("/api/v2/incremental/tickets/cursor.json", {**where, **more})

    def _start(self, since: float) -> int:
        return int(min(since, self._wire.clock() - _KEPT_BACK_S))

    def _wait(self) -> None:
        wait_s = self._pace.wait_s(self._wire.clock())
        if wait_s:
            self._wire.sleep(wait_s)

    def changed(self, place: Place, since: float) -> Page[Remote]:
        """Tickets by the incremental export."""
        found = self._tickets(place, since, {})
        items = [_remote(ticket) for ticket in _objects(found, "tickets")]
        cursor = found.get("after_cursor") or place.get("cursor")
        return Page(items, {"cursor": cursor}, bool(found.get("end_of_stream")))

    def ticket(self, ticket: str) -> Remote:
        """A ticket as it is now."""
        return _remote(self._ticket(ticket))

    def _ticket(self, ticket: str) -> dict[str, Any]:
        found = self._wire.get(f"/api/v2/tickets/{_number(ticket)}.json").get("ticket")
        if not isinstance(found, dict) or str(found.get("id")) != ticket:
            raise Unclear(f"ticket {ticket}: the answer holds no such ticket")
        return found

    def opening(self, ticket: str) -> str:
        """Subject and text of the customer."""
        found = self._ticket(ticket)
        return f"{found.get('subject') or ''}\n\n{found.get('description') or ''}".strip()

    def thread(self, ticket: str) -> Sequence[Said]:
        """Comments, with their markers, by the audits of a ticket."""
        requester = self._ticket(ticket).get("requester_id")
        said: list[Said] = []
        path, query = f"/api/v2/tickets/{_number(ticket)}/audits.json", {"page[size]": "100"}
        while True:
            found = self._wire.get(path, query)
            for audit in _objects(found, "audits"):
                custom = (audit.get("metadata") or {}).get("custom") or {}
                for event in _objects(audit, "events"):
                    if event.get("type") == "Comment":
                        author = event.get("author_id", audit.get("author_id"))
                        said.append(Said(
                            str(audit["id"]), seconds(audit.get("created_at")),
                            "customer" if author == requester else "desk",
                            str(event.get("body") or ""), bool(event.get("public", True)),
                            str(custom.get(_MARKER) or ""),
                        ))  # fmt: skip
            meta = found.get("meta") or {}
            if not meta.get("has_more"):
                return said
            query = {"page[size]": "100", "page[after]": str(meta.get("after_cursor"))}

    def write(self, ticket: str, writing: Writing) -> None:
        """Write a comment and all that goes along with it, in one update or not at all."""
        now = self._ticket(ticket)
        if now.get("status") == "deleted":
            raise NotThere(f"ticket {ticket} is deleted")
        if now.get("status") == "closed":
            raise ChangedThere(f"ticket {ticket} is closed")
        writing.check(seconds(now.get("updated_at")))
        update: dict[str, Any] = {
            "comment": {"body": writing.text[:MOST_CHARACTERS], "public": writing.public},
            "metadata": {"custom": {_MARKER: writing.marker}},
            "safe_update": True,
            "updated_stamp": now.get("updated_at"),
        }
        if writing.public and writing.waits:
            update["status"] = "pending"
        if writing.priority and not now.get("priority"):
            update["priority"] = writing.priority
        if writing.category and self._rules.category_field == TAGS:
            tag = "twin_" + re.sub(r"[^a-z0-9]+", "_", writing.category.lower()).strip("_")
            there = now.get("tags") or []
            if not any(str(one).startswith("twin_") for one in there):
                update["tags"] = [*there, tag]
        elif writing.category and self._rules.category_field:
            number = int(self._rules.category_field)
            set_ = {one.get("id"): one.get("value") for one in now.get("custom_fields") or []}
            if not set_.get(number):
                update["custom_fields"] = [{"id": number, "value": writing.category}]
        path = f"/api/v2/tickets/{_number(ticket)}.json"
        self._wire.send("PUT", path, {"ticket": update})


def _objects(found: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    rows = found.get(name) or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unclear(f"the answer's {name} are no list of objects")
    return rows


def _number(ticket: str) -> str:
    if not re.fullmatch(r"[0-9]{1,18}", ticket):
        raise NotThere("a ticket's number is no number")
    return ticket


def _rating(ticket: Mapping[str, Any]) -> Mapping[str, Any]:
    found = ticket.get("satisfaction_rating")
    return found if isinstance(found, dict) else {}


def _remote(ticket: Mapping[str, Any]) -> Remote:
    priority = ticket.get("priority")
    return Remote(
        str(ticket.get("id")), seconds(ticket.get("created_at")), seconds(ticket.get("updated_at")),
        _STAGES.get(str(ticket.get("status")), "open"),
        priority if priority in PRIORITIES else None,
        _STARS.get(str(_rating(ticket).get("score"))),
    )  # fmt: skip
