"""Tables of a desk as the compiled machine plays it: tickets, teams, lines and events are rows.

`Numbers`, one row, says where the desk stands and where in memory each table is: so all functions
of the machine are given this one row, and numba has little to pass on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from twin.desk.rows import CALLS, RATINGS, STAFFING, TIMELINE, VISITS, Rows

Array = npt.NDArray[Any]

# SimPy sorts events by time, priority and number: here the last two are one key, URGENT being 0.
NORMAL = 1 << 60
# Kinds of events, and where the parts lie of the number that says what an event is of.
END, FREE, BACK, OVERFLOW, WAKE, CALL, AGAIN, RETRY, GIVE_UP = range(9)
TRY_AGAIN, REPLY, CLOSE, READY, ALARM, WRAPPED_UP = range(9, 15)
KIND, STAGE_OF, ORDINAL = 59, 45, 31
TICKET_OF = (1 << ORDINAL) - 1
ORDINALS = (1 << (STAGE_OF - ORDINAL)) - 1
# Luck of the agents of a team who come and go.
LEAVING, RETURNING, TOUCHED, GOING_HOME = range(4)
# Room that each table has at least before an event, beside that for all who wait.
ROOM = 64
# What the machine asks for, and where it then goes on with a ticket.
WORK, LUCK, TOUCH, ANSWERS, NEXT_ANSWERS, ONE_ANSWER, SOLVED, SPACE = range(8)
VISIT, REOPEN, REPLIED, TOUCHED_BY, ASK, ENDED, HEARD, STATUSES = range(8)
# Reasons for which the machine comes back.
FINISHED, GROW, ASKS, MORE, ORDERED = range(5)
# How the agent who takes a ticket is chosen, and the pool.
LEAST_LOADED, LONGEST_IDLE, RANDOM, IN_ORDER = range(4)
# What happens where no model answers.
ESCALATE, ASK_AGAIN = range(2)


def _fields(*kinds: tuple[str, str]) -> list[tuple[str, str]]:
    return [(name, kind) for kind, names in kinds for name in names.split()]


EVENT = np.dtype([("time", "f8"), ("key", "i8"), ("who", "i8")])
# What is drawn of a ticket, its visit to the agents or call of a model (one at a time), and what
# came of them.
TICKET = np.dtype(
    _fields(
        ("f8", "arrived_s place_s patience_s most_ahead opinion"),
        ("f8", "queued_s deadline_s place responded_s resolved_s confidence quality"),
        ("f8", "asked_s started_s latency_s retry_after_s quota_s"),
        ("f8", "ends_s remaining_s back_s closes_s ready_s"),
        ("i8", "number"),
        ("i4", "before behind ordinal answer tokens_in tokens_out attempts limited next_call"),
        ("i4", "slot first_slot again_slot signed returns row further waited passed touched way"),
        ("i4", "agent"),
        (
            "i2",
            "line team taken_by watched_in channel truth known category to reopens transfers tries "
            "taken_as",
        ),
        ("i1", "rank waits counted_out solved surveyed comment misrouted wrong sent_on activity"),
        ("i1", "called_back late unanswered placed rests by_taking to_work worked"),
        ("i1", "categorized_by resolved_by escalated step given model named_by outcome"),
    ),
    align=True,
)
TEAM = np.dtype(
    _fields(
        ("f8", "after_touch while_idle returns per_queued to_leave to_return since_s"),
        ("f8", "leave_rate return_rate event_s"),
        ("i8", "pool busy staffed wraps comes heads away queued event_key stops last paused"),
        ("i8", "leavings returnings touched going_home helps_from helps_to to_from to_to"),
        # Of agents who are told apart.
        ("i8", "crew most steady took left going agents_from agents_to"),
    )
)
# An agent who is told apart; what each has in hand.
AGENT = np.dtype(
    _fields(
        ("f8", "since_s rate"),
        ("i8", "team number on_shift leaving in_hand latest left goes alarm_key alarm_row"),
    )
)
HAND = np.dtype(_fields(("f8", "ends_s"), ("i8", "ticket row activity")))
# A line that tickets of another overflow to counts with that one, its `first`.
LINE = np.dtype(
    _fields(("i8", "first waiting gone counted stages_from stages_to helpers_from helpers_to"))
)
# A team and a line that it helps while so many wait there.
HELP = np.dtype([("least", "i8"), ("team", "i8"), ("line", "i8")])
# Chance that a touch of a pool ends with a transfer to one of some pools, and the last of these.
PASSING = np.dtype([("chance", "f8"), ("pool", "i8")])
STAGE = np.dtype([("after_s", "f8"), ("line", "i8")])
CHANGE = np.dtype([("time", "f8"), ("first", "i8"), ("to", "i8")])
# Of a category: who answers it, and what a good answer after a bad one repairs.
RULE = np.dtype([("for_humans", "i8"), ("for_review", "i8"), ("repair", "f8")])
# Luck of the answers to a visit: where its columns are in memory; 0: not drawn.
VISIT_LUCK = np.dtype(_fields(("i8", "solved returns delay_s")))
# So of the customers who try again, by how often they did; and of what a touch ends with.
RETRIAL_LUCK = np.dtype(_fields(("i8", "again delay_s")))
TOUCH_LUCK = np.dtype(_fields(("i8", "transfer kind never solved reply_s close_s hold_s")))
# Steps of a clock by which time passes: see `twin.desk.clocks.PacedClock`.
STEP = np.dtype(_fields(("f8", "time passed speed")))
# A status on a ticket's way, and the kind of delay that ends it; a status of the desk's own.
WAY = np.dtype(_fields(("i4", "status delay")))
OWN_STATUS = np.dtype(_fields(("i8", "works until_taken responds open resolves")))
# Answers of a model to a step: where its columns are, and the answers for the next attempt (-1: not
# asked for).
SLOT = np.dtype(
    _fields(
        ("i8", "latency_s tokens_in tokens_out outcome word score reply asked version name again"),
    )
)
PROVIDER = np.dtype(_fields(("i8", "most under_way first_call last_call quotas_from quotas_to")))
QUOTA = np.dtype(_fields(("f8", "limit drain level at_s"), ("i8", "counts_tokens")))

# Tables by name: rows, and dimensions.
TABLES: dict[str, tuple[Any, int]] = {
    # Heaps, as far as they are used: all events but arrivals and changes of the calendar; ends of
    # patience, where agents return for those who wait, and where it matters how many wait.
    "events": (EVENT, 1),
    "patience_ends": (EVENT, 1),
    "expiries": (EVENT, 1),
    "tickets": (TICKET, 1),
    "teams": (TEAM, 1),
    "lines": (LINE, 1),
    # First and last visit of each priority in a line.
    "ends": (np.int64, 3),
    # Lines of each team; teams of each line, then of each stage of overflow; -1: no more.
    "queues": (np.int64, 2),
    "able": (np.int64, 2),
    # The line of each category, a row for each channel where they differ.
    "routes": (np.int64, 2),
    # Whether a category goes to a team; whether it can handle it, as it may overflow to it.
    "skilled": (np.bool_, 2),
    "knows": (np.bool_, 2),
    "stages": (STAGE, 1),
    # By line, and by team.
    "helpers": (HELP, 1),
    "helps": (HELP, 1),
    "passing": (PASSING, 1),
    # Teams whose agents return for those who wait in a line.
    "watches": (np.bool_, 2),
    # Tickets of the opening backlog, in the order in which they come.
    "opening": (np.int64, 1),
    "changes": (CHANGE, 1),
    # Number of the team, heads.
    "changes_to": (np.int64, 2),
    # By purpose and team.
    "agents_luck": (np.float64, 3),
    # Where the columns of work and wrap-up are: by team, activity and number of the visit.
    "work": (np.int64, 3),
    "wrap_up": (np.int64, 3),
    # So is the luck of the choice among pools: by activity and number of the visit.
    "choices": (np.int64, 2),
    "agent_choices": (np.int64, 2),
    # Agents of all teams; their tickets in hand; speeds of a team by how many these are.
    "agents": (AGENT, 1),
    "hands": (HAND, 2),
    "speeds": (np.float64, 2),
    "visit_luck": (VISIT_LUCK, 1),
    "retrial_luck": (RETRIAL_LUCK, 1),
    "touch_luck": (TOUCH_LUCK, 1),
    # Steps of all clocks, one clock after the other.
    "steps": (STEP, 1),
    # Ways of all tickets through the desk's own statuses, one after the other; where each begins.
    "ways": (WAY, 1),
    "ways_from": (np.int64, 1),
    # By band of age and place on the ways; bounds of the ages; steps of the clock of each kind.
    "delays": (np.float64, 2),
    "ages": (np.float64, 1),
    "paces": (np.int64, 2),
    "own_statuses": (OWN_STATUS, 1),
    "rules": (RULE, 1),
    # By step, who found the category (0: a human), model and visit; -1: not asked for.
    "slots_of": (np.int64, 4),
    "slots": (SLOT, 1),
    "providers": (PROVIDER, 1),
    "quotas": (QUOTA, 1),
    # Start and end of each outage.
    "outages": (np.float64, 2),
    # Rows of the ledger, as far as they are used.
    "timeline": (Rows(*TIMELINE).dtype, 1),
    "visits": (Rows(*VISITS).dtype, 1),
    "calls": (Rows(*CALLS).dtype, 1),
    "ratings": (Rows(*RATINGS).dtype, 1),
    "staffing": (Rows(*STAFFING).dtype, 1),
    # The timeline in order of time, and where each of equal spans of time begins in it.
    "in_order": (Rows(*TIMELINE).dtype, 1),
    "spans": (np.int64, 1),
}
LEDGER = ("timeline", "visits", "calls", "ratings", "staffing")
HEAPS = ("events", "patience_ends", "expiries")

# Where the desk stands, rows that are used of each table, settings, and all tables.
NUMBERS = np.dtype(
    _fields(
        ("f8", "now horizon close_after capacity"),
        ("f8", "agent_solves reviewed_solves assistant_solves wrong_solves"),
        ("f8", "weight_wait weight_transfer weight_reopened weight_unsolved weight_wrong"),
        ("f8", "threshold handled_below timeout backoff max_backoff retry_after"),
        ("f8", "asks never reply_solved holds"),
        ("i8", "seq arrival_key stop_key opened arrived changed numbers queued came"),
        ("i8", "most_reopens most_heads comes strict entrance choice pool_choice escalates places"),
        ("i8", "most_tries callback_at passes most_passed touches most_waits closes"),
        ("i8", "reply_from reply_to hold_from hold_to one_pool workflow aging_from aging_to"),
        ("i8", "assistant on_failure retries jitter"),
        ("i8", "pending resume asks_for room most_stages stops more ordering"),
        ("i8", " ".join((*LEDGER, *HEAPS))),
        ("i8", " ".join(f"{name}_at" for name in TABLES)),
        ("i8", " ".join(f"{name}_{k}" for name, (_, n) in TABLES.items() for k in range(n))),
    )
)


def as_bytes(rows: Array) -> Array:
    """The same rows, each of them as one: numpy copies each of their fields for itself."""
    return rows.view(f"V{rows.dtype.itemsize}")


def joined(one: Array, other: Array) -> Array:
    """Rows of one kind, one after the other."""
    return np.concatenate([as_bytes(one), as_bytes(other)]).view(one.dtype)
