"""Priorities of a history: those that are not told, and whether they count when agents take."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pandas as pd

from twin.common.text import amount
from twin.history.calibrated import Data
from twin.history.fit.pairs import pairs_of
from twin.history.fit.priority import FEWEST_AHEAD, HeadStart, fit_head_start
from twin.history.whole_days import Days
from twin.records.tables import RunLog
from twin.scenario.model import PRIORITIES

# Share of tickets with a priority, from which on those of the others are filled in.
_KNOWN = 0.5
# A sequence that fills [0, 1) evenly, whatever its length: multiples of the golden ratio.
_GOLDEN = (5**0.5 - 1) / 2


def priorities_of(tickets: pd.DataFrame) -> pd.Series[str] | None:
    """The priority of each ticket; None where most have none.

    Some desks know a customer's rank only where it mattered. So those that are missing are taken to
    be mixed as the known ones of their category are, evenly over the history.

    Parameters
    ----------
    tickets : DataFrame
        With the columns priority and category_true.
    """
    given = tickets["priority"].astype(object)
    known = given.isin(PRIORITIES).to_numpy(dtype=bool)
    if not len(given) or known.mean() < _KNOWN:
        return None
    code = np.full(len(given), -1)
    code[known] = [PRIORITIES.index(name) for name in given[known]]
    kind = pd.factorize(tickets["category_true"].astype(object))[0]
    every = np.bincount(code[known], minlength=len(PRIORITIES))
    for one in np.unique(kind[~known]):
        blank = np.flatnonzero(~known & (kind == one))
        counts = np.bincount(code[known & (kind == one)], minlength=len(PRIORITIES))
        mix = np.cumsum(counts if counts.any() else every)
        even = (np.arange(len(blank)) + 1) * _GOLDEN % 1.0
        code[blank] = np.searchsorted(mix / mix[-1], even, side="right")
    return pd.Series([PRIORITIES[k] for k in code], index=given.index)


def with_priorities(log: RunLog) -> RunLog:
    """Records with the missing priorities filled in; the same where none is, or most are."""
    found = priorities_of(log.tickets)
    if found is None or log.tickets["priority"].notna().all():
        return log
    column = pd.Categorical(found, categories=list(PRIORITIES))
    return replace(log, tickets=log.tickets.assign(priority=column))


def head_start(log: RunLog, days: Days) -> HeadStart | None:
    """Head start of the higher priorities in a history; None where it has not two of them.

    Customers of the same category are compared: others may wait for other agents.
    """
    tickets = log.tickets.set_index("ticket_id")
    known = tickets["priority"].astype(object).map(
        {name: k for k, name in enumerate(PRIORITIES)}
    )  # fmt: skip
    if known.nunique() < 2:
        return None
    visits = log.visits[log.visits["queued_s"].notna().to_numpy()]
    level = visits["ticket_id"].map(known).fillna(-1).to_numpy().astype(np.int64)
    kind = pd.factorize(visits["ticket_id"].map(tickets["category_true"].astype(object)))[0]
    queued = visits["queued_s"].to_numpy(dtype=np.float64)
    until = visits["started_s"].fillna(visits["ended_s"]).fillna(log.horizon_s)
    day = np.searchsorted(days.starts, queued, side="right") - 1
    pairs = pairs_of(
        queued, until.to_numpy(dtype=np.float64), visits["started_s"].notna().to_numpy(), level,
        kind.astype(np.int64), day.astype(np.int64),
    )  # fmt: skip
    return fit_head_start(pairs)


def routing_section(found: HeadStart | None) -> Data:
    """The section [routing]: first come, first served, but for the head start that was found."""
    used_s = 0.0 if found is None else found.used_s
    # Without a bonus the higher priority always goes first.
    return {} if used_s == inf else {"wait_bonus": f"{used_s:.4g}s"}


def said_of(found: HeadStart | None, days: Days) -> str:
    """A sentence on the order in which customers are taken."""
    first = "Customers are taken first come, first served"
    if found is None:
        return f"{first}: the history has no priorities."
    if found.turned:
        return (
            f"{first}. In the history those of LOWER priority were taken ahead: priorities may be "
            "read the wrong way round (twin import --priority OWN=PRIORITY)."
        )
    if not found.bonus_s:
        few = f", but {found.n} are too few to tell" if found.n < FEWEST_AHEAD else ""
        return f"{first}: no priority is taken ahead of others in the history (n {found.n:,}{few})."
    since = "" if found.since is None else f" since {days.days[found.since]}"
    who = "Customers of higher priority"
    if found.used_s == inf:
        low = amount(found.low_s, "s")
        return f"{who} are always taken first{since}, by {low} or more (n {found.n:,})."
    about = ""
    if found.blurred:
        about = f" That is assumed, as agents also take by chance: {found.blur_in_words}."
    whole = f"{amount(found.bonus_s if found.bonus_s < inf else found.low_s, 's')} ahead"
    if found.used_s != found.bonus_s:
        part = f"{100 * found.share:.0f} % of customers of higher priority"
        mean = amount(found.used_s, "s")
        return (
            f"{part} are taken as if they had come {whole}{since} (n {found.n:,}). A desk gives "
            f"all of a priority the same: the mean, {mean}.{about}"
        )
    return f"{who} are taken as if they had come {whole}{since} (n {found.n:,}).{about}"
