"""Settings of one desk on the same customers, for people who wait for the answer.

Whoever moves a number sees figures after a few replications, and better ones after more. All
settings meet the customers of the desk as it is, replication by replication, so the difference is
known sooner than the figures (common random numbers).

These intervals hold for a setting that was chosen before it was played. Who moves until a figure
looks good has chosen it by this very luck: of many settings that are no better one looks so. A
verdict takes customers whom nobody has seen (`afresh`), and the checks of a visit share one error
(`level_of`).
"""

from __future__ import annotations

import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.errors import TwinError
from twin.desk.engines import EngineName, engine_of
from twin.desk.simulation import simulate
from twin.experiments.checks import check, expected_tickets
from twin.experiments.comparison import Comparison, compare
from twin.experiments.replication import models_of
from twin.experiments.rostering.week import Week
from twin.experiments.run import Progress, run
from twin.experiments.shared import Shared
from twin.experiments.versions import as_played, sources_of
from twin.measures import levels
from twin.measures.figures import FIGURES as ALL_FIGURES
from twin.measures.figures import measure
from twin.records.tables import RunLog
from twin.scenario.clock import HOUR_S
from twin.scenario.model import DAYS, Scenario
from twin.stats.differences import differences
from twin.stats.intervals import summarize

Floats = npt.NDArray[np.float64]

# What is shown after a move: how long customers wait, what it takes, and whom the desk loses.
FIGURES = (
    "first_response_median", "first_response_p90", "service_level", "human_response_p90",
    "abandonment_rate", "occupancy", "backlog", "cost_week",
)  # fmt: skip
# Replications after which figures are shown: rough ones first.
ROUNDS = (4, 10, 20)
# After so many seconds no further replication begins; after these, figures are shown as they are.
LIMIT_S, _PATIENCE_S = 10.0, 2.0
# No interval takes fewer.
_LEAST = 2
# Tickets of a replication beyond which it takes too long to wait for: some seconds.
MOST_TICKETS = {"compiled": 200_000, "simpy": 40_000}
BASE, MOVED = "as it is", "as moved"
# Error of all checks of a visit together.
ERROR = 0.05
# Settings of which figures are kept, so that to move back costs nothing.
_KEPT = 64
_HALF_HOUR_S = HOUR_S / 2
# In the order of `_Replication.week`.
_LEVELS = ("agents on shift", "agents busy", "waiting")


class TooMuch(TwinError, ValueError):
    """A setting that takes too long to play while somebody waits."""


@dataclass(frozen=True)
class Answer:
    """Figures of a setting beside those of the desk as it is.

    Attributes
    ----------
    replications : int
        Of each of the two, with the same customers.
    summary : DataFrame
        As `twin.summarize`, of the scenarios "as it is" and "as moved".
    differences : DataFrame or None
        As `twin.stats.differences`, all rows of which hold together; None where nothing was moved.
    week : DataFrame
        A row a half hour of the week that the run sees: day, start, and of the setting, averaged
        over replications: agents on shift, agents busy, waiting (for an agent); waiting before.
    took_s : float
        Time since the question, waiting for others included.
    last : bool
        Whether no better ones follow.
    """

    replications: int
    summary: pd.DataFrame
    differences: pd.DataFrame | None
    week: pd.DataFrame
    took_s: float
    last: bool


@dataclass(frozen=True)
class _Replication:
    kpis: pd.DataFrame
    # Levels by half hour of the week, shape (3, n).
    week: Floats


class SameCustomers:
    """A desk, and settings of it that are played on its customers.

    Several may ask at once, from threads of their own: replications take turns.

    Parameters
    ----------
    base : Scenario
    engine : str
        See `twin.simulate`.

    Raises
    ------
    ScenarioError
        If the desk cannot be played.
    TooMuch
        If somebody would wait too long, or answers cost money: a live model.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> quick = SameCustomers(desk, "simpy")
    >>> [answer.replications for answer in quick.rounds(desk.vary({"agents.all.heads": 2}))]
    [4, 10, 20]
    """

    def __init__(self, base: Scenario, engine: str = "auto") -> None:
        self.base = base
        self.asked = engine
        self._check(base)
        check(base)
        self._shared = Shared("same customers", ROUNDS[-1])
        self._lock = threading.Lock()
        self._played: OrderedDict[str, dict[int, _Replication]] = OrderedDict()

    def engine(self, desk: Scenario) -> EngineName:
        """The engine that plays a setting."""
        return engine_of(desk, self.asked)

    def _check(self, desk: Scenario) -> None:
        if desk.assistant.asks_live:
            raise TooMuch(
                f"{desk.name} asks a live model, which takes time and money: use `twin run`"
            )
        tickets, most = expected_tickets(desk), MOST_TICKETS[self.engine(desk)]
        if tickets > most:
            raise TooMuch(
                f"{desk.name} has about {tickets:,.0f} tickets in a replication, more than the "
                f"{most:,} that one can wait for: play it with `twin run`"
            )

    def rounds(self, desk: Scenario, limit_s: float = LIMIT_S) -> Iterator[Answer]:
        """Figures of a setting, and better ones, until the replications or the time are used up.

        Parameters
        ----------
        desk : Scenario
            The desk, or what `Scenario.vary` made of it.
        limit_s : float
            Seconds after which no further replication begins, but for the first two.

        Raises
        ------
        ScenarioError
            If the setting cannot be played.
        TooMuch
            If it takes too long.
        """
        begun = time.monotonic()
        self._check(desk)
        same = _key(desk) == _key(self.base)
        pair = [self.base] if same else [self.base, desk]
        shown = begun
        for number in range(ROUNDS[-1]):
            for one in pair:
                self._replication(one, number)
            done, now = number + 1, time.monotonic()
            enough = done >= _LEAST
            last = done == ROUNDS[-1] or (enough and now - begun > limit_s)
            if last or done in ROUNDS or (enough and now - shown > _PATIENCE_S):
                shown = now
                yield self._answer(pair, done, now - begun, last)
            if last:
                return

    def _replication(self, desk: Scenario, number: int) -> _Replication:
        with self._lock:
            key = _key(desk)
            played = self._played.pop(key, {})
            self._played[key] = played
            while len(self._played) > _KEPT:
                # The desk as it is stays, whatever is asked for.
                oldest = next(k for k in self._played if k != _key(self.base))
                del self._played[oldest]
            if number not in played:
                played[number] = self._play(desk, number)
            return played[number]

    def _play(self, desk: Scenario, number: int) -> _Replication:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            desk = as_played(desk, number)
            demand = self._shared.demand(desk, number)
            models = models_of(desk, demand, self._shared)
            log = simulate(desk, demand, models, self.engine(desk))
            return _Replication(measure(log, desk, FIGURES), _week(log, desk))

    def _answer(self, pair: Sequence[Scenario], count: int, took_s: float, last: bool) -> Answer:
        names = [BASE, MOVED][: len(pair)]
        played = [[self._replication(one, k) for k in range(count)] for one in pair]
        kpis = pd.concat(
            [one.kpis.assign(scenario=name, replication=k)
             for name, own in zip(names, played, strict=True) for k, one in enumerate(own)],
            ignore_index=True,
        )  # fmt: skip
        kpis = kpis[kpis["group"] == ""]
        found = sources_of(self.base)
        sources = dict.fromkeys(names, found) if found else {}
        compared = None
        if len(pair) > 1:
            rows = [(kpi, "") for kpi in FIGURES]
            sizes = [ALL_FIGURES[kpi].matters for kpi in FIGURES]
            compared = differences(kpis, BASE, rows, matters=sizes, sources=sources)
        week = _table(self.base, played[-1]).assign(
            before=np.mean([one.week[2] for one in played[0]], axis=0)
        )
        week = week[week["agents on shift"].notna()].reset_index(drop=True)
        return Answer(count, summarize(kpis, sources=sources), compared, week, took_s, last)


def _key(desk: Scenario) -> str:
    return desk.model_dump_json(exclude={"name", "question", "replications"})


def _week(log: RunLog, desk: Scenario) -> Floats:
    """Agents on shift, agents busy, and tickets that wait, by half hour of the week.

    Missing where the run, after its warm-up, sees no whole half hour of that name.
    """
    week = Week(desk, _HALF_HOUR_S)
    starts = week.starts_s
    slots, ends = week.slot(starts), starts + _HALF_HOUR_S
    found = np.zeros((len(_LEVELS), week.size))
    stairs = [(2, levels.queue(log))]
    for pool in desk.agents:
        stairs += [(0, levels.on_shift(log, desk, pool)), (1, levels.busy(log, pool))]
    for row, stair in stairs:
        area = stair.integral(ends) - stair.integral(starts)
        found[row] += np.bincount(slots, area, week.size)
    length = week.seen * _HALF_HOUR_S
    mean: Floats = np.divide(found, length, out=np.full(found.shape, np.nan), where=length > 0)
    return mean


def _table(base: Scenario, played: Sequence[_Replication]) -> pd.DataFrame:
    week = Week(base, _HALF_HOUR_S)
    labels = [week.label(slot) for slot in range(week.size)]
    mean = np.mean([one.week for one in played], axis=0)
    columns = {"day": [day for day, _, _ in labels], "start": [start for _, start, _ in labels]}
    assert list(dict.fromkeys(columns["day"])) == list(DAYS)
    return pd.DataFrame(columns | dict(zip(_LEVELS, mean, strict=True)))


def level_of(number: int, error: float = ERROR) -> float:
    """Joint level of a check, so that all checks of a visit together err with at most `error`.

    Checks spend the error as 1/2, 1/6, 1/12, ... of it, however many there will be; each is on
    customers of its own, so it does not matter what the earlier ones have shown.

    Parameters
    ----------
    number : int
        1 is the first check.

    Examples
    --------
    >>> level_of(1), round(level_of(2), 4)
    (0.975, 0.9917)
    """
    if number < 1:
        raise ValueError("checks are counted from 1")
    return 1 - error / (number * (number + 1))


def afresh(
    base: Scenario,
    desk: Scenario,
    number: int,
    luck: int,
    replications: int = ROUNDS[-1],
    engine: str = "auto",
    progress: Progress | None = None,
) -> Comparison:
    """Compare a setting with its desk on customers on whom no setting was chosen.

    Parameters
    ----------
    base, desk : Scenario
        The desk as it is, and what `Scenario.vary` made of it.
    number : int
        Of the check in this visit, from 1 on: see `level_of`.
    luck : int
        Added to the desk's seed; another one for each check, above 0.
    replications : int
    engine : str
    progress : callable, optional
        See `twin.run`.
    """
    if luck < 1:
        raise ValueError("luck must be 1 or more: 0 is what settings were chosen on")
    pair = [base.vary({}, name=BASE), desk.vary({}, name=MOVED)]
    results = run(pair, replications, seed=base.seed + luck, progress=progress, engine=engine)
    return compare(results, BASE, FIGURES, level_of(number))
