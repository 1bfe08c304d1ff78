"""Search: the cheapest setting of a study's factors that meets its targets.

Small spaces are played in full; larger ones are searched by differential evolution (scipy; Storn
and Price 1997), with every setting played on the same replications (common random numbers).

The search only says where to look. On replications that it has not seen, since a setting that is
picked for its good figures also had luck, settings are then judged by their intervals, and played
again while these are open: see `twin.stats.feasibility`. The search's own replications tell one
thing more, with an error that allows for this luck: which settings cost more than one that meets
the targets, and need not be judged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, inf, prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import differential_evolution

from twin.common.errors import Fault, ScenarioError
from twin.experiments.checks import check, check_recording
from twin.experiments.studies.conclusion import results_of
from twin.experiments.studies.design import Level, at_share, levels_of
from twin.experiments.studies.file import Plan, Range, limit_of, read_study
from twin.experiments.studies.findings import SearchResults, save_search
from twin.experiments.studies.store import Progress, StudyStore
from twin.experiments.studies.study import store_for
from twin.experiments.versions import sources_of
from twin.measures.figures import figure_of
from twin.scenario.calendars import staffing
from twin.scenario.model import Scenario, Target
from twin.stats.feasibility import Cheapest, cheapest
from twin.stats.intervals import ratio_interval

# Up to this many settings are all played.
SMALL_SPACE = 64
_GENERATIONS = 200
# A setting that misses a target costs more than any that does not.
_MISS = 1e15

Setting = tuple[float, ...]
Figures = dict[str, float]


def search(
    source: str | Path | Mapping[str, Any],
    replications: int | None = None,
    *,
    checks: int = 10,
    budget: int = 2000,
    points: int = 200,
    confidence: float = 0.95,
    workers: int = 1,
    out: str | Path | None = None,
    cluster: str | None = None,
    engine: str = "auto",
    progress: Progress | None = None,
) -> SearchResults:
    """Find the cheapest setting that meets the targets.

    With probability `confidence` two things hold together. The setting that is returned meets every
    target. And of all settings that were played in the search, the cheapest that meets every target
    is the one returned, or is named as a near miss with what it would take to tell. That is so as
    far as intervals from replications hold what they promise; of settings that a search of a large
    space did not play, nothing is promised.

    So no setting is dropped for its luck in a few replications: it is dropped when its interval is
    outside a target, or shows that it costs more than another that meets them.

    Parameters
    ----------
    source : path or mapping
        A study with `minimise` and `targets`, see `studies.file.StudyFile`; its design
        does not apply.
    replications : int, optional
        Of each setting in the search, instead of the study's own.
    checks : int
        Fresh replications of a setting before it is judged; one that stays open gets twice as many,
        and so on. The cheapest come first.
    budget : int
        Most fresh replications in all.
    points : int
        Most settings played in the search.
    confidence : float
        Of the whole answer; Bonferroni over settings, targets and looks, see
        `twin.stats.feasibility`.
    workers, out, cluster, engine, progress
        As for `twin.study`; `progress` is told the settings played and the most there can be.

    Returns
    -------
    SearchResults

    Raises
    ------
    ScenarioError
        If there are no targets, several scenarios, or a setting is no valid scenario.
    ValueError
        If there are to be no replications or points, or fewer than two checks.
    RuntimeError
        If a replication fails.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> plan = {"scenario": desk, "factors": {"agents.all.heads": [1, 2]},
    ...         "minimise": "occupancy", "targets": {"agent_wait_mean": {"at_most": 60.0}}}
    >>> found = twin.search(plan, replications=2, checks=3)
    >>> found.scenario.agents["all"].heads
    2
    """
    if (replications is not None and replications < 1) or points < 1 or checks < 2:
        raise ValueError("replications and points must be 1 or more, checks 2 or more")
    plan = read_study(source)
    file = plan.file
    if not file.targets:
        reason = 'needs what must be reached, as "service_level" = { at_least = 0.9 }'
        raise ScenarioError(file.name, [Fault("targets", reason)])
    if len(plan.bases) != 1 or not file.factors:
        reason = "a search varies factors of one scenario"
        raise ScenarioError(file.name, [Fault("factors", reason)])
    unseen = [name for name in file.factors if _never_on_duty(name, plan.bases[0])]
    if unseen:
        # Such heads change no figure of the run: none at all would seem best.
        reason = "this shift lies wholly outside the run, so its heads would change nothing"
        hint = "choose a horizon that holds the days of all shifts that are varied, as 7d"
        raise ScenarioError(
            file.name, [Fault(f"factors.{name}", reason, hint=hint) for name in unseen]
        )
    asked = (file.minimise, *file.targets)
    with store_for(plan, out, workers, cluster, engine, asked, again=True) as store:
        found = SearchInProgress(
            plan, store, replications or plan.bases[0].replications, points, progress
        )
        method = found.run()
        judged = found.judge(checks, budget, confidence)
        results = results_of(
            plan,
            store,
            [found.shown(setting) for setting in found.seen],
            found.scenarios,
            found.table(),
            judged,
            found.replications,
            confidence,
            method,
        )
    return results if out is None else save_search(results, Path(out))


def _never_on_duty(key: str, base: Scenario) -> bool:
    """True where a key is the heads of a shift that lies wholly outside the run."""
    parts = key.split(".")
    if len(parts) != 5 or (parts[0], parts[2], parts[4]) != ("agents", "shifts", "heads"):
        return False
    end = np.array([base.horizon])
    worked = [
        staffing(one.agents[parts[1]], one).integral(end)[0]
        for one in (base.vary({key: heads}) for heads in (1000, 1001))
    ]
    return bool(worked[0] == worked[1])


@dataclass
class SearchInProgress:
    """Settings played so far, with their scenarios in the same order.

    A setting is a number a factor (a level's, or a value).
    """

    plan: Plan
    store: StudyStore
    replications: int
    points: int
    progress: Progress | None
    seen: dict[Setting, Figures] = field(default_factory=dict)
    scenarios: list[Scenario] = field(default_factory=list)
    # The last one, beside which the next one is checked.
    checked: Scenario | None = field(default=None, init=False)
    levels: dict[str, list[Level] | None] = field(init=False)

    def __post_init__(self) -> None:
        self.levels = {
            name: None
            if isinstance(factor, Range) and not factor.whole
            else levels_of(self.plan, name)
            for name, factor in self.plan.file.factors.items()
        }

    @property
    def size(self) -> float:
        """Settings in the space."""
        return prod(inf if levels is None else len(levels) for levels in self.levels.values())

    def run(self) -> str:
        """Play all settings, or those that the optimiser asks for; returns which, in words."""
        if self.size <= min(SMALL_SPACE, self.points):
            grids = np.meshgrid(*[np.arange(len(v or ())) for v in self.levels.values()])
            self.look(np.stack([grid.ravel() for grid in grids], axis=1).astype(float))
            return f"all {len(self.seen)} settings were played"
        width = len(self.levels)
        differential_evolution(
            lambda x: self.costs(x.T),
            [(0.0, 1.0) if v is None else (0.0, len(v) - 1.0) for v in self.levels.values()],
            integrality=[v is not None for v in self.levels.values()],
            popsize=ceil(16 / width),
            maxiter=_GENERATIONS,
            tol=0.0,
            polish=False,
            vectorized=True,
            updating="deferred",
            rng=np.random.default_rng(self.plan.bases[0].seed),
            # A quarter is left for the neighbours of the best.
            callback=lambda intermediate_result: len(self.seen) >= 0.75 * self.points,
        )
        self.refine()
        space = "a continuous space" if self.size == inf else f"{self.size:,.0f} settings"
        return (
            "differential evolution, then the neighbours of its best: "
            f"{len(self.seen)} of {space} played"
        )

    def refine(self) -> None:
        """Look at the neighbours of the best, one step in one factor, until none is better."""
        best: list[Setting] = []
        while self.best()[:1] != best and len(self.seen) < self.points:
            best = self.best()[:1]
            around = []
            for k, levels in enumerate(self.levels.values()):
                for step in (-1, 1) if best and levels is not None else ():
                    near = best[0][k] + step
                    if 0 <= near < len(levels or ()):
                        around.append([*best[0][:k], near, *best[0][k + 1 :]])
            self.look(np.array(around).reshape(-1, len(self.levels)))

    def costs(self, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Costs of settings by row; those that miss a target come after all that do not."""
        settings = self.look(x)
        return np.array([self.rank(setting) for setting in settings])

    def look(self, x: npt.NDArray[np.float64]) -> list[Setting]:
        """Play settings by row that were not played yet, as far as `points` goes."""
        settings = [tuple(round(float(v), 4) for v in row) for row in x]
        new = [s for s in dict.fromkeys(settings) if s not in self.seen]
        new = new[: max(self.points - len(self.seen), 0)]
        made = {setting: self.scenario(setting) for setting in new}
        self.store.play((one, k) for one in made.values() for k in range(self.replications))
        for setting, one in made.items():
            self.seen[setting] = {
                name: ratio_interval(*np.transpose(pairs))[0]
                for name, pairs in self.pairs(one, range(self.replications)).items()
            }
            self.scenarios.append(one)
        if self.progress is not None:
            self.progress(len(self.seen), int(min(self.size, self.points)))
        return settings

    def pairs(self, one: Scenario, numbers: range) -> dict[str, list[tuple[float, float]]]:
        """Numerators and denominators of cost and targets, by replication."""
        names = dict.fromkeys([self.plan.file.minimise, *self.plan.file.targets])
        return {name: self.store.values(one, figure_of(name), numbers) for name in names}

    def met(self, setting: Setting) -> bool:
        """True if a setting met the targets in the search."""
        return self.rank(setting) < _MISS

    def rank(self, setting: Setting) -> float:
        """Number that the optimiser compares: the cost, or how badly targets are missed."""
        figures = self.seen.get(setting)
        if figures is None:
            return inf
        missed = math.fsum(_missed(figures[n], t) for n, t in self.plan.file.targets.items())
        cost = figures[self.plan.file.minimise]
        return _MISS * (1 + missed) if missed or np.isnan(cost) else cost

    def shown(self, setting: Setting) -> dict[str, Any]:
        """Levels of the factors."""
        return {name: level[0] for name, level in self._chosen(setting).items()}

    def scenario(self, setting: Setting) -> Scenario:
        """The scenario of a setting."""
        changes: dict[str, Any] = {}
        for level in self._chosen(setting).values():
            changes |= level[1]
        base = self.plan.bases[0]
        scenario = base.vary(changes, name=base.name)
        check(scenario, beside=self.checked)
        check_recording(scenario)
        self.checked = scenario
        return scenario

    def _chosen(self, setting: Setting) -> dict[str, Level]:
        chosen: dict[str, Level] = {}
        for value, (name, levels) in zip(setting, self.levels.items(), strict=True):
            factor = self.plan.file.factors[name]
            if levels is not None:
                chosen[name] = levels[round(value)]
            elif isinstance(factor, Range):
                given = at_share(factor, value)
                chosen[name] = (given, {name: given})
        return chosen

    def best(self) -> list[Setting]:
        """The settings that met the targets in the search, cheapest first."""
        good = [setting for setting in self.seen if self.met(setting)]
        return sorted(good, key=self.rank)

    def table(self) -> pd.DataFrame:
        """A row a setting: its levels, figures, and whether they met the targets."""
        return pd.DataFrame([
            self.shown(setting) | figures | {"met": self.met(setting)}
            for setting, figures in self.seen.items()
        ])  # fmt: skip

    def judge(self, checks: int, budget: int, confidence: float) -> Cheapest:
        """Judge what was played, by replications that the search has not seen."""
        file, made = self.plan.file, self.scenarios
        limits = [limit_of(name, target) for name, target in file.targets.items()]

        def sample(settings: Sequence[int], begin: int, end: int) -> list[npt.NDArray[np.float64]]:
            few = [made[k] for k in settings]
            numbers = range(self.replications + begin, self.replications + end)
            self.store.play((one, k) for one in few for k in numbers)
            return [
                np.array([self.store.values(one, figure_of(name), numbers)
                          for name in (file.minimise, *file.targets)]).transpose(2, 0, 1)
                for one in few
            ]  # fmt: skip

        cost, early = figure_of(file.minimise), range(self.replications)
        return cheapest(
            sample,
            [np.transpose(self.store.values(one, cost, early)) for one in made],
            [self.rank(setting) for setting in self.seen],
            limits,
            confidence,
            first=checks,
            budget=budget,
            sources=sources_of(self.plan.bases[0]),
        )


def _missed(value: float, target: Target) -> float:
    """By how much a target is missed, relative to it; 0 if it is met, missing values miss it."""
    if np.isnan(value):
        return 1e6
    missed = value - target.limit if target.upper else target.limit - value
    return max(0.0, missed) / max(abs(target.limit), 1e-9)
