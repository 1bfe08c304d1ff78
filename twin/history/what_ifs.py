"""Words of a calibration on its desk: how well it fits, and what changes to it rest on.

Which what-ifs follow from the data, and which rest on an assumption: more tickets, other staffing,
quicker work, an assistant, and all else. The words stand in the calibrated file, and a comparison
repeats them where it makes such a change.
"""

from __future__ import annotations

from collections.abc import Mapping

from twin.common.text import amount
from twin.history.calibrated import Data
from twin.history.fit.away import SeenAway
from twin.history.fit.capacity import CapacityFit
from twin.history.fit.turns_found import Work
from twin.history.fit.wait_load import WaitTest

FOLLOWS = "follows from the data"
ASSUMED = "RESTS ON AN ASSUMPTION"
_ASSISTANT = (
    f"{ASSUMED}: no assistant is in this history, so the share of tickets that it takes, its "
    "errors, and the work that it leaves are as they were set, and not measured here."
)
_OTHER = f"{ASSUMED}: the history holds no such change, so its effect is as the scenario says."
# A fit is called poor beyond: the share who give up, and the loss (see Gap).
_POOR_SHARE, _POOR_LOSS = 0.05, 1.0


def evidence_of(pools: Mapping[str, tuple[WaitTest, SeenAway, CapacityFit]]) -> Data:
    """The section [evidence] of pools whose agents' work is known.

    Parameters
    ----------
    pools : mapping of str to tuple
        By name: whether its waits follow the load, who was seen away, and the fit to its waits.
    """
    said = {name: of_agents(*found) for name, found in pools.items()}
    (first, *others) = said.values()
    if not others:
        return first
    together = dict(first)
    for kind in ("volume", "staffing", "handle_time", "assistant"):
        words = {name: str(one[kind]) for name, one in said.items()}
        if len(set(words.values())) > 1:
            start = ASSUMED if any(one.startswith(ASSUMED) for one in words.values()) else FOLLOWS
            each = " ".join(f"Pool {name}: {one}" for name, one in words.items())
            together[kind] = f"{start}. {each}"
    return together


def of_agents(test: WaitTest, away: SeenAway, fit: CapacityFit) -> Data:
    """The section [evidence] of a pool whose agents' work is known.

    Parameters
    ----------
    test : WaitTest
        Whether its waits follow the load.
    away : SeenAway
    fit : CapacityFit
    """
    if not test.follows:
        queue = "that waits are long because agents are short"
        if test.clock_only:
            why = f"waits follow the clock alone, not the load ({test})"
        else:
            why = f"whether waits follow the load cannot be told ({test})"
        said = f"{ASSUMED}: {queue}. In this history {why}."
        volume, staffing, work_said = said, said, said
    else:
        queue = f"waits follow the load ({test})"
        volume = f"{FOLLOWS}: {queue}."
        staffing = f"{FOLLOWS}: {queue}; who was on shift is read off their work. {_there(away)}"
        work_said = (
            f"{FOLLOWS}: {queue}; handle times were measured. Assumed: agents come "
            "and go as before."
        )
    if poor(fit):
        worse = " The fit to the waits is poor, so no effect is as sure as its interval says."
        volume, staffing, work_said = (one + worse for one in (volume, staffing, work_said))
    return {
        "volume": volume,
        "staffing": staffing,
        "handle_time": work_said,
        "assistant": _ASSISTANT + (
            f" What the tickets that it takes leave to the agents {FOLLOWS}, as more or fewer do."
            if test.follows else ""
        ),
        "other": _OTHER,
    }  # fmt: skip


def _there(away: SeenAway) -> str:
    if away.nobody:
        return f"All were there while somebody waited ({away.touches:,} touches ended then)."
    if away.enough:
        return (
            f"How far they are there was seen while somebody waited ({away.touches:,} touches "
            f"ended then, {away.returned:,} agents returned), and fitted to the waits for the "
            "rest of the time."
        )
    return (
        "How far they are there was fitted to the waits alone: heads and that cannot be told "
        "apart well, so the effect of an agent more or less is less sure than its interval says."
    )


def of_statuses(staffing: str, work: Work | None = None) -> Data:
    """The section [evidence] of a desk known by its statuses alone.

    Parameters
    ----------
    staffing : str
        What its delays say of that (`twin.history.fit.status_load.sentence`).
    work : Work, optional
        Agents who work in a status, where they predict it better than a delay.
    """
    if work is not None:
        return _of_turns(work)
    said = f"{ASSUMED}: {staffing}"
    return {
        "volume": f"{said} Numbers of tickets follow; their times are assumed to stay.",
        "staffing": said,
        "handle_time": f"{ASSUMED}: this log does not tell when anybody worked. {staffing}",
        "assistant": _ASSISTANT,
        "other": _OTHER,
    }


def _of_turns(work: Work) -> Data:
    """The section [evidence] of a desk in one of whose statuses agents take tickets in turn."""
    heads = work.chosen.turns.heads
    why = f"tickets in {work.name} wait for agents, by back-test"
    test = "too few to tell"
    if work.load is not None:
        test = f"rank correlation {work.load.correlation:.2f}, n {work.load.n:,}"
    rest = "Delays in other statuses are assumed to stay."
    if not work.follows:
        but = "the fit to their times is poor"
        if work.agrees:
            but = f"whether these times follow the load cannot be told ({test})"
            if work.load is not None and not work.load.follows:
                but = f"these times hardly follow the load ({test})"
        said = f"{ASSUMED}: {why}, but {but}. {rest}"
        volume = staffing = work_said = said
    else:
        queue = f"{why}, and their times follow the load ({test})"
        volume = f"{FOLLOWS}: {queue}. {rest}"
        work_said = f"{FOLLOWS}: {queue}; the work was read off when tickets left. {rest}"
        if not work.heads_known:
            like = f"{min(work.chosen.like)} to {max(work.chosen.like)}"
            staffing = (
                f"{ASSUMED}: {queue}, but the number of agents is not identified: {like} explain "
                f"the log as well, and {heads} is used. {rest}"
            )
        elif not work.as_many_seen:
            staffing = (
                f"{ASSUMED}: {queue}, as if {heads} agents did nothing else; {work.seen:.1f} were "
                f"seen on a day, so one agent less may be less than one of these {heads}. {rest}"
            )
        else:
            named = "nobody is named in it" if work.seen != work.seen else (
                f"{work.seen:.1f} agents were seen on a day"
            )  # fmt: skip
            staffing = (
                f"{FOLLOWS}: {queue}; {heads} agents explain the log better than more or fewer "
                f"({named}). {rest}"
            )
    return {
        "volume": volume,
        "staffing": staffing,
        "handle_time": work_said,
        "assistant": _ASSISTANT,
        "other": _OTHER,
    }


def poor(fit: CapacityFit) -> bool:
    """True if waits of the calibrated desk are not those of the real one."""
    used = fit.gap if fit.helps else fit.plain
    return abs(used.gave_up) > _POOR_SHARE or used.loss > _POOR_LOSS


def said_of_fit(fit: CapacityFit, away: SeenAway) -> list[str]:
    """Sentences on how well availability fits the waits."""
    found, plain = fit.gap, fit.plain
    lines = [
        f"Fit to the waits of the history: {amount(found.wait_s, 's')} apart on average by their "
        f"distribution, {amount(found.hourly_s, 's')} by hour of the day, the share who gave up "
        f"{100 * found.gave_up:+.1f} points (all agents of the roster always there: "
        f"{amount(plain.wait_s, 's')}, {amount(plain.hourly_s, 's')}, "
        f"{100 * plain.gave_up:+.1f} points).",
    ]
    if away.nobody:
        lines.append(_there(away))
    elif fit.helps:
        lines.append(
            f"Agents come and go. {_there(away)} Their rates are fitted together, not "
            "identified one by one: what was found is the fit to the waits, not each rate."
        )
    else:
        lines.append(
            "Agents who come and go fit the waits no better: all of the roster are always there."
        )
    if poor(fit):
        lines.insert(0, (
            "THE FIT IS POOR: this desk does not wait as the real one did. Its roster is read off "
            "the work of agents, which needs several spells an hour."
        ))  # fmt: skip
    return lines
