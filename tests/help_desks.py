"""Stand-ins for Zendesk and Jira: small, in memory, by the rules that their documentation states.

Zendesk: token as a pair; 10 exports a minute, then 429 with Retry-After; exports keep back the last
minute and refuse a later start; a cursor export tells tickets in the order of their changes, those
deleted by their status; metric events come by time, those of the last second again; audits may be
read late; an update with `safe_update` is refused with 409 where the ticket changed; a closed
ticket takes no comment. Jira: the search goes on by a token that ends, by an index that is late;
JQL has minutes by the clock of the token's owner; a long changelog comes by pages. Pages are small.
"""

import base64
import json
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import httpx

from twin.live.connectors.help_desk import iso, seconds

START = 1_790_000_000.0
TOKEN = "s3cret-token-of-the-desk"


class Clock:
    """A clock that moves when somebody sleeps."""

    def __init__(self, now=START + 30 * 86_400):
        self.now, self.slept = now, []

    def __call__(self):
        return self.now

    def sleep(self, wait_s):
        assert 0.0 <= wait_s <= 900.0
        self.slept.append(wait_s)
        self.now += wait_s


def answer(data, status=200, **headers):
    found = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=data, headers=found)


def owner(request):
    kind, _, pair = request.headers.get("authorization", "").partition(" ")
    return base64.b64decode(pair).decode() if kind == "Basic" else ""


class ZendeskStandIn:
    """Tickets by number; `late_s` is how late audits may be read."""

    PAGE = 3

    def __init__(self, clock, late_s=0.0):
        self.clock, self.late_s = clock, late_s
        self.tickets, self.audits, self.events = {}, {}, []
        self.exports, self.requests = [], 0

    def file(self, text, at=None, requester=9, **fields):
        """A ticket of a customer; its number."""
        at = self.clock() if at is None else at
        number = len(self.tickets) + 1
        self.tickets[number] = {
            "id": number, "created_at": iso(at), "updated_at": iso(at), "status": "new",
            "priority": None, "subject": "Help", "description": text, "requester_id": requester,
            "assignee_id": None, "group_id": 5, "tags": [], "type": "question",
            "via": {"channel": "email"}, "satisfaction_rating": {"score": "unoffered"},
            "custom_fields": [{"id": 77, "value": None}], **fields,
        }  # fmt: skip
        self.audits[number] = []
        self._audit(number, requester, text, True, {}, at)
        self._event(number, "requester_wait_time", "activate", at)
        return number

    def _audit(self, number, author, text, public, custom, at=None):
        audit = {
            "id": 1000 * number + len(self.audits[number]), "author_id": author,
            "created_at": iso(self.clock() if at is None else at), "metadata": {"custom": custom},
            "events": [{"type": "Comment", "body": text, "public": public, "author_id": author}],
        }  # fmt: skip
        self.audits[number].append((self.clock() if at is None else at, audit))

    def _event(self, number, metric, kind, at):
        self.events.append({"id": len(self.events) + 1, "ticket_id": number, "metric": metric,
                            "instance_id": 1, "type": kind, "time": iso(at)})  # fmt: skip

    def touch(self, number, at=None, **fields):
        """Change a ticket, as a person would."""
        at = self.clock() if at is None else at
        before = self.tickets[number]["updated_at"]
        # Zendesk has seconds: two changes in one would look like one.
        self.tickets[number] |= fields | {"updated_at": iso(max(at, seconds(before) + 1.0))}

    def say(self, number, author, text, public=True):
        """A comment of a person."""
        self._audit(number, author, text, public, {})
        self.touch(number)

    def solve(self, number, at):
        """An agent's reply that solves a ticket."""
        created = seconds(self.tickets[number]["created_at"])
        minutes = {"calendar": int((at - created) / 60), "business": int((at - created) / 60)}
        self._event(number, "reply_time", "fulfill", at)
        self._event(number, "requester_wait_time", "fulfill", at)
        self._audit(number, 500, "Press it.", True, {}, at)
        self.touch(number, at, status="solved", assignee_id=500 + number % 2, metric_set={
            "ticket_id": number, "reopens": 0, "assignee_stations": 1, "solved_at": iso(at),
            "reply_time_in_minutes": minutes, "full_resolution_time_in_minutes": minutes,
        })  # fmt: skip

    def written(self, number):
        """Comments that carry a marker."""
        return [audit for _, audit in self.audits[number] if audit["metadata"]["custom"]]

    def __call__(self, request):
        self.requests += 1
        if owner(request) != f"a@desk.example/token:{TOKEN}":
            return answer({"error": "Couldn't authenticate you"}, 401)
        path, query = request.url.path, request.url.params
        if path.startswith("/api/v2/incremental/"):
            now = self.clock()
            self.exports = [at for at in self.exports if at > now - 60.0]
            if len(self.exports) >= 10:
                wait_s = int(self.exports[0] + 61 - now)
                return answer({"error": "limit"}, 429, retry_after=str(wait_s))
            self.exports.append(now)
            if int(query.get("start_time", 0)) > now - 60.0:
                return answer({"error": "StartTimeTooRecent"}, 422)
            if path.endswith("/tickets/cursor.json"):
                return self._cursor(query)
            return self._metric_events(query)
        found = re.fullmatch(r"/api/v2/tickets/(\d+)(/audits)?\.json", path)
        number = int(found[1]) if found else 0
        if number not in self.tickets or self.tickets[number]["status"] == "deleted":
            return answer({"error": "RecordNotFound"}, 404)
        if found[2]:
            return self._audits(number, query)
        if request.method == "PUT":
            return self._put(number, json.loads(request.content)["ticket"])
        return answer({"ticket": self.tickets[number]})

    def _cursor(self, query):
        at, last = 0.0, 0
        if "cursor" in query:
            at, last = json.loads(base64.b64decode(query["cursor"]))
        else:
            at = float(query["start_time"])
        order = sorted((seconds(t["updated_at"]), n) for n, t in self.tickets.items())
        rows = [(u, n) for u, n in order if (u, n) > (at, last) and u <= self.clock() - 60.0]
        page = rows[: self.PAGE]
        behind = list(page[-1]) if page else [at, last]
        tickets = [{k: v for k, v in self.tickets[n].items() if k != "metric_set"} for _, n in page]
        data = {"tickets": tickets, "end_of_stream": len(rows) <= self.PAGE,
                "after_cursor": base64.b64encode(json.dumps(behind).encode()).decode()}  # fmt: skip
        if query.get("include") == "metric_sets":
            sets = (self.tickets[n].get("metric_set") for _, n in page)
            data["metric_sets"] = [one for one in sets if one]
        return answer(data)

    def _metric_events(self, query):
        start = int(query["start_time"])
        rows = [e for e in sorted(self.events, key=lambda e: (e["time"], e["id"]))
                if start <= seconds(e["time"]) <= self.clock() - 60.0]  # fmt: skip
        page = rows[:4]
        # A page holds all of its last second.
        page += [e for e in rows[4:] if page and e["time"] == page[-1]["time"]]
        end = int(seconds(page[-1]["time"])) if page else start
        return answer({"ticket_metric_events": page, "end_time": end, "count": len(page),
                       "end_of_stream": len(page) == len(rows)})  # fmt: skip

    def _audits(self, number, query):
        seen = [a for at, a in self.audits[number] if at <= self.clock() - self.late_s
                or not a["metadata"]["custom"]]  # fmt: skip
        first = int(query.get("page[after]", 0))
        size = min(int(query["page[size]"]), 2)
        more = first + size < len(seen)
        return answer({"audits": seen[first : first + size],
                       "meta": {"has_more": more, "after_cursor": str(first + size)}})  # fmt: skip

    def _put(self, number, update):
        ticket = self.tickets[number]
        if ticket["status"] == "closed":
            return answer({"error": "RecordInvalid"}, 422)
        if update.pop("safe_update") and update.pop("updated_stamp") != ticket["updated_at"]:
            return answer({"error": "UpdateConflict"}, 409)
        comment, metadata = update.pop("comment"), update.pop("metadata")
        self._audit(number, 1, comment["body"], comment["public"], metadata["custom"])
        self.touch(number, **update)
        return answer({"ticket": self.tickets[number]})


class JiraStandIn:
    """Issues by key."""

    PAGE, INLINE, LATE_S, TOKEN_S = 2, 2, 60.0, 240.0

    def __init__(self, clock, zone="Asia/Tokyo"):
        self.clock, self.zone = clock, ZoneInfo(zone)
        self.issues, self.requests = {}, 0

    def file(self, at, changes=(), **fields):
        """An issue with changes of status, pairs of moment and status; its key."""
        key = f"HELP-{len(self.issues) + 1}"
        histories, status = [], "Waiting for support"
        for moment, new in changes:
            items = [{"field": "status", "fromString": status, "toString": new},
                     {"field": "Comment", "fromString": "", "toString": "Dear Ann"}]  # fmt: skip
            histories.append({"created": self._time(moment), "items": items,
                              "author": {"accountId": "7", "displayName": "Bo Agent"}})  # fmt: skip
            status = new
        self.issues[key] = {
            "id": str(10_000 + len(self.issues)), "key": key, "histories": histories,
            "fields": {"created": self._time(at), "updated": self._time(
                           max([at, *(moment for moment, _ in changes)])),
                       "status": {"name": status}, "priority": {"name": "High"},
                       "issuetype": {"name": "Incident"}, "project": {"key": "HELP"},
                       "assignee": {"accountId": "7", "displayName": "Bo Agent"},
                       "summary": "I cannot log in", **fields},
        }  # fmt: skip
        return key

    def _time(self, at):
        local = datetime.fromtimestamp(at, UTC).astimezone(self.zone)
        return local.strftime("%Y-%m-%dT%H:%M:%S.000%z")

    def __call__(self, request):
        self.requests += 1
        if owner(request) != f"a@desk.example:{TOKEN}":
            return answer({}, 401)
        path, query = request.url.path, request.url.params
        if path == "/rest/api/3/myself":
            return answer({"timeZone": str(self.zone)})
        if path == "/rest/api/3/search/jql":
            return self._search(query)
        found = re.fullmatch(r"/rest/api/3/issue/(\d+)/changelog", path)
        issue = next((i for i in self.issues.values() if found and i["id"] == found[1]), None)
        if issue is None:
            return answer({}, 404)
        first, size = int(query["startAt"]), 2
        values = issue["histories"][first : first + size]
        return answer({"values": values, "isLast": first + size >= len(issue["histories"]),
                       "total": len(issue["histories"])})  # fmt: skip

    def _search(self, query):
        form = r'updated >= "([^"]+)" ORDER BY (created ASC|updated DESC)'
        told = re.fullmatch(form, query["jql"])
        if told is None:
            return answer({"errorMessages": ["JQL"]}, 400)
        local = datetime.strptime(told[1], "%Y/%m/%d %H:%M")
        start = local.replace(tzinfo=self.zone).timestamp()
        field, way = told[2].split()
        known = self.clock() - self.LATE_S
        seen = [
            i for i in self.issues.values() if start <= seconds(i["fields"]["updated"]) <= known
        ]
        seen.sort(key=lambda i: seconds(i["fields"][field]), reverse=way == "DESC")
        first = 0
        if "nextPageToken" in query:
            first, made = json.loads(query["nextPageToken"])
            if made < self.clock() - self.TOKEN_S:
                return answer({"errorMessages": ["token"]}, 400)
        size = min(int(query["maxResults"]), self.PAGE)
        wanted = query["fields"].split(",")
        issues = []
        for one in seen[first : first + size]:
            fields = {name: one["fields"][name] for name in wanted if name in one["fields"]}
            issue = {"id": one["id"], "key": one["key"], "fields": fields}
            if "changelog" in query.get("expand", ""):
                newest = one["histories"][-self.INLINE :]
                issue["changelog"] = {"startAt": 0, "total": len(one["histories"]),
                                      "histories": newest}  # fmt: skip
            issues.append(issue)
        data = {"issues": issues, "isLast": first + size >= len(seen)}
        if not data["isLast"]:
            data["nextPageToken"] = json.dumps([first + size, self.clock()])
        return answer(data)


# Faults of an answer: whether the request was carried out, and what comes instead.
def _broken(request, response):
    return httpx.Response(200, content=response.content[: len(response.content) // 2],
                          headers={"content-type": "application/json"})  # fmt: skip


def _raise(error):
    def act(request, response):
        raise error("broken", request=request)

    return act


def _status(status, **headers):
    return lambda request, response: answer({"error": f"no {TOKEN}"}, status, **headers)


FAULTS = {
    "429 with seconds": (False, _status(429, retry_after="3")),
    "429 with a moment": (False, _status(429, retry_after="Wed, 21 Oct 2026 14:14:00 GMT")),
    "429 with nonsense": (False, _status(429, retry_after="soon")),
    "429 without": (False, _status(429)),
    "429 for a day": (False, _status(429, retry_after="86400")),
    "503 with seconds": (False, _status(503, retry_after="2")),
    "500": (False, _status(500)),
    "502": (False, _status(502)),
    "500 after it was done": (True, _status(500)),
    "504 after it was done": (True, _status(504)),
    "no connection": (False, _raise(httpx.ConnectError)),
    "no answer": (False, _raise(httpx.ReadTimeout)),
    "no answer after it was done": (True, _raise(httpx.ReadTimeout)),
    "cut off": (True, _raise(httpx.RemoteProtocolError)),
    "half an answer": (True, _broken),
    "a page of HTML": (True, lambda *_: httpx.Response(200, html="<html>busy</html>")),
    "an empty answer": (True, lambda *_: httpx.Response(200)),
    "a list": (True, lambda *_: answer([1])),
    "a redirect": (False, _status(302, location="https://evil.example/")),
    "400": (False, _status(400)),
    "401": (False, _status(401)),
    "403": (False, _status(403)),
    "404": (False, _status(404)),
    "409": (False, _status(409)),
    "422": (False, _status(422)),
}  # fmt: skip


class Faulty(httpx.MockTransport):
    """A stand-in one of whose requests ends in a fault, or `times` of them, from `at` on."""

    def __init__(self, stand_in, fault=None, at=0, times=1):
        super().__init__(self._handle)
        self.stand_in, self.fault, self.at, self.times, self.count = stand_in, fault, at, times, 0

    def _handle(self, request):
        number, self.count = self.count, self.count + 1
        if self.fault is None or not self.at <= number < self.at + self.times:
            return self.stand_in(request)
        done, act = FAULTS[self.fault]
        response = self.stand_in(request) if done else None
        return act(request, response)
