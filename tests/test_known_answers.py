"""The desk against queueing theory, through scenario files.

Waits under heavy load vary so much that a simulated interval sharp enough to see a bias of 3 %
takes millions of tickets. So each case is a chain of three links:

1. On a few replications the desk's starts of service equal those of a textbook recursion on the
   same tickets, to the last bit.
2. There the key figures, as `measure` gives them, equal the recursion's within a thousandth
   (tickets still open at the horizon make the difference).
3. The recursion is cheap, so it plays hundreds of replications: the 99.9 % t interval of their
   means covers the known answer, and it would miss it if every figure were 3 % larger or smaller.

Nothing here is told a rate: tickets and their luck come from `draw` on the scenario file alone.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import theory
from scipy import stats

from twin.demand.luck import Stream
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.desk.work import work_times
from twin.measures.figures import measure
from twin.records.tables import HANDLE
from twin.scenario.file import load
from twin.scenario.model import PRIORITIES

BIAS = 0.03
DESK_REPLICATIONS = 2
CHUNK = 200  # replications side by side: more take memory, fewer take time
NEVER = 1e12  # arrival of tickets that a replication does not have; not inf, to subtract it

COMMON = """
[customers]
survey_rate = 0
solved.agent = 1
"""

MM3 = """
horizon = "100000min"
warm_up = "2000min"
arrivals.rate = "0.2/min"
agents.all = { heads = 3, handle_time = { distribution = "exponential", mean = "10min" } }
"""

CALL_CENTRE = """
horizon = "6000min"
warm_up = "100min"
arrivals.rate = "100/30min"
agents.all = { heads = 14, handle_time = { distribution = "exponential", mean = "3min" } }
targets.first_response.normal = "20s"
"""

PATIENCE = """
patience = { distribution = "exponential", mean = "5min" }
"""

MG1 = """
horizon = "20000min"
warm_up = "5000min"
arrivals.rate = "0.9/min"
agents.all = { heads = 1, handle_time = { distribution = "lognormal", mean = "1min", cv = 2.0 } }
"""

PRIORITY = """
horizon = "25000min"
warm_up = "2000min"
arrivals.rate = "0.8/min"
tickets.priority_mix = { urgent = 0.2, normal = 0.6 }
agents.all = { heads = 1, handle_time = { distribution = "exponential", mean = "1min" } }
"""

TANDEM = """
horizon = "5000h"
warm_up = "100h"
arrivals.rate = "4/h"
agents.all.heads = 1
agents.all.handle_time = { distribution = "exponential", mean = "8.571428571428571min" }
provider = { concurrency = 1, plan = "unlimited", timeout = "30d" }

[assistant]
role = "triage"
backend = "profile"
profile.categorize_latency = { distribution = "exponential", mean = "10min" }
"""


@dataclass
class Plays:
    """Replications side by side: moments of shape (tickets, replications), NaN for no ticket."""

    scenario: object
    demands: list
    arrived: np.ndarray
    work: np.ndarray
    patience: np.ndarray | float
    urgent: np.ndarray
    started: np.ndarray = None
    queued: np.ndarray = None

    def column(self, values, k):
        return values[: len(self.demands[k]), k]

    @property
    def counted(self):
        return (self.arrived < NEVER) & (self.arrived >= self.scenario.warm_up)

    @property
    def left(self):
        return np.where(np.isnan(self.started), self.queued + self.patience, self.started)

    def mean(self, values, among=True):
        values = np.where(self.counted & among, values, np.nan)
        return np.nanmean(values, axis=0)

    def level(self, start, end):
        """Time average, between warm-up and horizon, of how many spans are under way."""
        window = (self.scenario.warm_up, self.scenario.horizon)
        there = (self.arrived < NEVER) & ~np.isnan(self.started)
        spans = np.clip(end, *window) - np.clip(start, *window)
        return np.where(there, spans, 0.0).sum(axis=0) / (window[1] - window[0])


def prepare(scenario, replications):
    demands = [draw(scenario, k) for k in replications]
    pool, patience = scenario.agents["all"], scenario.customers.patience
    shape = (max(map(len, demands)), len(demands))
    arrived, work, impatience = np.full(shape, NEVER), np.zeros(shape), np.full(shape, np.inf)
    urgent = np.zeros(shape, dtype=bool)
    for k, demand in enumerate(demands):
        n = len(demand)
        arrived[:n, k] = demand.arrived_s
        work[:n, k] = work_times(pool, HANDLE, demand.uniform(Stream.HANDLE), demand)
        urgent[:n, k] = demand.priority == PRIORITIES.index("urgent")
        if patience is not None:
            impatience[:n, k] = patience.quantile(demand.uniform(Stream.PATIENCE))
    return Plays(scenario, demands, arrived, work, impatience, urgent)


def first_come(plays):
    heads = plays.scenario.agents["all"].heads
    plays.queued = plays.arrived
    plays.started = theory.fifo_starts(plays.arrived, plays.work, heads, plays.patience)


def by_priority(plays):
    plays.queued = plays.arrived
    plays.started = theory.priority_starts(plays.arrived, plays.work, plays.urgent)


def in_tandem(plays):
    latency = plays.scenario.assistant.profile.categorize_latency
    calls = np.zeros(plays.arrived.shape)
    for k, demand in enumerate(plays.demands):
        calls[: len(demand), k] = latency.quantile(demand.uniform(Stream.CATEGORIZE_LATENCY))
    plays.queued = theory.fifo_starts(plays.arrived, calls, 1) + calls
    plays.started = theory.fifo_starts(plays.queued, plays.work, 1)


# The figures: by the recursion, and by the desk's key figures as (kpi, group).
def wait_share(plays):
    return plays.mean(plays.left > plays.arrived)


def wait_mean(plays):
    return plays.mean(plays.left - plays.arrived)


def within_20s(plays):
    return plays.mean(plays.started - plays.arrived <= 20)


def abandoned(plays):
    return plays.mean(np.isnan(plays.started))


def occupancy(plays):
    busy = plays.level(plays.started, plays.started + plays.work)
    return busy / plays.scenario.agents["all"].heads


def queue(plays):
    return plays.level(plays.queued, plays.started)


def sojourn_urgent(plays):
    return plays.mean(plays.started + plays.work - plays.arrived, plays.urgent)


def sojourn_normal(plays):
    return plays.mean(plays.started + plays.work - plays.arrived, ~plays.urgent)


def with_assistant(plays):
    return plays.level(plays.arrived, plays.queued)


def with_agent(plays):
    return plays.level(plays.queued, plays.started + plays.work)


ERLANG_A = theory.erlang_a(14, arrivals=100 / 30, service=3, patience=5)
KPI = {
    wait_share: lambda kpi: kpi["agent_wait_share", ""],
    wait_mean: lambda kpi: kpi["agent_wait_mean", ""],
    within_20s: lambda kpi: kpi["service_level", ""],
    abandoned: lambda kpi: kpi["abandonment_rate", ""],
    occupancy: lambda kpi: kpi["occupancy", "all"],
    queue: lambda kpi: kpi["queue", ""],
    sojourn_urgent: lambda kpi: kpi["resolution_mean", "urgent"],
    sojourn_normal: lambda kpi: kpi["resolution_mean", "normal"],
    with_agent: lambda kpi: kpi["queue", ""] + kpi["occupancy", "all"],
    with_assistant: lambda kpi: kpi["backlog", ""] - kpi["queue", ""] - kpi["occupancy", "all"],
}
# File, recursion, replications, known answers.
CASES = {
    "M/M/3": (
        MM3 + COMMON,
        first_come,
        400,
        {wait_mean: 60 * theory.erlang_c_wait(3, 2, 10), wait_share: theory.erlang_c(3, 2)},
    ),
    "Erlang C": (
        CALL_CENTRE + COMMON,
        first_come,
        400,
        {
            wait_share: theory.erlang_c(14, 10),
            within_20s: theory.erlang_c_level(14, 10, service=180, within=20),
            occupancy: 10 / 14,
        },
    ),
    "Erlang A": (
        CALL_CENTRE + COMMON + PATIENCE,
        first_come,
        800,
        {
            wait_share: ERLANG_A[0],
            abandoned: ERLANG_A[1],
            occupancy: ERLANG_A[2],
            wait_mean: 60 * ERLANG_A[3],
        },
    ),
    "M/G/1": (MG1 + COMMON, first_come, 3000, {queue: theory.pollaczek_khinchine(0.9, 2)}),
    "priority": (
        PRIORITY + COMMON,
        by_priority,
        400,
        dict(
            zip(
                (sojourn_urgent, sojourn_normal),
                (60 * w for w in theory.priority_sojourns([0.2, 0.6], 1)),
                strict=True,
            )
        ),
    ),
    "tandem": (
        TANDEM + COMMON,
        in_tandem,
        400,
        {with_assistant: theory.mm1_number(4 / 6), with_agent: theory.mm1_number(4 / 7)},
    ),
}


def test_the_closed_forms_give_the_published_figures():
    assert theory.erlang_c_wait(3, 2, 10) == pytest.approx(4.444, abs=5e-4)
    assert theory.erlang_c(14, 10) == pytest.approx(0.1741, abs=5e-5)
    assert theory.erlang_c_level(14, 10, 180, 20) == pytest.approx(0.8884, abs=6e-5)
    assert pytest.approx((0.14526, 0.013984, 0.704297, 0.069919), rel=1e-4) == ERLANG_A
    assert theory.pollaczek_khinchine(0.9, 2) == pytest.approx(20.25)
    assert theory.priority_sojourns([0.2, 0.6], 1) == pytest.approx([2, 6])
    assert theory.mm1_number(4 / 6) == pytest.approx(2)
    assert theory.mm1_number(4 / 7) == pytest.approx(4 / 3)


# Its work times vary so much that it takes a third of the time of all.
LONG = ("M/G/1",)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in CASES]
)
def test_known_answers(name, tmp_path):
    text, recursion, replications, answers = CASES[name]
    path = tmp_path / "desk.toml"
    path.write_text(text)
    scenario = load(path)
    chunks = [
        figures(scenario, recursion, answers, range(first, first + CHUNK))
        for first in range(0, replications, CHUNK)
    ]
    plays = prepare(scenario, range(DESK_REPLICATIONS))
    recursion(plays)
    kpis = [same_starts(scenario, plays, k) for k in range(DESK_REPLICATIONS)]
    for figure, answer in answers.items():
        found = np.concatenate([chunk[figure] for chunk in chunks])
        desk = np.mean([KPI[figure](kpi) for kpi in kpis])
        assert desk == pytest.approx(found[:DESK_REPLICATIONS].mean(), rel=0.001), figure
        half = stats.t.ppf(0.9995, len(found) - 1) * stats.sem(found)
        assert abs(found.mean() - answer) < half, figure
        for biased in (1 + BIAS, 1 - BIAS):
            assert abs(found.mean() * biased - answer) > half * biased, figure


def figures(scenario, recursion, wanted, replications):
    plays = prepare(scenario, replications)
    recursion(plays)
    return {figure: figure(plays) for figure in wanted}


def same_starts(scenario, plays, k):
    """The key figures of the desk's replication k, once its starts equal the recursion's."""
    log = simulate(scenario, plays.demands[k])
    visits = log.visits.sort_values("ticket_id")
    expected = plays.column(plays.started, k)
    queued = plays.column(plays.queued, k)
    expected = np.where(expected < scenario.horizon, expected, np.nan)
    reached = queued < scenario.horizon
    np.testing.assert_array_equal(visits["started_s"], expected[reached])
    return measure(log, scenario).set_index(["kpi", "group"])["value"]
