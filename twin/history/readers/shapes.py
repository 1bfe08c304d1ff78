"""The three shapes of exports: a row a ticket, a row a call, a row an event."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.tables import shown_cell
from twin.history.cells import Bools, Floats
from twin.history.gathered import Choices, Gathered
from twin.history.readers.taken import Names, Taken
from twin.history.sheet import Sheet, fault
from twin.history.words import NO_STATUS, status_codes
from twin.records.tables import (
    ABANDONED,
    ACTIVITIES,
    HANDLE,
    IN_PROGRESS,
    PAUSED,
    VISIT_ENDS,
    WRAP_UP,
)

OF_TICKETS = ("id", "created", "first_reply", "first_reply_after", "solved", "solved_after",
              "closed", "updated", "status", "priority", "category", "channel", "group", "agent",
              "reopens", "transfers", "rating", "tags")  # fmt: skip
OF_CALLS = ("id", "queued", "answered", "ended", "wait", "talk", "outcome", "agent", "group",
            "category", "priority", "channel", "rating")  # fmt: skip
OF_EVENTS = ("id", "activity", "time", "start", "end", "lifecycle", "agent", "group")
# Of the ticket, though they stand in each of its events.
OF_CASES = ("created", "solved", "closed", "priority", "category", "channel", "reopens",
            "transfers", "rating")  # fmt: skip
TEXTS = ("subject", "description", "comment")

# Words in a ticket's tags or status that say it is no work of the desk.
LEFT_OUT = (
    ("merged into another", r"merge|duplicate"),
    ("spam", r"\bspam\b|junk|suspended"),
    ("deleted", r"^deleted$|\btrash"),
)
# Moments of calls that are not in their order: words for all of them, and for one.
_TURNED = {"answered before they came": "was answered before it came",
           "ended before that": "ended before it came or was answered"}  # fmt: skip
# Left before they joined the queue: neither load nor abandonment.
_NEVER_QUEUED = r"menu|ivr|short|before queue|not queued"
_UNANSWERED = r"aband|hang|hung|gave up|missed|no.?answer|lost|not answered|unanswered|^n$|^no$"


def texts_of(taken: Taken, choices: Choices, ids: pd.Series[Any]) -> pd.DataFrame:
    """Texts of tickets, with their tags, where they are to be kept."""
    if not choices.texts:
        return pd.DataFrame({"id": pd.Series([], dtype="str")})
    frame = pd.DataFrame({"id": ids, **{name: taken.word(name) for name in TEXTS}})
    if "tags" in taken:
        frame["tags"] = taken.word("tags")
    return frame.dropna(subset=list(TEXTS), how="all")


def fields_of(base: tuple[str, ...], choices: Choices) -> tuple[str, ...]:
    """Fields to read, with those of texts where these are to be kept."""
    return (*base, *TEXTS) if choices.texts else base


def numbered(taken: Taken, gathered: Gathered) -> pd.Series[Any]:
    """Numbers of tickets; where there are none, those of their rows."""
    ids = taken.word("id")
    if "id" not in taken:
        gathered.notes.append("No column numbers the tickets: each row is taken for one.")
    blank = ids.isna()
    if blank.any() and "id" in taken:
        gathered.notes.append(f"{blank.sum():,} rows without a number are tickets of their own.")
    rows = pd.Series(np.arange(1, taken.count + 1).astype(str), dtype="str")
    return ids.where(~blank, "row " + rows)


def after(created: Floats, taken: Taken, at: str, later: str) -> Floats:
    """A moment: as given, else so long after the creation as another column says."""
    moments, spans = taken.time(at), taken.duration(later)
    found: Floats = np.where(np.isnan(moments), created + spans, moments)
    return found


def of_tickets(
    sheet: Sheet, choices: Choices, names: Names, tool: str, generic: bool = True
) -> tuple[Gathered, Taken]:
    """Tickets, a row each, with what has become of them."""
    wanted = fields_of(OF_TICKETS, choices)
    taken = Taken(sheet, choices, names, wanted, needed=("created",), generic=generic)
    gathered = Gathered(tool, pd.DataFrame())
    ids = numbered(taken, gathered)
    created = taken.time("created")
    frame: dict[str, Any] = {"id": ids, "created": created}
    frame["first_reply"] = after(created, taken, "first_reply", "first_reply_after")
    frame["solved"] = after(created, taken, "solved", "solved_after")
    for name in ("closed", "updated"):
        frame[name] = taken.time(name)
    for name in ("status", "priority", "category", "channel", "group", "agent", "rating"):
        frame[name] = taken.word(name)
    for name in ("reopens", "transfers"):
        frame[name] = taken.number(name)
    why = reasons(taken.word("tags").fillna(""))
    frame["left_out"] = why.where(why.notna(), reasons(frame["status"].fillna("")))
    gathered.tickets = pd.DataFrame(frame)
    gathered.texts = texts_of(taken, choices, ids)
    if {"first_reply", "first_reply_after"} & set(taken.columns):
        gathered.known.add("responses")
    if {"solved", "solved_after", "closed"} & set(taken.columns):
        gathered.known.add("resolutions")
    gathered.known |= {f for f, c in (("reopens", "reopens"), ("ratings", "rating")) if c in taken}
    finish(gathered, taken)
    return gathered, taken


def reasons(words: pd.Series[Any]) -> pd.Series[Any]:
    """Reasons for which tickets are no work of the desk, by their words; missing for all others."""
    found = pd.Series([None] * len(words), index=words.index, dtype="object")
    for why, part in LEFT_OUT:
        here = words.str.strip().str.contains(part, case=False, regex=True).to_numpy(dtype=bool)
        found[here & found.isna().to_numpy()] = why
    return found


def finish(gathered: Gathered, taken: Taken) -> None:
    """Note how columns were understood."""
    gathered.understood += taken.rows()
    gathered.columns |= taken.columns
    gathered.local = gathered.local or taken.local
    gathered.notes += [f"{taken.sheet.file}: {note}." for note in taken.sheet.notes]


def of_calls(sheet: Sheet, choices: Choices, names: Names, tool: str) -> Gathered:
    """Calls, a row each: queued, answered, ended, by whom."""
    wanted = fields_of(OF_CALLS, choices)
    taken = Taken(sheet, choices, names, wanted, needed=("queued",))
    gathered = Gathered(tool, pd.DataFrame())
    if "answered" not in taken and "wait" not in taken:
        raise fault(sheet.file, "no column says when calls were answered, or how long they waited",
                    'name it, as --map answered="Its name" or --map wait="Its name"')  # fmt: skip
    if choices.skip_bad:
        for k, said in enumerate(_TURNED.values()):
            taken.leave_out(_turned(*_moments(taken)[:3])[k], said)
    ids = numbered(taken, gathered)
    queued, answered, ended, lost, never = _moments(taken)
    answered, ended = _in_order(queued, answered, ended, gathered)
    counted, ended = ended, _without_end(queued, answered, ended, gathered)
    frame: dict[str, Any] = {"id": ids, "created": queued, "first_reply": answered}
    frame["solved"] = np.where(lost, np.nan, ended)
    for name in ("priority", "category", "channel", "group", "agent", "rating"):
        frame[name] = taken.word(name)
    why = pd.Series([None] * len(never), dtype="object")
    frame["left_out"] = why.mask(never, "left before they joined the queue")
    status = np.where(lost, "abandoned", np.where(np.isnan(ended), "open", "resolved"))
    gathered.tickets = pd.DataFrame(frame | {"status": status, "closed": np.nan, "updated": np.nan})
    gathered.spells = pd.DataFrame({
        "id": ids, "queued": queued, "started": answered, "ended": ended, "told_end": counted,
        "agent": frame["agent"], "group": frame["group"], "activity": "handle",
        "end": np.where(lost, "abandoned", np.where(np.isnan(ended), "open", "done")),
    })  # fmt: skip
    at = [queued, answered, ended]
    words = ["open", "in progress", np.where(lost, "abandoned", "resolved")]
    gathered.changes = pd.concat([
        pd.DataFrame({"id": ids, "at": moment, "status": word, "agent": frame["agent"],
                      "group": frame["group"]})
        for moment, word in zip(at, words, strict=True)
    ]).dropna(subset="at")  # fmt: skip
    gathered.known |= {"responses", "resolutions", "work", "abandonments"}
    gathered.known |= {"ratings"} & ({"ratings"} if "rating" in taken else set())
    gathered.texts = texts_of(taken, choices, ids)
    finish(gathered, taken)
    return gathered


def _moments(taken: Taken) -> tuple[Floats, Floats, Floats, Bools, Bools]:
    """When calls were queued, answered and ended; who gave up, and who never joined the queue."""
    queued, answered, ended = (taken.time(name) for name in ("queued", "answered", "ended"))
    wait, talk = taken.duration("wait"), taken.duration("talk")
    outcome = taken.word("outcome").str.casefold().fillna("")
    never = outcome.str.contains(_NEVER_QUEUED).to_numpy(dtype=bool)
    lost = outcome.str.contains(_UNANSWERED).to_numpy(dtype=bool)
    if "outcome" in taken and taken.columns["outcome"].casefold().startswith("abandon"):
        lost = outcome.isin(("true", "yes", "y", "1")).to_numpy(dtype=bool)
    if "answered" in taken:
        # Some logs write a moment of service for calls that nobody took: the outcome goes first.
        lost = lost | (np.isnan(answered) if "outcome" not in taken else False)
    else:
        answered = queued + wait
    answered = np.where(lost, np.nan, answered)
    answered = np.where(np.isnan(answered) & ~lost, queued + wait, answered)
    ended = np.where(np.isnan(ended) & lost, queued + wait, ended)
    return queued, answered, np.where(np.isnan(ended), answered + talk, ended), lost, never


def _turned(queued: Floats, answered: Floats, ended: Floats) -> tuple[Bools, Bools]:
    """Calls whose moments are not in their order; see `_TURNED`."""
    return answered < queued, ended < np.fmax(queued, answered)


def _in_order(
    queued: Floats, answered: Floats, ended: Floats, gathered: Gathered
) -> tuple[Floats, Floats]:
    """Moments in their order, where a clock was set back or a hand slipped."""
    for words, odd in zip(_TURNED, _turned(queued, answered, ended), strict=True):
        if odd.any():
            row = int(np.argmax(odd))
            gathered.notes.append(
                f"{odd.sum():,} calls were {words} (first in row {row + 1}): they are taken to be "
                "so at once."
            )
    answered = np.where(answered < queued, queued, answered)
    begun = np.fmax(queued, answered)
    return answered, np.where(ended < begun, begun, ended)


def _without_end(queued: Floats, answered: Floats, ended: Floats, gathered: Gathered) -> Floats:
    """Ends of calls; one that was answered long ago and has no end is not under way still."""
    lengths, last = ended - answered, float(np.nanmax(np.fmax(queued, np.fmax(answered, ended))))
    longest = float(np.nanmax(lengths)) if np.isfinite(lengths).any() else 0.0
    lost = np.isnan(ended) & (answered < last - longest)
    if lost.any():
        gathered.notes.append(
            f"{lost.sum():,} calls that were answered have no end: how long they took is not "
            "known, and they count as over when they were answered."
        )
    return np.where(lost, answered, ended)


# Steps of the lifecycle of XES between which an agent works.
_BEGIN, _END = ("start", "resume"), ("complete", "suspend")


def of_events(sheet: Sheet, choices: Choices, names: Names, tool: str) -> Gathered:
    """Events, a row each: of which ticket, what, when, by whom."""
    wanted = fields_of((*OF_EVENTS, *OF_CASES), choices)
    taken = Taken(sheet, choices, names, wanted, needed=("id", "activity"))
    if not {"time", "start", "end"} & set(taken.columns):
        raise fault(sheet.file, "no column is understood as the moment of an event",
                    'name it, as --map time="Its name"')  # fmt: skip
    if choices.skip_bad:
        taken.leave_out(taken.time("end") < taken.time("start"), "ended before it began")
    gathered = Gathered(tool, pd.DataFrame())
    events = pd.DataFrame({
        "id": taken.word("id"), "status": taken.word("activity"), "at": taken.time("time"),
        "start": taken.time("start"), "end": taken.time("end"), "agent": taken.word("agent"),
        "group": taken.word("group"), "step": taken.word("lifecycle").str.casefold(),
    })  # fmt: skip
    blank = events["id"].isna()
    if blank.any():
        gathered.notes.append(f"{blank.sum():,} events of no ticket are left out.")
    events["at"] = events["at"].fillna(events["start"]).fillna(events["end"])
    odd = events["at"].isna() & ~blank
    if odd.any():
        row = int(np.argmax(odd))
        cell = shown_cell(events["id"].iloc[row])
        raise fault(sheet.file, f"row {row + 1}: the event of {cell} has no moment")
    events = _paired(events)
    # Stable: events of one moment stay as they are written.
    keep = events[events["id"].notna()].sort_values("at", kind="stable")
    gathered.tickets = cases(taken, keep)
    gathered.notes += final_values(taken, events)
    work = keep[keep["start"].notna() & (keep["end"] != keep["start"])]
    codes = status_codes(keep["status"], choices.statuses)
    if len(work):
        gathered.spells = _spells(keep, work, codes)
        gathered.known.add("work")
        # Work has its own rows; changes are what is instant.
        mine = ~keep.index.isin(work.index)
        keep, codes = keep[mine], codes[mine]
    gathered.changes = keep[["id", "at", "status", "agent", "group"]]
    said = {int(code) for code in np.unique(codes)} - {NO_STATUS}
    gathered.known.add("resolutions")
    if ABANDONED in said:
        gathered.known.add("abandonments")
    gathered.known.add("reopens")
    gathered.known |= {"ratings"} if "rating" in taken else set()
    others = sorted({str(name) for name in keep["status"][codes == NO_STATUS].dropna()})
    if others:
        some = ", ".join(shown_cell(name) for name in others[:6])
        more = f" and {len(others) - 6} more" if len(others) > 6 else ""
        gathered.notes.append(f"Taken for events that change no status: {some}{more}; say "
                              'otherwise with --status "ITS NAME"="In Progress".')  # fmt: skip
    gathered.texts = texts_of(taken, choices, taken.word("id")).drop_duplicates("id")
    finish(gathered, taken)
    return gathered


def _paired(events: pd.DataFrame) -> pd.DataFrame:
    """Starts and completions (the lifecycle of XES) as one row with both moments.

    Work that is suspended and resumed is a row a spell.
    """
    begun, done = events["step"].isin(_BEGIN), events["step"].isin(_END)
    if not (begun.any() and done.any()):
        return events
    key = ["id", "status", "agent"]
    order = events.assign(
        nth_start=begun.groupby([events[k].fillna("") for k in key]).cumsum(),
        nth_done=done.groupby([events[k].fillna("") for k in key]).cumsum(),
    )
    starts = order[begun].assign(nth=lambda d: d["nth_start"])
    ends = order[done].assign(nth=lambda d: d["nth_done"])
    filled = [frame.assign(**{k: frame[k].fillna("") for k in key}) for frame in (starts, ends)]
    pairs = filled[0].merge(filled[1], on=[*key, "nth"], how="left", suffixes=("", "_end"))
    pairs.index = starts.index
    joined = starts.assign(
        start=starts["at"], end=pairs["at_end"], paused=pairs["step_end"] == "suspend"
    )
    # As many completions as starts belong to them; the others are instants.
    counts = starts.groupby([starts[k].fillna("") for k in key])["nth"].max().rename("most")
    alone = filled[1].merge(counts, left_on=key, right_index=True, how="left")
    single = ends[(ends["nth"] > alone["most"].fillna(0)).to_numpy()]
    rest = events[~begun & ~done]
    found = pd.concat([joined, single, rest])
    return found[[*events.columns, "paused"]].sort_index()


def _spells(events: pd.DataFrame, work: pd.DataFrame, codes: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Spells of work; a ticket waits for one from the last thing that happened to it before.

    That it is taken in hand is the work itself; who gave up had waited for it.
    """
    paused = work["paused"].eq(True) if "paused" in work else pd.Series(False, index=work.index)
    mine = events.index.isin(work.index)
    moments = np.where(mine, events["end"], events["at"])
    # No ticket waits for a wrap-up, nor for its end.
    after = (events["status"] == ACTIVITIES[WRAP_UP]).to_numpy()
    calls_for_work = (mine & ~after) | (codes != IN_PROGRESS)
    before = pd.DataFrame({"id": events["id"], "moment": moments})[calls_for_work]
    before = before.dropna().sort_values("moment", kind="stable")
    before["queued"] = before["moment"]
    lost = events[(codes == ABANDONED) & ~mine]
    wanted = pd.concat([
        work.assign(moment=work["start"], outcome=np.where(
            work["end"].isna(), "open", np.where(paused, VISIT_ENDS[PAUSED], "done"))),
        lost.assign(moment=lost["at"], end=lost["at"], start=np.nan, outcome="abandoned"),
    ]).sort_values("moment", kind="stable")  # fmt: skip
    found = pd.merge_asof(wanted[wanted["outcome"] != "abandoned"], before, on="moment", by="id")
    # Giving up is itself a thing that happens: the one before it counts.
    gone = pd.merge_asof(wanted[wanted["outcome"] == "abandoned"], before, on="moment", by="id",
                         allow_exact_matches=False)  # fmt: skip
    rows = pd.concat([found, gone], ignore_index=True)
    queued = rows["queued"].fillna(rows["moment"])
    # Wrap-up and work that is resumed wait for nobody.
    queued = queued.mask((rows["status"] == ACTIVITIES[WRAP_UP]) | (rows["step"] == "resume"))
    activity = rows["status"].mask(rows["outcome"] == "abandoned", ACTIVITIES[HANDLE])
    return pd.DataFrame({
        "id": rows["id"], "queued": queued, "started": rows["start"], "ended": rows["end"],
        "agent": rows["agent"], "group": rows["group"], "activity": activity,
        "end": rows["outcome"],
    })  # fmt: skip


def cases(taken: Taken, keep: pd.DataFrame) -> pd.DataFrame:
    """Tickets of an event log: the last value that its events give of each of their fields."""
    first = keep.drop_duplicates("id")
    frame = {"id": first["id"].to_numpy(), "created": first["at"].to_numpy()}
    tickets = pd.DataFrame(frame).set_index("id")
    ids = taken.word("id")
    for name in ("priority", "category", "channel", "rating"):
        tickets[name] = _last(ids, taken.word(name))
    for name in ("reopens", "transfers"):
        tickets[name] = _last(ids, pd.Series(taken.number(name)))
    if "created" in taken:
        given = _last(ids, pd.Series(taken.time("created")))
        tickets["created"] = np.fmin(given.reindex(tickets.index), tickets["created"])
    for name in ("agent", "group"):
        tickets[name] = _last(keep["id"], keep[name])
    for name in ("first_reply", "solved", "closed", "updated"):
        tickets[name] = np.nan
    tickets["status"] = None
    tickets["left_out"] = None
    return tickets.reset_index()


def final_values(taken: Taken, events: pd.DataFrame) -> list[str]:
    """Sentences on columns that hold the final moment also in rows from before it."""
    found = []
    for name in ("solved", "closed"):
        if name not in taken:
            continue
        rows = pd.DataFrame({"id": taken.word("id"), "value": taken.time(name)})
        rows["at"] = events["at"].reindex(rows.index)
        first = rows.dropna().drop_duplicates("id")
        several = rows.dropna(subset="value").groupby("id").size()
        if len(first) and (first["value"] > first["at"]).mean() > 0.5 and (several > 1).any():
            found.append(
                f'"{taken.columns[name]}" holds the final moment in every row of a ticket, also in '
                "rows from before it: it is taken as a fact of the ticket, not of the event."
            )
    return found


def _last(ids: pd.Series[Any], values: pd.Series[Any]) -> pd.Series[Any]:
    values = values.set_axis(ids.index)
    there = values.notna() & ids.notna()
    found = pd.Series(values[there].to_numpy(), index=ids[there].to_numpy())
    return found[~found.index.duplicated(keep="last")]
