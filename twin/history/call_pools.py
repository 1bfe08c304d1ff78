"""Pools of a desk whose agents' work is known: who takes what, and how far they are there.

Agents who take the same are a pool (`twin.history.fit.pools`). Whether several pools wait more like
the desk than one is decided elsewhere (`twin.history.pools_choice`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.formulas import harmless
from twin.history.calibrated import Data
from twin.history.fit.away import SeenAway, seen_away, seen_nobody
from twin.history.fit.capacity import Availability, CapacityFit, fit_capacity
from twin.history.fit.estimate import Estimate
from twin.history.fit.pools import expected_work, fit_pools, nearest
from twin.history.fit.rosters import Sessions, sessions
from twin.history.fit.waits import Waits, gap
from twin.history.found_shifts import FEWEST_HEADS
from twin.history.kept_plays import EachOf
from twin.history.told import Told
from twin.records.tables import RunLog
from twin.scenario import clock
from twin.scenario.model import Scenario

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

POOL = "agents"
# Of several pools: agents-1, agents-2.
_NUMBERED = re.compile(rf"{POOL}-\d+")
# Fewer tickets tell no pools.
_FEWEST_WORK = 500
# From this share of tickets on, pools are asked in order where both have somebody free.
_IN_ORDER = 0.75
# Pools that share no kind are apart if so little of their work is of kinds of the others (assumed).
_BY_THE_WAY = 0.02


@dataclass(frozen=True)
class Part:
    """Agents who are a pool.

    Attributes
    ----------
    name : str
    takes : tuple of str
        Categories; empty: all.
    visits : DataFrame
        Their work.
    worked : Sessions
    """

    name: str
    takes: tuple[str, ...]
    visits: pd.DataFrame
    worked: Sessions

    def waiting(self, log: RunLog) -> pd.DataFrame:
        """Visits that wait for it: of what it takes, and what its agents took besides."""
        if not self.takes:
            return log.visits
        kind = log.tickets.set_index("ticket_id")["category_true"].astype(str)
        here = log.visits["ticket_id"].map(kind).isin(self.takes)
        return log.visits[(here | log.visits.index.isin(self.visits.index)).to_numpy()]

    def seen_away(self, log: RunLog, told: Told) -> SeenAway:
        """Agents of it who were away while somebody waited for it."""
        waiting = self.waiting(log)
        own = waiting.index.isin(self.visits.index)
        named = waiting.assign(agent=waiting["agent"].where(own))
        return (seen_nobody if told.unit_s and not told.lengths else seen_away)(named, self.worked)


@dataclass(frozen=True)
class Split:
    """Agents as one pool or several.

    Attributes
    ----------
    parts : tuple of Part
    pool_choice : str
        How a ticket that several may take finds its pool.
    estimates : tuple of Estimate
    apart : bool
        Whether no kind is taken by two of the pools.
    """

    parts: tuple[Part, ...]
    pool_choice: str = "in order"
    estimates: tuple[Estimate, ...] = ()
    apart: bool = False

    def routing(self, section: Data) -> Data:
        """The section [routing] of it."""
        asked = {} if self.pool_choice == "in order" else {"pool_choice": self.pool_choice}
        return section | asked


def one_pool(log: RunLog) -> Split:
    """All agents as one pool."""
    return Split((Part(POOL, (), log.visits, sessions(log.visits)),))


def several_pools(log: RunLog) -> Split | None:
    """Agents as pools by what they take; None where they all take the same."""
    visits = log.visits
    taken, kind = _taken(log)
    if kind.isna().any() or kind.nunique() < 2:
        return None
    names = sorted(kind.unique())
    agents = pd.factorize(taken["agent"])[1]
    found = fit_pools(*_work(taken, kind, names))
    if len(found) < 2 or len(taken) < _FEWEST_WORK:
        return None
    parts, estimates = [], []
    for k in range(len(found)):
        name = f"{POOL}-{k + 1}"
        own = visits[visits["agent"].isin(agents[found.pool == k]).to_numpy()]
        takes = tuple(name for name, mine in zip(names, found.takes[k], strict=True) if mine)
        parts.append(Part(name, takes, own, sessions(own)))
        method = f"of all work, by {int((found.pool == k).sum())} agents who take these"
        share = float(found.work[k].sum() / found.work.sum())
        n = int(found.work.sum())
        estimates.append(Estimate(f"agents.{name}.skills", share, "share", n=n, method=method))
    split = _asked(parts, kind, taken, tuple(estimates))
    shared = (found.takes.sum(axis=0) > 1).any()
    odd = float((found.work * ~found.takes).sum() / found.work.sum())
    return replace(split, apart=bool(not shared and odd <= _BY_THE_WAY))


def _taken(log: RunLog) -> tuple[pd.DataFrame, pd.Series[str]]:
    """Visits that were taken, and the category of each."""
    visits = log.visits
    taken = visits[(visits["agent"].notna() & visits["started_s"].notna()).to_numpy()]
    tickets = log.tickets.set_index("ticket_id")
    return taken, taken["ticket_id"].map(tickets["category_true"].astype(object))


def _work(taken: pd.DataFrame, kind: pd.Series[str], names: Sequence[str]) -> tuple[Floats, Floats]:
    """Work of each agent and category, and what was to be expected; agents as in sessions."""
    code = kind.map({name: k for k, name in enumerate(names)}).fillna(-1).to_numpy()
    known = code >= 0
    agent = pd.factorize(taken["agent"])[0].astype(np.int64)
    worked = sessions(taken)
    at_s = taken["started_s"].to_numpy(dtype=np.float64)
    return expected_work(
        agent[known], code[known].astype(np.int64), at_s[known],
        (worked.agent, worked.start_s, worked.end_s), len(names),
    )  # fmt: skip


def calibrated_pools(scenario: Scenario) -> bool:
    """True if a desk's pools are such as calibration makes."""
    names = list(scenario.agents)
    return names == [POOL] or (len(names) > 1 and all(map(_NUMBERED.fullmatch, names)))


def pools_of_agents(log: RunLog, skills: Mapping[str, Sequence[str]]) -> npt.NDArray[np.object_]:
    """The pool of each agent in records, by what they took; agents as in sessions.

    Parameters
    ----------
    log : RunLog
    skills : mapping of str to sequence of str
        Categories that each pool takes.
    """
    names = sorted({name for own in skills.values() for name in own})
    takes = np.array([[name in own for name in names] for own in skills.values()])
    found = nearest(*_work(*_taken(log), names), takes)
    return np.array(list(skills), dtype=object)[found]


def with_pools(log: RunLog, skills: Mapping[str, Sequence[str]]) -> RunLog:
    """Records in which each visit is of the pool of its agent."""
    taken, _ = _taken(log)
    pools = pools_of_agents(log, skills)[pd.factorize(taken["agent"])[0]]
    pool = pd.Series(pools, index=taken.index).reindex(log.visits.index)
    return replace(log, visits=log.visits.assign(pool=pd.Categorical(pool)))


def _asked(
    parts: list[Part], kind: pd.Series[str], taken: pd.DataFrame, estimates: tuple[Estimate, ...]
) -> Split:
    """The order in which pools are asked, by who took tickets for which both had somebody free."""
    at_once = ((taken["started_s"] - taken["queued_s"]) <= 1.0).to_numpy()
    rows = taken[at_once]
    at = rows["started_s"].to_numpy(dtype=np.float64)
    what = kind[at_once].astype(str).to_numpy()
    free = np.array([_on_session(one, at) - _busy(one, at) for one in parts])
    who = np.array([rows.index.isin(one.visits.index) for one in parts])
    first = both = 0
    for k, one in enumerate(parts):
        for j in range(k + 1, len(parts)):
            shared = [name for name in one.takes if name in parts[j].takes]
            here = np.isin(what, shared) & (free[k] > 0) & (free[j] > 0) & (who[k] | who[j])
            first, both = first + int(who[k][here].sum()), both + int(here.sum())
    share = first / both if both else 1.0
    if share >= _IN_ORDER:
        return Split(tuple(parts), "in order", estimates)
    if share <= 1 - _IN_ORDER:
        return Split(tuple(reversed(parts)), "in order", estimates)
    return Split(tuple(parts), "random", estimates)


def _on_session(part: Part, at: Floats) -> Ints:
    came = np.searchsorted(np.sort(part.worked.start_s), at, side="right")
    went = np.searchsorted(np.sort(part.worked.end_s), at, side="left")
    return np.asarray(came - went, dtype=np.int64)


def _busy(part: Part, at: Floats) -> Ints:
    start = part.visits["started_s"].to_numpy(dtype=np.float64)
    end = part.visits["ended_s"].fillna(part.visits["started_s"]).to_numpy(dtype=np.float64)
    began = np.searchsorted(np.sort(start[~np.isnan(start)]), at, side="left")
    over = np.searchsorted(np.sort(end[~np.isnan(end)]), at, side="right")
    return np.asarray(began - over, dtype=np.int64)


class Player:
    """Plays the history's own arrivals with some availability of its agents.

    Parameters
    ----------
    folder : Path
        Holds the tables that the scenario reads.
    data : dict
        The scenario, with its pools.
    desk : Scenario
        Of the history.
    edges : array of float
    parts : sequence of Part
    play : callable
    """

    def __init__(
        self, folder: Path, data: Data, desk: Scenario, edges: Floats, parts: Sequence[Part],
        play: EachOf,
    ) -> None:  # fmt: skip
        self._folder, self._data, self._play = folder, data, play
        self._desk, self._edges, self.parts = desk, edges, tuple(parts)
        self._hours: Floats | None = None
        self._roster = "roster.csv"

    def play(
        self,
        found: Mapping[str, Availability | None],
        replications: Sequence[int],
        until_s: float | None = None,
    ) -> list[Waits]:
        """Waits of replications; None: all agents of a pool's roster are always there."""
        self._write_roster(found)
        pools = {}
        for name, one in found.items():
            pools[name] = self._data["agents"][name] | {"roster": self._roster}
            if one is not None and not one.always:
                pools[name]["away"] = one.away()
        data = self._data | {"agents": pools}
        if until_s is not None:
            data["horizon"] = f"{until_s:.0f}s"
        return self._play(self._folder, data, replications)

    def _write_roster(self, found: Mapping[str, Availability | None]) -> None:
        """Write the roster in a file of another name, where its hours are others."""
        hours = np.array([np.ones(24) if one is None else one.hours for one in found.values()])
        if self._hours is not None and np.array_equal(hours, self._hours):
            return
        text = harmless(rosters(self._desk, self._edges, self.parts, found)).to_csv(index=False)
        (self._folder / self._roster).unlink(missing_ok=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        self._hours, self._roster = hours, f"roster-{len(self.parts)}-{digest[:16]}.csv"
        (self._folder / self._roster).write_text(text, encoding="utf-8")


def fit_parts(
    player: Player, seen: Waits, away: Mapping[str, SeenAway], idle: Sequence[float] = ()
) -> dict[str, CapacityFit]:
    """Availability of the agents of each pool, one pool after the other.

    The waits of what a pool takes are fitted. Pools that come later are taken to be like it until
    their turn comes.
    """
    found: dict[str, CapacityFit] = {}

    def all_pools(one: Availability | None) -> dict[str, Availability | None]:
        return {
            part.name: used(found[part.name]) if part.name in found else one
            for part in player.parts
        }  # fmt: skip

    for part in player.parts:

        def play(
            one: Availability | None, replications: Sequence[int], takes: Sequence[str] = part.takes
        ) -> list[Waits]:
            return [waits.of(takes) for waits in player.play(all_pools(one), replications)]

        found[part.name] = fit_capacity(
            seen.of(part.takes), play, direct=away[part.name], idle=idle
        )
    return found


def together(player: Player, seen: Waits, fits: Mapping[str, CapacityFit]) -> CapacityFit:
    """The fit of all pools: that of the first, with the waits of all customers compared."""
    (first, *others) = fits.values()
    if not others:
        return first
    names = [part.name for part in player.parts]
    found = gap(seen, *player.play({name: used(fits[name]) for name in names}, [0]))
    plain = gap(seen, *player.play(dict.fromkeys(names), [0]))
    plays = int(np.sum([one.plays for one in fits.values()])) + 2
    return CapacityFit(first.availability, found, plain, plays)


def used(fit: CapacityFit) -> Availability | None:
    """Availability of a pool as it is played; None where it fits no better than none."""
    return fit.availability if fit.helps else None


def rosters(
    desk: Scenario, edges: Floats, parts: Sequence[Part], found: Mapping[str, Availability | None]
) -> pd.DataFrame:
    """A roster by date of all pools; with a column pool where there are several."""
    tables = []
    for part in parts:
        one = found[part.name]
        hours = np.ones(24) if one is None else one.hours
        table = roster(desk, edges, part.worked.on_shift().heads(edges), hours)
        tables.append(table if len(parts) == 1 else table.assign(pool=part.name))
    return pd.concat(tables, ignore_index=True)


def roster(desk: Scenario, edges: Floats, heads: Floats, hours: Floats) -> pd.DataFrame:
    """A roster by date: heads between moments, times the factor of their local hour.

    Parameters
    ----------
    desk : Scenario
        Gives the start and the time zone.
    edges : array of float, shape (k + 1,)
        Seconds since the start.
    heads : array of float, shape (k,)
    hours : array of float, shape (24,)
    """
    local_s = clock.local_s(edges, desk.midnight)
    day, second = np.divmod(local_s[:-1], clock.DAY_S)
    length = np.diff(local_s)
    there = np.round(heads * hours[(second // 3600).astype(np.int64)], 2)
    kept = (there >= FEWEST_HEADS) & (length > 0)
    first = desk.start
    return pd.DataFrame({
        "date": [(first + timedelta(days=int(k))).isoformat() for k in day[kept]],
        "start": [_clock(at) for at in second[kept]],
        "end": [_clock((at + more) % clock.DAY_S)
                for at, more in zip(second[kept], length[kept], strict=True)],
        "heads": there[kept],
    })  # fmt: skip


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"
