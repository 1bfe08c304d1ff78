"""From what an export tells to the tables of a run: the one place where that is done.

The end of a history is the last moment that its tickets are known for, or an earlier one that is
asked for; statuses are those at that end. Tickets from before its start that were still open then
are its opening backlog, as in a run. What an export does not hold is missing here, and named in
`RunLog.unknown`: figures that rest on it are missing, too.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.common.text import moment
from twin.history import balance, words
from twin.history.balance import BEGUN, OVER, filled
from twin.history.cells import Floats
from twin.history.gathered import FACTS, Choices, Gathered
from twin.records import storage, tables
from twin.records.columns import TABLES
from twin.records.tables import (
    ABANDONED,
    ACTIVITIES,
    AUTOMATIC,
    BY_AGENT,
    BY_ASSISTANT,
    FOLLOW_UP,
    HANDLE,
    REOPENED,
    RESOLVED,
    STATUSES,
    STILL_OPEN,
    VISIT_ENDS,
    WORKERS,
    RunLog,
)
from twin.scenario.clock import midnight
from twin.scenario.model import PRIORITIES

Ints = npt.NDArray[np.int64]
# Tables of a log, whichever there are.
LOG_TABLES = tuple(f.name for f in fields(RunLog) if f.name in TABLES)
# Tables of the history beside those of a run.
EXTRA = ("keys", "events", "spells")
# Pools by group; the tickets of all further groups are one.
MOST_POOLS = 60
_OTHER_GROUP = "other"


@dataclass(frozen=True)
class Stretch:
    """A stretch of time: its start (midnight of a day) and end, seconds since 1970."""

    start: datetime
    began: float
    ended: float


@dataclass(frozen=True)
class Made:
    """Tables made of an export.

    Attributes
    ----------
    log : RunLog
    extra : dict of str to DataFrame
        Keys: of each ticket its own number, channel, group, agent (a code), own status and
        priority. Events: each change with the desk's own status and the agent. Spells: of each
        visit the agent, the desk's own word for it, and its end where that was told.
    stretch : Stretch
    pools : dict of str to str
        Names of pools by groups.
    notes : list of str
    left_out : dict of str to int
        Numbers of tickets that are no work of the desk, by the reason.
    """

    log: RunLog
    extra: dict[str, pd.DataFrame]
    stretch: Stretch
    pools: dict[str, str]
    notes: list[str]
    left_out: dict[str, int]


def as_tables(
    gathered: Gathered, choices: Choices, since: float | None = None, until: float | None = None
) -> Made:
    """Tables of a run from what an export tells.

    Parameters
    ----------
    gathered : Gathered
        With codes for the names of people.
    choices : Choices
    since, until : float, optional
        The stretch that is wanted; seconds since 1970.

    Raises
    ------
    ScenarioError
        If nothing is left.
    """
    notes: list[str] = []
    tickets, left_out = _clean(gathered, choices, notes)
    stretch = _stretch(gathered, tickets, ZoneInfo(choices.zone), since, until, notes)
    changes = balance.changes(gathered, tickets, choices)
    rows = balance.sequence(changes, stretch.ended)
    last = rows.drop_duplicates("row", keep="last").set_index("row")["code"]
    ends = rows[rows["code"].isin(OVER)].drop_duplicates("row", keep="last")
    over_s = ends.set_index("row")["at"].reindex(tickets.index)
    # Those that were over before the start are no part of it.
    gone = last.reindex(tickets.index).isin(OVER) & (over_s < stretch.began).to_numpy()
    stay = (tickets["created"] < stretch.ended) & ~gone
    if not stay.any():
        raise _nothing("no ticket lies in that time")
    numbers = np.where(stay, np.cumsum(stay), 0)
    rows["ticket"] = numbers[rows["row"].to_numpy()]
    rows, tickets = rows[rows["ticket"] > 0], tickets[stay]
    known = set(gathered.known)
    timeline = balance.timeline(rows, stretch.began)
    table, pools = _tickets(gathered, tickets, rows, stretch, known, choices, notes)
    visits, spells = _visits(gathered, tickets, stretch, pools)
    ratings = _ratings(gathered, tickets, table, stretch)
    made: dict[str, Any] = {"tickets": table, "timeline": timeline, "visits": visits,
                            "ratings": ratings}  # fmt: skip
    rest: dict[str, Any] = {n: storage.empty(n) for n in LOG_TABLES if n not in made}
    unknown = frozenset(FACTS) - known
    log = RunLog(horizon_s=stretch.ended - stretch.began, unknown=unknown, **made, **rest)
    keys = _keys(gathered, tickets)
    return Made(log, {"keys": keys, "events": _events(gathered, tickets, choices, stretch),
                      "spells": spells}, stretch, pools, notes, left_out)  # fmt: skip


def _nothing(why: str) -> ScenarioError:
    return ScenarioError("the history", [Fault("", why)])


def _clean(
    gathered: Gathered, choices: Choices, notes: list[str]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Tickets of the desk, each once, in the order in which they came."""
    tickets = gathered.tickets.reset_index(drop=True)
    if not len(tickets):
        raise _nothing("holds no tickets")
    if tickets["created"].isna().any():
        blank = tickets["created"].isna()
        place = f"row {int(np.argmax(blank)) + 1} has no moment of creation"
        if not choices.skip_bad:
            raise ScenarioError("the history", [Fault("", place, hint="leave such rows out with "
                                                      "--skip-bad")])  # fmt: skip
        notes.append(f"{blank.sum():,} tickets without a moment of creation are left out.")
        tickets = tickets[~blank]
    dropped = tickets["left_out"].value_counts()
    left_out = {str(why): int(number) for why, number in dropped.items()}
    tickets = tickets[tickets["left_out"].isna()]
    twice = tickets["id"].duplicated(keep="last")
    if twice.any():
        notes.append(f"{twice.sum():,} rows have the number of a later one: the last row of each "
                     "ticket counts.")  # fmt: skip
        tickets = tickets[~twice]
    if not len(tickets):
        raise _nothing("holds no tickets that are work of the desk")
    return tickets.sort_values("created", kind="stable", ignore_index=True), left_out


def _stretch(
    gathered: Gathered, tickets: pd.DataFrame, zone: ZoneInfo, since: float | None,
    until: float | None, notes: list[str],
) -> Stretch:  # fmt: skip
    """The stretch of a history: whole days from its first ticket, to the last that is known."""
    created = tickets["created"]
    first = float(created.iloc[0]) if since is None else since
    start = midnight(datetime.fromtimestamp(first, zone).date(), zone)
    moments = [created, *(tickets[n] for n in ("solved", "closed", "first_reply") if n in tickets)]
    moments += [gathered.changes["at"], gathered.spells["ended"]]
    last = max(float(m.max()) for m in map(pd.to_numeric, moments) if m.notna().any())
    newest = float(created.iloc[-1])
    ended = last
    if until is not None:
        ended = min(until, max(last, newest))
    elif len(created) > 1 and last - newest > _quiet_s(created.to_numpy()):
        # Tickets were chosen by when they came: after the last one nothing is known of the load.
        day = datetime.fromtimestamp(newest, zone).date()
        ended = min(last, midnight(day + timedelta(days=1), zone).timestamp())
        notes.append(
            f"No ticket came after {moment(newest)}, but they go on until {moment(last)}: the "
            f"history ends with the day of the last one, and what came later is left open "
            "(--until moves the end)."
        )
    began = start.timestamp()
    if began > last or ended < began:
        raise _nothing("no ticket lies in that time")
    # The last moment belongs to it.
    return Stretch(start, began, max(ended, began) + 1.0)


def _quiet_s(created: Floats) -> float:
    """Time without a ticket that luck and weekends do not explain."""
    return max(4 * 86_400.0, 3 * float(np.diff(created).max(initial=0.0)))


def _tickets(
    gathered: Gathered, tickets: pd.DataFrame, rows: pd.DataFrame, stretch: Stretch,
    known: set[str], choices: Choices, notes: list[str],
) -> tuple[pd.DataFrame, dict[str, str]]:  # fmt: skip
    count = len(tickets)
    index = np.arange(1, count + 1)

    def moments(mask: Any, keep: Any) -> Floats:
        of = rows[mask].drop_duplicates("ticket", keep=keep).set_index("ticket")["at"]
        found = of.reindex(index).to_numpy(dtype=np.float64)
        return np.where(found < stretch.began, np.nan, found - stretch.began)

    last = rows.drop_duplicates("ticket", keep="last")["code"].to_numpy(dtype=np.int64)
    resolved = moments(rows["code"] == RESOLVED, "last")
    responded = balance.column(tickets, "first_reply") - stretch.began
    if "responses" not in known and len(gathered.changes):
        responded = moments(rows["code"].isin(BEGUN), "first")
        known.add("responses")
        notes.append("No column tells the first reply: the first status that says somebody has "
                     "begun counts as it.")  # fmt: skip
    elif "responses" in known:
        # An answer that solved it was a reply; reply times of minutes may lie behind it.
        responded = np.fmin(responded, resolved)
    horizon_s = stretch.ended - stretch.began
    responded = np.where((responded >= horizon_s) | (responded < 0), np.nan, responded)
    reopened = (rows["code"] == REOPENED).groupby(rows["ticket"]).sum().reindex(index)
    told = balance.column(tickets, "reopens")
    reopens = np.fmax(np.nan_to_num(told), reopened.to_numpy(dtype=np.float64))
    levels = _words(tickets, "priority")
    ranks = {} if gathered.priorities else words.from_zero(levels)
    own = {words.plain(word): name for word, name in choices.priorities.items()}
    priority, odd = words.priorities(levels, {**ranks, **gathered.priorities, **own})
    if ranks and not own:
        said = ", ".join(f"{number} {name}" for number, name in ranks.items())
        notes.append(f"Priorities count from 0 and are taken to rise: {said} (--priority 0=... "
                     "says otherwise).")  # fmt: skip
    if odd:
        notes.append(f"Priorities that are not understood are missing: {', '.join(odd[:8])}.")
    category = _words(tickets, "category")
    by = _resolved_by(gathered, tickets, rows, resolved)
    if "abandonments" not in known and (last == ABANDONED).any():
        known.add("abandonments")
    groups = _words(gathered.spells, "group") if gathered.spells.get("group", pd.Series(
        dtype="object")).notna().any() else _words(tickets, "group")  # fmt: skip
    pools = _pools(groups, notes)
    frame = filled("tickets", count, {
        "ticket_id": index, "arrived_s": tickets["created"].to_numpy() - stretch.began,
        "text_id": np.full(count, -1), "answer_id": np.full(count, -1),
        "category_true": pd.Categorical(category), "category": pd.Categorical(category),
        "priority": pd.Categorical(priority, categories=list(PRIORITIES)),
        "responded_s": responded, "resolved_s": resolved, "resolved_by": by,
        "transfers": np.minimum(np.nan_to_num(balance.column(tickets, "transfers")), 32_000),
        "reopens": np.minimum(reopens, 32_000), "status": tables.codes(last, STATUSES),
        "channel": pd.Categorical(_words(tickets, "channel")),
    })  # fmt: skip
    return frame, pools


def _words(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name not in frame:
        return pd.Series([None] * len(frame), dtype="object")
    return frame[name].reset_index(drop=True)


def _resolved_by(
    gathered: Gathered, tickets: pd.DataFrame, rows: pd.DataFrame, resolved: Floats
) -> pd.Categorical[str]:
    """Workers that resolved tickets, where it is told: an agent, a bot, an automation."""
    by = _words(tickets, "resolver" if "resolver" in tickets else "agent").astype("object")
    kinds = {str(name): AUTOMATIC if name.startswith("bot") else BY_AGENT
             for name in by.dropna().unique()}  # fmt: skip
    found = by.map(kinds).fillna(-1).to_numpy(dtype=np.int64)
    if "assistant" in gathered.known:
        found = np.where((by == "assistant").to_numpy(), BY_ASSISTANT, found)
    return tables.codes(np.where(np.isnan(resolved), -1, found), WORKERS)


def _pools(groups: pd.Series[Any], notes: list[str]) -> dict[str, str]:
    """Names of pools by groups; the smallest groups of many are one."""
    counts = groups.dropna().astype(str).value_counts()
    if len(counts) > MOST_POOLS:
        notes.append(f"Of {len(counts):,} groups the {MOST_POOLS} largest are pools; the others "
                     f'are one, "{_OTHER_GROUP}".')  # fmt: skip
    found: dict[str, str] = {}
    for k, name in enumerate(counts.index):
        slug = "".join(c if c.isalnum() and c.isascii() else "-" for c in str(name)).strip("-")
        slug = slug[:40] or f"group-{k + 1}"
        own, n = slug, 2
        while own in found.values():
            own, n = f"{slug}-{n}", n + 1
        found[str(name)] = own if k < MOST_POOLS else _OTHER_GROUP
    return found or {"": "desk"}


def _visits(
    gathered: Gathered, tickets: pd.DataFrame, stretch: Stretch, pools: dict[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Visits to the agents up to the end, and the agent of each."""
    spells = gathered.spells
    numbers = pd.Series(np.arange(1, len(tickets) + 1), index=tickets["id"].to_numpy())
    ids = numbers.reindex(spells["id"]).to_numpy(dtype=np.float64)
    spells = spells.assign(ticket=ids)
    # What waits for nobody, such as a wrap-up, has no moment at which it queued.
    spells = spells.assign(came=spells["queued"].fillna(spells["started"]))
    spells = spells[(spells["ticket"].notna() & (spells["came"] < stretch.ended)).to_numpy()]
    over = spells["ended"].fillna(np.inf).to_numpy(dtype=np.float64) < stretch.began
    spells = spells[~over].sort_values(["ticket", "came"], kind="stable")
    queued, started, ended = (
        spells[name].to_numpy(dtype=np.float64) for name in ("queued", "started", "ended")
    )
    late, on = started >= stretch.ended, np.isnan(ended) | (ended >= stretch.ended)
    started, ended = np.where(late, np.nan, started), np.where(on, np.nan, ended)
    ends = spells["end"].map({name: k for k, name in enumerate(VISIT_ENDS)}).fillna(0).to_numpy()
    ends = np.where(on, STILL_OPEN, ends.astype(np.int64))
    default = pools.get("", "")
    names = spells["group"].map(pools).astype("object").where(spells["group"].notna(), default)
    names = names.where(~np.isnan(started), None).replace("", None)
    kinds = spells["activity"].map({name: k for k, name in enumerate(ACTIVITIES)})
    codes = kinds.fillna(-1).to_numpy(dtype=np.int64)
    # Work that the desk calls by names of its own: the first of a ticket, and what follows.
    nth = spells.groupby("ticket").cumcount().to_numpy()
    codes = np.where(codes < 0, np.where(nth == 0, HANDLE, FOLLOW_UP), codes)
    agents = pd.Categorical(spells["agent"])
    visits = filled("visits", len(spells), {
        "ticket_id": spells["ticket"].to_numpy(), "pool": pd.Categorical(names),
        "activity": tables.codes(codes, ACTIVITIES),
        "queued_s": np.maximum(queued - stretch.began, 0.0),
        "started_s": np.maximum(started - stretch.began, 0.0), "ended_s": ended - stretch.began,
        "end": tables.codes(ends, VISIT_ENDS),
        "agent": np.where(agents.codes >= 0, agents.codes + 1.0, np.nan),
    })  # fmt: skip
    told = spells["told_end"] if "told_end" in spells else spells["ended"]
    told_s = told.to_numpy(dtype=np.float64) - stretch.began
    own = pd.DataFrame({"ticket_id": visits["ticket_id"], "started_s": visits["started_s"],
                        "ended_s": np.where(on, np.nan, told_s), "agent": agents,
                        "own": pd.Categorical(spells["activity"])})  # fmt: skip
    return visits, own


def _ratings(
    gathered: Gathered, tickets: pd.DataFrame, table: pd.DataFrame, stretch: Stretch
) -> pd.DataFrame:
    given, _ = words.stars(_words(tickets, "rating").astype("str"))
    rated = balance.column(tickets, "rated") - stretch.began
    at = np.where(np.isnan(rated), table["resolved_s"].to_numpy(), rated)
    here = ~np.isnan(given) & ~np.isnan(at) & (at < stretch.ended - stretch.began)
    count = int(here.sum())
    return filled("ratings", count, {
        "ticket_id": table["ticket_id"].to_numpy()[here], "rated_s": at[here],
        "rating": given[here],
    })  # fmt: skip


def _keys(gathered: Gathered, tickets: pd.DataFrame) -> pd.DataFrame:
    """The tickets' own numbers and words, and their moments as they were told, uncut."""
    frame = {"ticket_id": np.arange(1, len(tickets) + 1, dtype=np.int32),
             "key": tickets["id"].to_numpy()}  # fmt: skip
    for name in ("created", "first_reply", "solved", "closed"):
        frame[f"{name}_at"] = balance.column(tickets, name)
    for name in ("channel", "group", "agent", "status", "priority"):
        frame[name] = pd.Categorical(_words(tickets, name))  # type: ignore[assignment]
    return pd.DataFrame(frame)


def _events(
    gathered: Gathered, tickets: pd.DataFrame, choices: Choices, stretch: Stretch
) -> pd.DataFrame:
    """Each change as the desk wrote it: its own status, the agent, the group; uncut."""
    own = gathered.changes
    numbers = pd.Series(np.arange(1, len(tickets) + 1), index=tickets["id"].to_numpy())
    ids = numbers.reindex(own["id"]).to_numpy(dtype=np.float64)
    codes = words.status_codes(own["status"], choices.statuses) if len(own) else np.zeros(0, int)
    frame = pd.DataFrame({
        "ticket_id": ids, "time_s": own["at"].to_numpy(dtype=np.float64) - stretch.began,
        "detail": pd.Categorical(own["status"]), "status": tables.codes(codes, STATUSES),
        "agent": pd.Categorical(own["agent"]), "group": pd.Categorical(own["group"]),
    })  # fmt: skip
    frame = frame[frame["ticket_id"].notna()].astype({"ticket_id": "int32"})
    return frame.sort_values(["ticket_id", "time_s"], kind="stable", ignore_index=True)
