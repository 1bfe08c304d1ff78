"""Plain SimPy: a process a ticket, `with resource.request()`, a draw at a time."""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any

import pandas as pd
import simpy
from desks import Desk, FourStages, Phone, Spread, columns

NAN = float("nan")
Process = Generator[simpy.Event, Any, Any]


def play(desk: Desk, horizon_s: float, seed: int) -> dict[str, pd.DataFrame]:
    """A play of either desk."""
    env = simpy.Environment()
    rng = random.Random(seed)
    rows: list[tuple[float, ...]] = []
    agents = simpy.Resource(env, desk.agents)
    provider = simpy.Resource(env, desk.connections) if isinstance(desk, FourStages) else None

    def drawn(time: Spread) -> float:
        return rng.lognormvariate(time.mu, time.sigma)

    def call(time: Spread) -> Process:
        assert provider is not None
        asked = env.now
        with provider.request() as connection:
            yield connection
            started = env.now
            yield env.timeout(drawn(time))
        return asked, started, env.now

    def visit(work: Spread) -> Process:
        queued = env.now
        with agents.request() as agent:
            seen = yield agent | env.timeout(rng.expovariate(1 / desk.patience_s))
            if agent not in seen:
                return queued, NAN, env.now, True
            started = env.now
            yield env.timeout(drawn(work))
            ended = env.now
            if isinstance(desk, Phone):
                yield env.timeout(drawn(desk.wrap_up))
        return queued, started, ended, False

    def ticket(k: int) -> Process:
        arrived = env.now
        calls: tuple[float, ...] = ()
        reviewed = True
        if isinstance(desk, FourStages):
            first = yield from call(desk.categorize)
            second = yield from call(desk.respond)
            calls = (*first, *second)
            reviewed = rng.random() < desk.reviewed
        by_agent = (NAN, NAN, NAN, False)
        if reviewed:
            by_agent = yield from visit(desk.work)
        rows.append((k, arrived, *calls, *by_agent))

    def arrivals() -> Process:
        k = 0
        while True:
            yield env.timeout(rng.expovariate(1 / desk.gap_s))
            env.process(ticket(k))
            k += 1

    env.process(arrivals())
    env.run(until=horizon_s)
    return {"tickets": pd.DataFrame(rows, columns=list(columns(desk)))}
