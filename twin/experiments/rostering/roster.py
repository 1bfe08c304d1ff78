"""A roster: agents needed by interval, a plan of shifts for them, and a verdict on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.experiments.checks import check, check_recording
from twin.experiments.rostering.cover import Covered, Cut
from twin.experiments.rostering.cuts import Cuts
from twin.experiments.rostering.needs import Needs, needs, served
from twin.experiments.rostering.plan import Plan, cover_of, plan_of
from twin.experiments.rostering.points import Sampled
from twin.experiments.rostering.sample import Counted, Player, Progress
from twin.experiments.rostering.start import floor_of, flowing, start
from twin.experiments.rostering.verdict import Verdict, judged, periods
from twin.experiments.rostering.week import Week, check_pool
from twin.scenario.model import Scenario
from twin.stats.limits import MET, MISSED, OPEN

Mask = npt.NDArray[np.bool_]

# Four calls in five within the time promised: the convention of call centres ("80/20"); assumed.
TARGET = 0.8
REPLICATIONS = 10
# Plans that are judged; each by replications of its own, and with its part of the error.
_LOOKS = 4
_ERROR = 0.05
# By so much at least a target of the sample rises where fresh replications do not show it met.
_STEP, _MOST = 0.01, 0.999
# Times half the width of an interval that a first plan is to be above the target.
_LUCKY = 1.5
# Rounds of a search without new cuts, for a target that was raised.
_MORE_ROUNDS = 1


@dataclass(frozen=True)
class Roster:
    """Agents of a pool by interval, and what the simulation says of them.

    Attributes
    ----------
    scenario : Scenario
    pool : str
    week : Week
    needs : Needs
    replications, played : int
        Of each setting; of all.
    plan : Plan or None
        Shifts by `[work_rules]`; None without these, or where none was found.
    sampled : Sampled or None
        The search for it.
    verdict : Verdict or None
        On the plan, by replications that the search has not seen.
    planned : DataFrame or None
        The table of needs, with planned (agents by the plan), and served, low and high by the plan
        in these fresh replications.
    ended : bool
        Whether Ctrl-C ended the search; the plan is then the best by then, mostly not judged.
    """

    scenario: Scenario
    pool: str
    week: Week
    needs: Needs
    replications: int
    played: int
    plan: Plan | None = None
    sampled: Sampled | None = None
    verdict: Verdict | None = None
    planned: pd.DataFrame | None = None
    ended: bool = False

    @property
    def target(self) -> float:
        """Share of the tickets to be answered in time."""
        return self.needs.target

    @property
    def statement(self) -> str:
        """The finding in a sentence."""
        table = self.needs.table
        hours = self.week.length_s / 3600
        short = int((table["served"] < self.target).sum())
        judged = int(table["served"].notna().sum())
        found = (
            f"{self.pool} as it is answers {100 * self.target:.4g} % in time in {judged - short} "
            f"of the {judged} intervals of a week with tickets"
        )
        if not self.needs.met:
            return f"{found}; no number of agents was found with which all do"
        asked, by_erlang, there = (
            f"{table[name].sum() * hours:,.0f}" for name in ("simulated", "scheduled", "agents")
        )
        return (
            f"{found}; for all of them the simulation asks for {asked} agent hours a week, Erlang "
            f"A for {by_erlang}, and {there} are there"
        )

    @property
    def plan_statement(self) -> str:
        """The plan and the verdict on it, in a sentence; empty without [work_rules]."""
        rules = self.scenario.work_rules
        if rules is None:
            return ""
        if self.plan is None or self.sampled is None:
            none = "no plan of shifts was found that keeps [work_rules] and meets the target"
            return f"{none} before the search was ended" if self.ended else none
        unit = "paid hours" if rules.minimise == "hours" else "agents"
        gap = self.gap
        told = (
            f"no plan with fewer {unit} would"
            if gap < 1e-9
            else f"a plan with up to {gap:.1%} fewer {unit} is not ruled out"
        )
        told += ", if each further agent helps no more than the one before"
        early = "the search was ended early; its best plan: " if self.ended else ""
        return early + (
            f"{self.plan.agents} agents on {len(self.plan.shifts)} shifts, "
            f"{self.plan.hours:,.0f} paid hours a week: {self._judged}; {told}"
        )

    @property
    def gap(self) -> float:
        """Share by which a plan may be cheaper at most, in what is to be low first; 0 without one.

        As far as each further agent helps no more than the one before: see `Sampled.bound`.
        """
        if self.plan is None or self.sampled is None:
            return 0.0
        if self.plan.cover.rules.minimise == "hours":
            return self.sampled.gap
        # More agents may be needed to keep the rules on their weeks than the shifts alone tell.
        bound = min(self.sampled.bound, float(self.plan.agents))
        return 1 - bound / self.plan.agents if self.plan.agents else 0.0

    @property
    def _judged(self) -> str:
        """The verdict of fresh replications on the plan, in words."""
        if self.verdict is None:
            return (
                f"it meets the target in the {self.replications} replications of the search, and "
                "was not judged by fresh ones"
            )
        names = self.verdict.table["period"].tolist()
        what = "each day" if len(names) > 1 else "".join(names).replace("week", "the week")
        fresh = f"{self.verdict.replications} fresh replications"
        return {
            MET: f"in {fresh} {what} meets the target",
            MISSED: f"but in {fresh} it misses the target",
            OPEN: f"but {fresh} leave open whether {what} meets the target",
        }[self.verdict.verdict]

    def by_day(self) -> pd.DataFrame:
        """Agents needed in the simulation (on shift): a row a time, a column a day."""
        table = self.needs.table
        cells = [
            f"{row.simulated} ({row.agents:.3g})" if row.simulated or row.agents else ""
            for row in table.itertuples()
        ]
        wide = table.assign(cell=cells).pivot(index="start", columns="day", values="cell")
        wide = wide[list(dict.fromkeys(table["day"]))].fillna("")
        return wide[(wide != "").any(axis=1)].reset_index()


def roster(
    scenario: Scenario,
    pool: str | None = None,
    *,
    target: float = TARGET,
    interval_s: float = 1800.0,
    replications: int = REPLICATIONS,
    rounds: int = 3,
    checks: int = 20,
    workers: int = 1,
    engine: str = "auto",
    progress: Progress | None = None,
) -> Roster:
    """Agents of a pool by interval of the week: on shift, needed by Erlang A, needed in the twin.

    Parameters
    ----------
    scenario : Scenario
        Its targets.first_response say what is promised.
    pool : str, optional
        By default the only one.
    target : float
        Share of the tickets to be answered in time, in each interval.
    interval_s : float
        Length of an interval.
    replications : int
        Played for each setting, the same customers for all.
    rounds : int
        Of the search for a plan of shifts at most, before its first verdict; see `cuts`.
    checks : int
        Fresh replications by which a plan is judged.
    workers, engine, progress
        As for `twin.study`.

    Returns
    -------
    Roster

    Raises
    ------
    ScenarioError
        If the pool cannot be told, or nothing is promised.
    ValueError
        If a parameter is out of range.
    RuntimeError
        If a replication fails.
    KeyboardInterrupt
        On Ctrl-C before the agents needed by interval are known; after that the search for a plan
        ends with what was found.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "20/h"},
    ...     "agents": {"all": {"heads": 2, "handle_time": "5min"}},
    ...     "targets": {"first_response": {"normal": "1min"}}})
    >>> found = roster(desk, interval_s=14400, replications=2)
    >>> found.needs.table["erlang_a"].tolist()[0]
    3
    """
    if not 0 < target < 1 or replications < 2 or checks < 2 or rounds < 1:
        reason = "the target must lie between 0 and 1, replications and checks be 2 or more"
        raise ValueError(f"{reason}, rounds 1 or more")
    check(scenario)
    check_recording(scenario)
    found = check_pool(scenario, pool)
    player = Player(
        Week(scenario, interval_s), found, workers, engine, progress, sample=replications
    )
    rules = scenario.work_rules
    if rules is not None:
        # Before anything is played: whether the rules fit the intervals.
        cover_of(player.week, rules)
    need = needs(player, target, replications)
    without = Roster(scenario, found, player.week, need, replications, player.played)
    return without if rules is None else _planned(without, player, rounds, checks)


def _planned(found: Roster, player: Player, rounds: int, checks: int) -> Roster:
    """With the cheapest plan of shifts that is shown to meet the target, as far as it is found."""
    week, need, rules = found.week, found.needs, found.scenario.work_rules
    assert rules is not None
    slow = max(time_s for time_s, _ in need.within) > week.length_s
    cover, parts = cover_of(week, rules), periods(week, slow)
    shrinkage = found.scenario.agents[found.pool].shrinkage
    floor = floor_of(week, need.load, need.asked, need.target, shrinkage, slow)
    reach = math.ceil(max(time_s for time_s, _ in need.within) / week.length_s)
    numbers = range(found.replications)
    search = Cuts(player, cover, parts, floor, need.asked, numbers, slow, reach)
    search.like = need.simulated
    asked = dict.fromkeys(parts, need.target)
    targets = dict(asked)
    try:
        first = cover.solve(need.simulated)
        starts = [] if first is None else [first]
        if slow:
            starts += _flows(search, need, shrinkage, asked)
        if starts:
            # What just meets a target cannot be shown to: so a little more is looked for at once.
            seen = player.play([search.desk(starts[-1])], numbers)[0]
            margins = _margins(seen, parts, need.target, checks)
            targets = {name: min(_MOST, asked[name] + margins.get(name, 0.0)) for name in parts}
        for look in range(_LOOKS):
            # Cuts are known after the first search; then only plans are tried for higher targets.
            more = rounds if look == 0 else _MORE_ROUNDS
            sampled = search.run(targets, more, starts, asked, cutting=look == 0)
            if sampled.best is None and look == 0:
                # Nothing is that far above the target.
                targets = dict(asked)
                sampled = search.run(targets, _MORE_ROUNDS, starts, asked, cutting=False)
            plan = None if sampled.best is None else plan_of(week, found.pool, cover, sampled.best)
            if plan is None:
                break
            at = found.replications + look * checks
            fresh = player.play([plan.scenario], range(at, at + checks))[0]
            verdict = judged(fresh, parts, need.target, _ERROR / _LOOKS)
            found = replace(
                found,
                plan=plan,
                sampled=sampled,
                verdict=verdict,
                planned=_by_interval(need.table, week, plan, served(fresh, week)),
                played=player.played,
            )
            if verdict.verdict == MET:
                break
            for row in verdict.table.to_dict("records"):
                if row["verdict"] != MET:
                    higher = max(_STEP, need.target - row["low"])
                    targets[row["period"]] = min(
                        _MOST, targets[row["period"]] + (1 + look) * higher
                    )
    except KeyboardInterrupt:
        found = replace(found, ended=True, played=player.played)
        if found.plan is None:
            sampled = search.sampled(asked, asked, 0, "ended")
            best = sampled.best
            plan = None if best is None else plan_of(week, found.pool, cover, best)
            found = replace(found, plan=plan, sampled=sampled)
    return found


def _flows(search: Cuts, need: Needs, shrinkage: float, asked: dict[str, float]) -> list[Covered]:
    """Plans to begin with where work may wait, and what the search should know of it."""
    week, cover = search.player.week, search.cover
    work = need.load / (1 - shrinkage)
    # Whatever waits for when, the share of the work that must be answered takes its time.
    least = need.target * float(work.sum())
    search.always.append(Cut(np.ones(week.size), least, least))
    wait = math.ceil(math.fsum(time_s * share for time_s, share in need.within) / week.length_s)
    found = start(
        lambda times: flowing(cover, week, work, wait, times),
        lambda plan: search.meets(plan, asked),
    )
    if found:
        search.like = found[-1].heads
    return found


def _margins(
    seen: Sequence[Counted], parts: Mapping[str, Mask], target: float, checks: int
) -> dict[str, float]:
    """Half the width of an interval of each period's share by fresh replications, about."""
    table = judged(seen, dict(parts), target, _ERROR / _LOOKS).table
    found = {}
    for row in table.to_dict("records"):
        half = (row["high"] - row["low"]) / 2 * math.sqrt(len(seen) / checks)
        spread = row["served"] * (1 - row["served"])
        # Near the target shares vary more than near 1.
        wider = math.sqrt(target * (1 - target) / spread) if spread > 0 else 1.0
        # The best of many plans on a sample looks better than it is.
        margin = _LUCKY * half * max(1.0, min(wider, 2.0))
        # Few replications leave everything open.
        found[row["period"]] = min(margin, (1 - target) / 2)
    return found


def _by_interval(
    table: pd.DataFrame, week: Week, plan: Plan, bounds: list[tuple[float, float, float]]
) -> pd.DataFrame:
    seen = [bounds[k] for k in range(week.size) if week.seen[k] > 0]
    heads = plan.covered.heads[week.seen > 0]
    low_high = {name: [one[k] for one in seen] for k, name in enumerate(("served", "low", "high"))}
    return table.assign(planned=heads, **low_high)
