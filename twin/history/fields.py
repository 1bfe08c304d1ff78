"""Fields that exports hold, whatever their tool: meanings, and names that people give them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["id", "time", "duration", "word", "number", "person", "text"]


@dataclass(frozen=True)
class Field:
    """A field of tickets, calls or events.

    Attributes
    ----------
    kind : str
        Of its cells: id, time, duration, word, number, person (a name, which becomes a code) or
        text (customers' words, which are kept only where that is asked for).
    meaning : str
    names : tuple of str
        Of columns that hold it, the likeliest first; compared by letters and digits alone.
    """

    kind: Kind
    meaning: str
    names: tuple[str, ...]


FIELDS: dict[str, Field] = {
    "id": Field("id", "number of the ticket", (
        "id", "ticket id", "ticket number", "ticket no", "ticket", "case id", "case number", "case",
        "case:concept:name", "incident number", "incident", "issue key", "key", "request id",
        "conversation id", "call id", "call", "contact id", "reference", "number", "record id")),
    "created": Field("time", "moment it was filed", (
        "created at", "created", "created on", "created time", "created date", "date created",
        "creation date", "creation time", "opened at", "opened", "opened on", "open date",
        "opened date", "date opened", "received at", "received", "received on", "reported at",
        "reported", "reported on", "submitted at", "submitted", "submit date", "submitted on",
        "arrived at", "arrived", "arrival", "arrival time", "sys created at", "sys created on",
        "angelegt am", "erstellt am", "erstellt", "eröffnet", "aperto il", "créé le",
        "creado")),
    "first_reply": Field("time", "moment of the first reply", (
        "first reply at", "first replied at", "first response at", "first responded at",
        "first response", "first response date", "first reply", "responded at", "responded",
        "initial response at", "first answered at", "first contact", "erste antwort am",
        "erste antwort", "prima risposta", "première réponse", "primera respuesta")),
    "first_reply_after": Field("duration", "time until the first reply", (
        "first response time", "first reply time", "time to first response",
        "time to first reply", "initial response time", "response time", "frt")),
    "solved": Field("time", "moment it was solved (the last time)", (
        "solved at", "solved", "solved on", "resolved at", "resolved", "resolved on",
        "resolution date", "resolved time", "resolved date", "date resolved", "completed at",
        "completed on", "completed", "done at", "finished at", "gelöst am", "résolu le",
        "risolto il", "resuelto")),
    "solved_after": Field("duration", "time until it was solved", (
        "full resolution time", "resolution time", "time to resolution", "time to resolve",
        "resolution time in hours", "handling duration", "ttr")),
    "closed": Field("time", "moment it was closed for good", (
        "closed at", "closed", "closed on", "closed time", "close date", "closed date",
        "date closed", "geschlossen am", "chiuso il")),
    "updated": Field("time", "moment of the last change", (
        "updated at", "updated", "last updated", "last update", "last modified", "modified at",
        "sys updated at", "sys updated on", "last activity")),
    "status": Field("word", "its status, in the desk's own words", (
        "status", "state", "ticket status", "stage", "status name", "incident state", "stato",
        "statut", "estado")),
    "priority": Field("word", "its priority", (
        "priority", "ticket priority", "severity", "urgency", "seriousness", "customer priority",
        "customer rank", "caller priority", "call priority", "priorität",
        "priorité", "priorità", "prioridad")),
    "category": Field("word", "its topic", (
        "category", "topic", "issue type", "type", "ticket type", "request type", "kind", "reason",
        "contact reason", "subject category", "product", "queue reason", "kategorie", "categoria",
        "catégorie", "categoría")),
    "channel": Field("word", "the way it came", (
        "channel", "source", "via", "via channel", "contact type", "origin", "medium",
        "ticket channel")),
    "group": Field("word", "group of agents that has it", (
        "group", "group name", "assignment group", "team", "assigned group", "queue", "department",
        "pool", "skill", "org:group", "support group", "assigned team", "group id")),
    "agent": Field("person", "agent who has it", (
        "agent", "assignee", "assigned to", "agent name", "assignee name", "owner", "resource",
        "org:resource", "handled by", "taken by", "answered by", "responder", "operator",
        "agent id", "assignee id", "assigned agent", "technician", "advisor", "bearbeiter")),
    "reopens": Field("number", "times it was reopened", (
        "reopens", "reopen count", "reopened count", "count reopens", "times reopened",
        "reopenings")),
    "transfers": Field("number", "times it changed hands", (
        "reassignments", "reassignment count", "transfers", "group stations", "hops")),
    "rating": Field("word", "the customer's rating", (
        "rating", "csat", "satisfaction", "satisfaction rating", "satisfaction score",
        "csat score", "stars", "survey result", "score")),
    "comment": Field("text", "the customer's comment on it", (
        "satisfaction comment", "rating comment", "survey comment", "feedback")),
    "subject": Field("text", "its subject", ("subject", "title", "summary", "short description")),
    "description": Field("text", "its text", (
        "description", "body", "text", "message", "content", "details", "question")),
    "tags": Field("word", "its tags", ("tags", "labels", "label", "current tags")),
    # Of calls.
    "queued": Field("time", "moment it joined the queue", (
        "queued at", "queued", "queue start", "queue enter", "enqueued at", "enqueue time",
        "queue time start", "entered queue", "offered at", "arrived at", "arrived", "arrival",
        "arrival time", "call start", "start time", "initiated", "initiation timestamp",
        "call time", "timestamp", "date time", "entered")),
    "answered": Field("time", "moment an agent took it", (
        "answered at", "answered", "answer time", "pickup", "picked up at", "picked up",
        "connected at", "agent start", "service start", "ser start", "connect time",
        "connected to agent", "talk start", "accepted at")),
    "ended": Field("time", "moment it ended", (
        "ended at", "ended", "end time", "hangup", "hung up at", "hung up", "disconnected at",
        "service end", "ser exit", "finished", "call end", "talk end", "disconnect timestamp")),
    "wait": Field("duration", "time in the queue", (
        "wait s", "wait", "wait time", "waiting time", "queue time", "q time", "wait seconds",
        "speed of answer", "queue duration", "time in queue")),
    "talk": Field("duration", "an agent's work on it", (
        "service s", "talk time", "talk", "handle time", "ser time", "call duration", "duration",
        "aht", "talk seconds", "service time", "agent interaction duration")),
    "outcome": Field("word", "its end", (
        "outcome", "disposition", "result", "call result", "end reason", "call status", "status",
        "answered (y/n)", "abandoned")),
    # Of event logs.
    "activity": Field("word", "event of a ticket", (
        "activity", "concept:name", "event", "task", "action", "event name", "activity name",
        "event type", "status", "state")),
    "time": Field("time", "moment of the event", (
        "time:timestamp", "timestamp", "time", "completed", "complete timestamp", "completed at",
        "event time", "date", "datetime", "occurred at", "sys updated at", "updated at",
        "end timestamp", "at")),
    "start": Field("time", "moment at which work began", (
        "start", "start timestamp", "start time", "started", "started at", "start:timestamp",
        "begin")),
    "end": Field("time", "moment at which it ended", (
        "end", "end timestamp", "end time", "ended at", "complete timestamp", "complete",
        "finish")),
    "lifecycle": Field("word", "start or end of work", ("lifecycle:transition", "transition")),
}  # fmt: skip

# Names of columns that hold people who are no agents, or texts: never kept, and told.
PRIVATE = ("requester", "customer", "caller", "caller id", "contact", "email", "e-mail", "mail",
           "phone", "name", "from", "reporter", "user", "requester email", "contact email",
           "customer name", "customer email", "opened by", "submitter")  # fmt: skip
