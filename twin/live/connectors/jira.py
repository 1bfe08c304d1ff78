"""Jira Service Management (Cloud): issues with their changelog, to be pulled.

By developer.atlassian.com, read in November 2026: a search goes on by ``nextPageToken``, which
ends after a while; JQL has moments to the minute by the clock of the token's owner; an issue in a
search holds the newest changes only, where it has many.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from twin.live.connectors.accounts import Account
from twin.live.connectors.help_desk import Page, Place, picked, seconds
from twin.live.connectors.wire import Forbidden, Unclear, Wire

_FIELDS = ("created", "updated", "status", "priority", "issuetype", "assignee", "resolutiondate",
           "labels", "project")  # fmt: skip
_TEXTS = ("summary",)
_PAGE = 100
# What the search's index does not know yet is looked for again.
_BEHIND_S = 300.0
_CHANGES = ("status", "resolution")


class Jira:
    """A Jira site.

    Parameters
    ----------
    wire : Wire
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._zone: ZoneInfo | None = None

    @staticmethod
    def headers(account: Account) -> dict[str, str]:
        """Headers with the token."""
        pair = f"{account.user}:{account.token}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def export(self, place: Place, since: float, texts: bool) -> Page[dict[str, Any]]:
        """Issues that changed, the oldest first: that order holds while issues change."""
        start = float(place.get("from", since))
        if "next" not in place:
            newest = self._search(f"{self._changed(start)} ORDER BY updated DESC", (), 1, None)
            if not newest["issues"]:
                return Page([], {"from": start}, done=True)
            latest = seconds(_of(newest["issues"][0], "fields").get("updated"))
            place = {"from": start, "next": max(latest - _BEHIND_S, start)}
        wanted = (*_FIELDS, *(_TEXTS if texts else ()))
        query = f"{self._changed(start)} ORDER BY created ASC"
        try:
            found = self._search(query, wanted, _PAGE, place.get("token"))
        except Forbidden:
            if "token" not in place:
                raise
            # It ended while nobody pulled: the round begins again, and nothing is kept twice.
            found = self._search(query, wanted, _PAGE, None)
        items = [self._issue(issue, wanted) for issue in found["issues"]]
        token = found.get("nextPageToken")
        if token and not found.get("isLast"):
            return Page(items, {**place, "token": token}, done=False)
        return Page(items, {"from": place["next"]}, done=True)

    def _search(
        self, jql: str, fields: tuple[str, ...], most: int, token: Any
    ) -> dict[str, Any]:  # fmt: skip
        query = {"jql": jql, "fields": ",".join(fields or ("updated",)), "maxResults": most}
        query |= {"expand": "changelog"} if fields else {}
        query |= {"nextPageToken": token} if token else {}
        found = self._wire.get("/rest/api/3/search/jql", query)
        issues = found.get("issues")
        if not isinstance(issues, list) or not all(isinstance(one, dict) for one in issues):
            raise Unclear("the answer's issues are no list of objects")
        return found

    def _changed(self, start: float) -> str:
        if self._zone is None:
            name = str(self._wire.get("/rest/api/3/myself").get("timeZone"))
            try:
                self._zone = ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise Unclear("the clock of the token's owner is not known") from None
        local = datetime.fromtimestamp(start, UTC).astimezone(self._zone)
        return f'updated >= "{local:%Y/%m/%d %H:%M}"'

    def _issue(self, issue: dict[str, Any], wanted: tuple[str, ...]) -> dict[str, Any]:
        fields = _of(issue, "fields")
        kept = picked(fields, wanted)
        for name, parts in (("status", ("name",)), ("priority", ("name",)), ("project", ("key",)),
                            ("issuetype", ("name",)), ("assignee", ("accountId",))):  # fmt: skip
            if name in kept:
                kept[name] = picked(_of(fields, name), parts)
        histories = [_history(one) for one in self._histories(issue)]
        return {
            "kind": "issues", "id": issue.get("key"), "key": issue.get("key"), "fields": kept,
            "changelog": {"histories": [one for one in histories if one["items"]]},
        }  # fmt: skip

    def _histories(self, issue: dict[str, Any]) -> list[dict[str, Any]]:
        log = _of(issue, "changelog")
        found = list(log.get("histories") or [])
        if int(log.get("total") or 0) <= len(found):
            return found
        found = []
        while True:
            more = self._wire.get(
                f"/rest/api/3/issue/{issue.get('id')}/changelog",
                {"startAt": len(found), "maxResults": _PAGE},
            )
            values = more.get("values") or []
            if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
                raise Unclear("the changes of an issue are no list of objects")
            if values and values == found[-len(values) :]:
                raise Unclear("the list of changes does not get on")
            found += values
            if more.get("isLast", True) or not values:
                return found


def _of(item: dict[str, Any], name: str) -> dict[str, Any]:
    found = item.get(name)
    return found if isinstance(found, dict) else {}


def _history(one: dict[str, Any]) -> dict[str, Any]:
    """A change of an issue: its statuses, and that it changed hands, without names."""
    items = []
    for item in one.get("items") or []:
        if item.get("field") in _CHANGES:
            items.append(picked(item, ("field", "fromString", "toString")))
        elif item.get("field") == "assignee":
            items.append({"field": "assignee"})
    author = picked(_of(one, "author"), ("accountId",))
    return {"created": one.get("created"), "author": author, "items": items}
