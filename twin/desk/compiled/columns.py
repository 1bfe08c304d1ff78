"""Columns of a desk as the compiled machine plays it: tickets, teams, lines and events are rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# SimPy sorts events by time, priority and number: here the last two are one key, URGENT being 0.
NORMAL = 1 << 60
# Kinds of events, and where the parts lie of the number that says what an event is of.
END, FREE, BACK, OVERFLOW, WAKE = range(5)
KIND, STAGE_OF, ORDINAL = 60, 40, 32
# Luck of the agents of a team who come and go.
LEAVING, RETURNING, TOUCHED, GOING_HOME = range(4)
# Room that each table has at least before an event, beside that for all who wait.
ROOM = 64

EVENT = np.dtype([("time", "f8"), ("key", "i8"), ("who", "i8")])
# Where the desk stands, rows that are used of each table, and settings.
NUMBERS = np.dtype(
    [(name, "f8") for name in ("now", "horizon", "close_after", "solves", "weight_wait",
                               "weight_reopened", "weight_unsolved", "capacity")]
    + [(name, "i8") for name in ("seq", "arrival_key", "stop_key", "opened", "arrived", "changed",
                                 "numbers", "queued", "events", "patience_ends", "expiries",
                                 "timeline", "visits", "ratings", "staffing", "most_returns",
                                 "most_heads", "comes", "strict", "counted", "by_chance",
                                 "code")]
)  # fmt: skip
# What is drawn of a ticket, its visit to the agents (one at a time), and what came of it.
TICKET = np.dtype(
    [(name, "f8") for name in ("arrived_s", "place_s", "patience_s", "most_ahead", "opinion",
                               "queued_s", "deadline_s", "place", "responded_s", "resolved_s")]
    + [("number", "i8")]
    + [(name, "i4") for name in ("before", "behind", "ordinal", "first_line")]
    + [(name, "i2") for name in ("line", "team", "watched_in", "rank", "waits", "counted_out",
                                 "solved", "reopens", "surveyed", "comment")]
    + [("category", "i4")]
)  # fmt: skip
TEAM = np.dtype(
    [(name, "f8") for name in ("after_touch", "while_idle", "returns", "per_queued", "to_leave",
                               "to_return", "since_s", "leave_rate", "return_rate", "event_s")]
    + [(name, "i8") for name in ("pool", "busy", "staffed", "wraps", "comes", "heads", "away",
                                 "queued", "event_key", "leavings", "returnings", "touched",
                                 "going_home")]
)  # fmt: skip
# A line that tickets of another overflow to counts with that one, its `first`.
LINE = np.dtype([(name, "i8") for name in ("first", "waiting", "gone", "stages_from", "stages_to")])
STAGE = np.dtype([("after_s", "f8"), ("line", "i8")])
CHANGE = np.dtype([("time", "f8"), ("first", "i8"), ("to", "i8")])


class Columns(NamedTuple):
    """All that the machine reads and writes.

    Attributes
    ----------
    numbers : array of NUMBERS, shape (1,)
    events : array of EVENT
        A heap, as far as it is used, of all events but arrivals and changes of the calendar.
    patience_ends, expiries : array of EVENT
        Heaps of the ends of patience: where agents return for those who wait, and where it matters
        how many wait.
    tickets, teams, lines : array of TICKET, TEAM, LINE
    ends : array of int, shape (lines, priorities, 2)
        First and last visit of each priority in a line.
    queues, able : array of int
        Lines of each team; teams of each line, then of each stage of overflow; -1: no more.
    skilled : array of bool, shape (teams, categories)
        Categories that go to each team, those that overflow to it left out.
    stages : array of STAGE
    watches : array of bool, shape (lines, teams)
        Teams whose agents return for those who wait in a line.
    opening : array of int
        Tickets of the opening backlog, in the order in which they come to the agents.
    changes, changes_to : array of CHANGE, array of int (team, heads)
    luck : array of float, shape (4, teams, numbers drawn)
    work, wrap_up : array of float, shape (teams times visits, n)
    solves, delays : array of float, shape (visits, n)
        Luck of each answer; time until the customer is back, below 0: never.
    choices : array of float, shape (visits, n)
        Luck of the choice among pools; no rows where they are asked in order.
    timeline, visits, ratings, staffing : array
        Rows of the ledger, as far as they are used.
    """

    numbers: Array
    events: Array
    patience_ends: Array
    expiries: Array
    tickets: Array
    teams: Array
    lines: Array
    ends: Array
    queues: Array
    able: Array
    skilled: Array
    stages: Array
    watches: Array
    opening: Array
    changes: Array
    changes_to: Array
    luck: Array
    work: Array
    wrap_up: Array
    solves: Array
    delays: Array
    choices: Array
    timeline: Array
    visits: Array
    ratings: Array
    staffing: Array
