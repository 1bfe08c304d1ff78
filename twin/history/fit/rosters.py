"""Rosters of agents, read off their work: who works is there, and between two spells not far apart.

An agent is taken to be on shift from the first spell of work to the last one of a session, where
spells less than half an hour apart belong together. That is neither who was planned nor who was
free: how far the agents of a roster are there for the next ticket is fitted by simulation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Longest gap within a session, at least: on a bank's desk 1,800 s told sessions from breaks best.
SESSION_GAP_S = 1800.0
# Where spells are rare, gaps are longer by nature: so many mean gaps, which one of 400 exceeds.
_MEAN_GAPS = 6.0
# Longer ones are nights, whatever the desk.
_LONGEST_GAP_S = 4 * 3600.0


@dataclass(frozen=True)
class Sessions:
    """Sessions of agents.

    Attributes
    ----------
    agent : array of int, shape (n,)
        Code of the agent of each.
    start_s, end_s : array of float, shape (n,)
        First start and last end of work; seconds since the start of the history.
    idle_s : float
        Mean time between two spells of work in a session.
    """

    agent: Ints
    start_s: Floats
    end_s: Floats
    idle_s: float = 0.0

    def on_shift(self) -> Sessions:
        """Return the same sessions as if seen from outside: nobody works all their shift.

        Who is on shift waits for the first ticket, and after the last one, about as long as
        between two of them; but not into the agent's own session before or after it.
        """
        if not len(self.agent):
            return self
        order = np.lexsort((self.start_s, self.agent))
        agent, start, end = self.agent[order], self.start_s[order], self.end_s[order]
        half = np.full(len(agent) - 1, np.inf)
        same = agent[1:] == agent[:-1]
        half[same] = (start[1:] - end[:-1])[same] / 2
        before = np.minimum(np.concatenate([[np.inf], half]), self.idle_s)
        after = np.minimum(np.concatenate([half, [np.inf]]), self.idle_s)
        return Sessions(agent, start - before, end + after, self.idle_s)

    def heads(self, edges: Floats) -> Floats:
        """Mean number of agents on session between each two of k + 1 moments, shape (k,)."""
        moments = np.concatenate([self.start_s, self.end_s])
        change = np.repeat([1.0, -1.0], len(self.start_s))
        order = np.argsort(moments, kind="stable")
        at, level = moments[order], np.cumsum(change[order])
        # Area under the steps up to each moment, and up to each edge.
        area = np.concatenate([[0.0], np.cumsum(np.diff(at) * level[:-1])])
        k = np.searchsorted(at, edges, side="right") - 1
        inside = k >= 0
        up_to = np.zeros(len(edges))
        k, within = k[inside], edges[inside]
        up_to[inside] = area[k] + (within - at[k]) * level[k]
        mean: Floats = np.diff(up_to) / np.diff(edges)
        return mean


def sessions(visits: pd.DataFrame, gap_s: float | None = None) -> Sessions:
    """Sessions of agents in the table visits.

    Parameters
    ----------
    visits : DataFrame
        With the columns agent, started_s and ended_s; rows without an agent or a start are left
        out.
    gap_s : float, optional
        Spells of work further apart are two sessions; by default half an hour, and more where
        agents' spells are rare.
    """
    worked = visits[visits["agent"].notna() & visits["started_s"].notna()]
    agent = pd.factorize(worked["agent"])[0].astype(np.int64)
    start = worked["started_s"].to_numpy(dtype=np.float64)
    # An end that nobody knows: they were there when it began.
    end = worked["ended_s"].fillna(worked["started_s"]).to_numpy(dtype=np.float64)
    order = np.lexsort((start, agent))
    agent, start, end = agent[order], start[order], end[order]
    if not len(agent):
        return Sessions(agent, start, end)
    # A later spell may end before an earlier one: an agent with several tickets in hand.
    latest = pd.Series(end).groupby(agent).cummax().to_numpy()
    same, between_s = agent[1:] == agent[:-1], start[1:] - latest[:-1]
    idle_s = np.maximum(between_s[same], 0.0)
    if gap_s is None:
        gap_s = _longest_gap(idle_s)
    new = np.ones(len(agent), dtype=np.bool_)
    new[1:] = ~same | (between_s > gap_s)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(agent)) - 1
    within = idle_s[idle_s <= gap_s]
    mean_s = float(within.mean()) if len(within) else 0.0
    return Sessions(agent[first], start[first], latest[last], mean_s)


def _longest_gap(idle_s: Floats) -> float:
    """Longest gap within a session, from the gaps themselves."""
    longest = _LONGEST_GAP_S
    for _ in range(50):
        within = idle_s[idle_s <= longest]
        shorter = max(SESSION_GAP_S, _MEAN_GAPS * float(within.mean()) if len(within) else 0.0)
        if shorter >= longest:
            break
        longest = shorter
    return longest
