"""How fast the desk is, how much memory it takes, and what it spends both on.

Not in the suite; all times are process times but for the last test:

    pytest tests/benchmarks -o addopts="" -s

Other work on the machine makes rounds uneven, so what is compared is interleaved in one run and
judged by the median of the ratios of neighbours.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tutorial import Desk

from twin.assistant.backends import build
from twin.assistant.judging.judge import Judge
from twin.assistant.knowledge.knowledge import load_knowledge
from twin.assistant.protocol import Luck, Questions
from twin.demand.tickets import draw
from twin.desk import simulation
from twin.desk.ledger import Ledger
from twin.desk.simulation import simulate
from twin.records.tables import HANDLE
from twin.scenario.calendars import staffing
from twin.scenario.file import load

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / "scenarios" / "baseline.toml"


@pytest.fixture
def say(capsys):
    """Print past pytest's capture: figures are what these tests are for."""

    def line(text):
        with capsys.disabled():
            print(f"\n{text}")

    return line


def baseline(horizon):
    """The baseline at a horizon, and its assistant, warmed up."""
    scenario = load(BASELINE, {"horizon": horizon})
    demand = draw(load(BASELINE, {"horizon": "2d"}))
    assistant = build(scenario, demand.categories, demand.corpus)
    simulate(load(BASELINE, {"horizon": "2d"}), demand, assistant)
    return scenario, assistant


def cpu_s(function):
    begun = time.process_time()
    result = function()
    return time.process_time() - begun, result


def answers_of(scenario, demand, assistant, n=5000):
    """What the assistant says of the first `n` tickets, by step, as rows of plain numbers."""
    tickets = np.arange(min(n, len(demand)))
    luck = Luck.drawn(len(tickets), np.random.default_rng(1))
    judge = Judge(load_knowledge(scenario.assistant.knowledge))

    def ask(step, category):
        questions = Questions(
            step=step,
            categories=demand.categories,
            texts=demand.texts,
            text=demand.text[tickets],
            category=category,
            truth=demand.category[tickets],
            ticket=tickets,
            luck=luck,
        )
        said = assistant.answer(questions)
        rest = (
            (said.category, said.confidence)
            if step == "categorize"
            else (judge.quality(questions, said, demand.articles),)
        )
        columns = (said.latency_s, said.prompt_tokens, said.completion_tokens, *rest)
        return list(zip(*(column.tolist() for column in columns), strict=True))

    first = ask("categorize", None)
    own = np.array([row[3] for row in first])
    return {
        "categorize": first,
        "respond own": ask("respond", own),
        "respond true": ask("respond", demand.category[tickets]),
    }


def shape(tables, n):
    """What a desk does to a ticket: rows of each table."""
    names = ("timeline", "visits", "calls", "ratings")
    return {name: rows_of(tables[name]) / n for name in names}


def rows_of(table):
    """Rows of a frame, or of columns that were never made one."""
    return len(next(iter(table.values()))) if isinstance(table, dict) else len(table)


def interleave(benchmark, ours, other, rounds):
    """Process times of `ours` over `other`, played in turn: median ratio, and that of minima."""
    times = {ours: [], other: []}

    def both():
        for function in (other, ours):
            times[function].append(cpu_s(function)[0])

    benchmark.pedantic(both, rounds=rounds)
    ratios = [ours_s / other_s for ours_s, other_s in zip(*times.values(), strict=True)]
    benchmark.extra_info |= {"ours_s": times[ours], "other_s": times[other]}
    return statistics.median(ratios), min(times[ours]) / min(times[other])


@pytest.mark.parametrize(("engine", "goal"), [("simpy", 4), ("compiled", 20)])
def test_against_a_tutorial(benchmark, say, engine, goal):
    if engine == "compiled":
        pytest.importorskip("numba")
    scenario, assistant = baseline("15w")
    demand = draw(scenario)
    answers = answers_of(scenario, demand, assistant)
    shapes = {"twin": [], "tutorial": []}

    def twin():
        log = simulate(scenario, draw(scenario), assistant, engine)
        # No table is made a frame: the tutorial's are none either.
        shapes["twin"].append(shape(vars(log), len(demand)))

    def tutorial():
        tables = Desk(scenario, demand, answers, seed=len(shapes["tutorial"])).run()
        arrived = tables["timeline"]["ticket"].max() + 1
        shapes["tutorial"].append(shape(tables, arrived))

    ratio, least = (1 / r for r in interleave(benchmark, twin, tutorial, rounds=7))
    benchmark.extra_info |= {"ratio": ratio, "ratio_of_minima": least}
    speed = len(demand) / statistics.median(benchmark.extra_info["ours_s"])
    say(
        f"{engine}: {speed:,.0f} tickets/s, {ratio:.2f} times the tutorial (by minima: {least:.2f})"
    )
    for name in shapes["twin"][0]:
        ours, theirs = (statistics.mean(s[name] for s in seen) for seen in shapes.values())
        benchmark.extra_info[f"{name}_a_ticket"] = (ours, theirs)
        say(f"  rows a ticket in {name}: {ours:.3f} against {theirs:.3f}")
        assert ours == pytest.approx(theirs, rel=0.04), "not the same desk any more"
    assert ratio >= goal


MEMORY = """
    import sys
    from twin.assistant.backends import build
    from twin.demand.tickets import draw
    from twin.desk.simulation import simulate
    from twin.scenario.file import load

    def peak():
        # Not getrusage: its peak is inherited from the process that starts this one.
        for line in open("/proc/self/status"):
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024

    engine = sys.argv[2]
    small = load(sys.argv[1], {"horizon": "1w"})
    demand = draw(small)
    assistant = build(small, demand.categories, demand.corpus)
    simulate(small, demand, assistant, engine)
    before = peak()
    large = load(sys.argv[1], {"horizon": "150w"})
    demand = draw(large)
    log = simulate(large, demand, assistant, engine)
    print(len(demand), (peak() - before) / len(demand))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("engine", "most"), [("simpy", 650), ("compiled", 350)])
def test_bytes_a_ticket(benchmark, say, engine, most):
    """Demand and all tables of a million tickets; a fresh process, since a peak never falls."""

    def play():
        command = [sys.executable, "-c", textwrap.dedent(MEMORY), str(BASELINE), engine]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    tickets, size = benchmark.pedantic(play, rounds=1).split()
    benchmark.extra_info |= {"tickets": int(tickets), "bytes_a_ticket": float(size)}
    say(f"{engine}: {float(size):.0f} bytes a ticket at {int(tickets):,} tickets")
    assert float(size) <= most


def test_cost_a_ticket_is_flat(benchmark, say):
    seen_at = {"11d": [], "15w": [], "150w": []}
    desks = {horizon: baseline(horizon) for horizon in seen_at}

    def play():
        for horizon, (scenario, assistant) in desks.items():
            seconds, log = cpu_s(lambda: simulate(scenario, draw(scenario), assistant))  # noqa: B023
            seen_at[horizon].append((len(log.tickets), seconds / len(log.tickets)))

    benchmark.pedantic(play, rounds=3)
    cost = {}
    for seen in seen_at.values():
        tickets, cost_s = seen[0][0], statistics.median(seconds for _, seconds in seen)
        cost[tickets] = cost_s * 1e6
        say(f"{tickets:>9,} tickets: {cost_s * 1e6:.1f} us a ticket")
    least, _, most = cost.values()
    benchmark.extra_info |= {"us_a_ticket": cost, "ratio": most / least}
    say(f"  a million against ten thousand: {most / least:.2f} times")
    assert most / least <= 1.15


EVENTS = Counter()


class Counting(simulation.Clock):
    """The desk's clock, noting what each event is."""

    def step(self):
        event = self._queue[0][3]
        kind = type(event).__name__.replace("Arrivals", "_arrivals")
        if kind == "Happening":
            # The life that waits for it; the calendar's changes are no life's.
            owner = getattr(event.callbacks[0], "__self__", None)
            kind = owner._life.__name__ if owner else "calendar"
        EVENTS[kind] += 1
        super().step()


def test_events_a_ticket(benchmark, say, monkeypatch):
    """One an arrival, one a call, one a visit, one a return; a few for the calendar."""
    scenario, assistant = baseline("5w")
    monkeypatch.setattr(simulation, "Clock", Counting)
    EVENTS.clear()
    log = benchmark.pedantic(lambda: simulate(scenario, draw(scenario), assistant), rounds=1)
    seen, n = EVENTS, len(log.tickets)
    # What runs at the horizon has no event any more, but a call's row is written at its end only.
    ended = int((log.visits["ended_s"].notna() & log.visits["started_s"].notna()).sum())
    pauses = int((log.calls["attempts"] - 1).sum())
    expected = {
        "_arrivals": n,
        "Attempt": int(log.calls["attempts"].sum()),
        "Visit": ended,
        "life": int(log.tickets["reopens"].sum()) + pauses,
    }
    names = {"_arrivals": "arrival", "Attempt": "call", "Visit": "visit", "life": "return"}
    for kind, count in expected.items():
        say(f"  {names[kind]}: {seen[kind] / n:.3f} a ticket")
        assert abs(seen[kind] - count) <= 5, (kind, seen, expected)
    rest = sum(seen.values()) - sum(seen[kind] for kind in expected)
    steps = [staffing(pool, scenario).times for pool in scenario.agents.values()]
    changes = {t for times in steps for t in times.tolist() if 0 < t < scenario.horizon}
    say(f"  calendar and end: {rest / n:.3f} a ticket; in all {sum(seen.values()) / n:.3f}")
    benchmark.extra_info |= {kind: seen[kind] / n for kind in seen}
    assert rest == len(changes) + 1


class Silent(Ledger):
    """A ledger that keeps what the desk itself reads, writes no row and makes no table."""

    def __init__(self, *given):
        super().__init__(*given)
        self.calls.add = self.calls.pack = self.status = self._nothing

    @staticmethod
    def _nothing(*_):
        pass

    status_at = rated = never_served = handed_over = log = _nothing

    def picked_up(self, ticket, pool, activity, queued_s, ended_s, fresh):
        if fresh and activity == HANDLE:
            self.responded(ticket)
        return -1


def test_cost_of_recording(benchmark, say, monkeypatch):
    scenario, assistant = baseline("5w")

    def play():
        simulate(scenario, draw(scenario), assistant)

    def silent():
        with monkeypatch.context() as patch:
            patch.setattr(simulation, "Ledger", Silent)
            play()

    ratios = interleave(benchmark, silent, play, rounds=15)
    share, least = (1 - ratio for ratio in ratios)
    benchmark.extra_info |= {"share": share, "share_of_minima": least}
    say(f"recording takes {share:.1%} of the simulation (by minima: {least:.1%})")
    assert share <= 0.10


def test_baseline_from_the_shell(benchmark, say, tmp_path):
    """`twin run scenarios/baseline.toml` as a user waits for it: wall time, two workers."""
    command = [sys.executable, "-m", "twin", "run", str(BASELINE), "--workers", "2", "--quiet"]

    def play():
        subprocess.run(
            [*command, "--out", str(tmp_path)], cwd=ROOT, check=True, capture_output=True
        )

    benchmark.pedantic(play, rounds=2)
    say(f"twin run scenarios/baseline.toml: {benchmark.stats.stats.min:.1f} s")
    assert benchmark.stats.stats.min <= 30
