"""Agents who come and go, read off the moments at which customers wait: no simulation.

An agent on session who does not work is away, if a ticket waits that they could take. So while
somebody waits, the log shows how many agents are away, how many return, and how soon. It also shows
how many leave after a touch, instead of taking the next ticket. While nobody waits it shows no
agent who leaves: that rate is found by simulation (`twin.history.fit.capacity`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize

from twin.history.fit.rosters import Sessions

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# A ticket is taken at once within so many seconds: logs of whole seconds. Where work is quick, it
# is within a tenth of a touch.
AT_ONCE_S, AT_ONCE_PART = 1.0, 0.1
# With fewer touches that ended, or agents who returned, while somebody waited, nothing is said.
FEWEST_SEEN = 30
# With no more returns than this share of touches nobody is taken to leave; in whole minutes only
# touches count after which somebody waited on, and changes of shift are more of those (on planted
# desks .6 to 4.4 % where nobody left, 33 % and more where 20 % did or more: assumed).
_FEW, _FEW_ROUGH = 0.01, 0.05
_HOUR_S = 3600.0


@dataclass(frozen=True)
class SeenAway:
    """Agents away as seen while customers waited.

    Attributes
    ----------
    after_touch : float
        Share of touches, ended while somebody waited, after which the agent did not take them.
    touches : int
        Number of those touches.
    returns, returns_per_queued : float
        Rates of an agent away, and of an agent away and ticket that waits; an hour.
    returned : int
        Returns seen.
    away_hours : float
        Agents' hours away while somebody waited.
    exact : bool
        False: times are too rough for these numbers; all that they tell is whether anybody left.
    at_once_s : float
        Who is away for less is not away.
    """

    after_touch: float
    touches: int
    returns: float
    returns_per_queued: float
    returned: int
    away_hours: float
    exact: bool = True
    at_once_s: float = AT_ONCE_S

    @property
    def enough(self) -> bool:
        """True if it was seen often enough to go by."""
        return self.exact and self.touches >= FEWEST_SEEN

    @property
    def nobody(self) -> bool:
        """True if hardly anybody was ever seen away."""
        few = _FEW if self.exact else _FEW_ROUGH
        return self.touches >= FEWEST_SEEN and self.returned < max(2, few * self.touches)


def seen_away(visits: pd.DataFrame, worked: Sessions) -> SeenAway:
    """Find who was away while customers waited.

    Parameters
    ----------
    visits : DataFrame
        Visits of a pool with the columns queued_s, started_s, ended_s and agent.
    worked : Sessions
        Of its agents, from the same table.
    """
    at_once_s = quick(visits)
    taken = (visits["agent"].notna() & visits["started_s"].notna()).to_numpy()
    codes = np.full(len(visits), -1, dtype=np.int64)
    # As sessions are told apart.
    codes[taken] = pd.factorize(visits.loc[taken, "agent"])[0]
    queued, start, end = (
        visits[name].to_numpy(dtype=np.float64) for name in ("queued_s", "started_s", "ended_s")
    )
    served = taken & (end >= start)
    left = np.where(start == start, start, end)
    waited = (queued == queued) & (left == left) & (left - queued > at_once_s)
    # Steps of the queue (who is taken at once never waits), of busy agents, and of the sessions.
    # What is taken at once counts for nothing, and neither does as much of a longer wait.
    at = np.concatenate([
        queued[waited] + at_once_s, left[waited], start[served], end[served],
        worked.start_s, worked.end_s,
    ])  # fmt: skip
    sizes = [waited.sum(), waited.sum(), served.sum(), served.sum(), *[len(worked.agent)] * 2]
    queue = np.repeat([1.0, -1.0, 0.0, 0.0, 0.0, 0.0], sizes)
    free = np.repeat([0.0, 0.0, -1.0, 1.0, 1.0, -1.0], sizes)
    order = np.argsort(at, kind="stable")
    moments = at[order]
    waiting, away = np.cumsum(queue[order])[:-1], np.cumsum(free[order])[:-1]
    length = np.diff(moments)
    here = (waiting > 0) & (away > 0) & (length > 0)
    exposed = away[here] * length[here] / _HOUR_S
    weights = np.array([exposed.sum(), (exposed * waiting[here]).sum()])
    ended, goes_on_s, waits = _touches(codes, served, start, end, worked, queued, left, waited)
    took = goes_on_s <= at_once_s
    touches = int((ended & waits).sum())
    chance = float((ended & waits & ~took).sum() / max(touches, 1))
    # An agent who starts on a ticket that waited, after a gap, has returned to it.
    back = served & waited & (_gap_before(codes, served, start, end, worked) > at_once_s)
    length_then = _waiting_at(start[back], queued[waited], left[waited])
    returns, per_queued = _rates(np.maximum(length_then, 1.0), weights)
    found = chance, touches, returns, per_queued, int(back.sum()), float(weights[0])
    return SeenAway(*found, at_once_s=at_once_s)


def quick(visits: pd.DataFrame) -> float:
    """Time within which a ticket is taken at once, by how long agents work on one; seconds."""
    mean_s = float((visits["ended_s"] - visits["started_s"]).mean())
    return min(AT_ONCE_S, AT_ONCE_PART * mean_s) if mean_s > 0 else AT_ONCE_S


def seen_nobody(visits: pd.DataFrame, worked: Sessions) -> SeenAway:
    """Find out whether anybody was away while customers waited, from times of whole minutes.

    Rates cannot be read off such times. But where a ticket waited from before the minute in which a
    touch ended until after it, an agent who was there took another one in that same minute.

    Parameters
    ----------
    visits : DataFrame
    worked : Sessions
        As of `seen_away`.
    """
    taken = (visits["agent"].notna() & visits["started_s"].notna()).to_numpy()
    codes = np.full(len(visits), -1, dtype=np.int64)
    codes[taken] = pd.factorize(visits.loc[taken, "agent"])[0]
    queued, start, end = (
        visits[name].to_numpy(dtype=np.float64) for name in ("queued_s", "started_s", "ended_s")
    )
    left = np.where(start == start, start, end)
    waited = left > queued
    rows = _by_agent(codes, taken & (end >= start), start)
    same = (codes[rows][1:] == codes[rows][:-1]) & _same_session(
        worked, codes[rows][1:], start[rows][:-1], start[rows][1:]
    )
    ended, goes_on = end[rows[:-1][same]], start[rows[1:][same]]
    came = np.searchsorted(np.sort(queued[waited]), ended, side="left")
    gone = np.searchsorted(np.sort(left[waited]), ended, side="right")
    waits = came > gone
    touches, returned = int(waits.sum()), int((waits & (goes_on > ended)).sum())
    return SeenAway(returned / max(touches, 1), touches, 0.0, 0.0, returned, 0.0, exact=False)


def _by_agent(codes: npt.NDArray[np.int64], served: Mask, start: Floats) -> npt.NDArray[np.int64]:
    rows = np.flatnonzero(served)
    found: npt.NDArray[np.int64] = rows[np.lexsort((start[rows], codes[rows]))]
    return found


def _same_session(
    worked: Sessions, agent: npt.NDArray[np.int64], one: Floats, other: Floats
) -> Mask:
    """True where two moments of an agent's work lie in one session."""
    order = np.lexsort((worked.start_s, worked.agent))
    who, begin = worked.agent[order], worked.start_s[order]
    span = max(float(np.abs(begin).max()), float(np.abs(other).max()), 1.0) * 4
    keys = who * span + begin
    first = np.searchsorted(keys, agent * span + one, side="right")
    last = np.searchsorted(keys, agent * span + other, side="right")
    same: Mask = first == last
    return same


def _touches(
    codes: npt.NDArray[np.int64],
    served: Mask,
    start: Floats,
    end: Floats,
    worked: Sessions,
    queued: Floats,
    left: Floats,
    waited: Mask,
) -> tuple[Mask, Floats, Mask]:
    """Touches: true if one ended within a session; time until the next; true if somebody waited."""
    rows = _by_agent(codes, served, start)
    same = (codes[rows][1:] == codes[rows][:-1]) & _same_session(
        worked, codes[rows][1:], start[rows][:-1], start[rows][1:]
    )
    ended, goes_on_s = np.zeros(len(codes), dtype=np.bool_), np.full(len(codes), np.inf)
    before, after = rows[:-1][same], rows[1:][same]
    ended[before] = True
    goes_on_s[before] = start[after] - end[before]
    waits = np.zeros(len(codes), dtype=np.bool_)
    waits[ended] = _waiting_at(end[ended], queued[waited], left[waited]) > 0
    return ended, goes_on_s, waits


def _gap_before(
    codes: npt.NDArray[np.int64], served: Mask, start: Floats, end: Floats, worked: Sessions
) -> Floats:
    """Time since an agent's last touch of the session; 0 for the first one."""
    rows = _by_agent(codes, served, start)
    same = (codes[rows][1:] == codes[rows][:-1]) & _same_session(
        worked, codes[rows][1:], start[rows][:-1], start[rows][1:]
    )
    gap_s = np.zeros(len(codes))
    before, after = rows[:-1][same], rows[1:][same]
    gap_s[after] = start[after] - end[before]
    return gap_s


def _waiting_at(moments: Floats, queued: Floats, left: Floats) -> Floats:
    """Tickets that wait just before moments."""
    came = np.searchsorted(np.sort(queued), moments, side="left")
    gone = np.searchsorted(np.sort(left), moments, side="left")
    found: Floats = (came - gone).astype(np.float64)
    return found


def _rates(length: Floats, weights: Floats) -> tuple[float, float]:
    """Rates of returning by likelihood: of themselves, and for each ticket that waits."""
    if len(length) < FEWEST_SEEN or not weights[0]:
        rate = float(len(length) / weights[0]) if weights[0] else 0.0
        return rate, 0.0

    def cost(x: Floats) -> float:
        rates = np.exp(x)
        return float(rates @ weights - np.log(rates[0] + rates[1] * length).sum())

    middle = len(length) / weights.sum()
    found = optimize.minimize(
        cost, np.log([middle, middle]), method="Nelder-Mead",
        bounds=[(np.log(middle) - 7, np.log(middle) + 7)] * 2,
        options={"xatol": 1e-3, "fatol": 1e-6, "maxfev": 400},
    )  # fmt: skip
    returns, queued = np.exp(found.x).tolist()
    return float(returns), float(queued)
