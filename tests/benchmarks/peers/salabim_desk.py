"""salabim: a component a ticket; a request that fails after its patience is a customer who left."""

from __future__ import annotations

import math
import random
from typing import Any

import pandas as pd
import salabim as sim
from desks import Desk, FourStages, Phone, Spread, columns

# Processes as generators: the faster of both ways, and without another package.
sim.yieldless(False)


class _Arrivals(sim.Component):
    def process(self) -> Any:
        k = 0
        while True:
            yield self.hold(self.env.rng.expovariate(1 / self.env.desk.gap_s))
            _Ticket(k=k)
            k += 1


class _Ticket(sim.Component):
    def setup(self, k: int) -> None:
        self.k = k

    def drawn(self, time: Spread) -> float:
        return float(self.env.rng.lognormvariate(time.mu, time.sigma))

    def process(self) -> Any:
        env, desk = self.env, self.env.desk
        row = [self.k, env.now()]
        reviewed = True
        if isinstance(desk, FourStages):
            for step in (desk.categorize, desk.respond):
                row.append(env.now())
                yield self.request(env.provider)
                row.append(env.now())
                yield self.hold(self.drawn(step))
                self.release(env.provider)
                row.append(env.now())
            reviewed = env.rng.random() < desk.reviewed
        if not reviewed:
            env.rows.append((*row, math.nan, math.nan, math.nan, False))
            return
        row.append(env.now())
        patience = env.rng.expovariate(1 / desk.patience_s)
        yield self.request(env.agents, fail_delay=patience)
        if self.failed():
            env.rows.append((*row, math.nan, env.now(), True))
            return
        row.append(env.now())
        yield self.hold(self.drawn(desk.work))
        env.rows.append((*row, env.now(), False))
        if isinstance(desk, Phone):
            yield self.hold(self.drawn(desk.wrap_up))
        self.release(env.agents)


def play(desk: Desk, horizon_s: float, seed: int) -> dict[str, pd.DataFrame]:
    """A play of either desk."""
    env = sim.Environment(trace=False, time_unit="seconds")
    env.desk, env.rows, env.rng = desk, [], random.Random(seed)
    env.agents = sim.Resource("agents", capacity=desk.agents, monitor=False)
    if isinstance(desk, FourStages):
        env.provider = sim.Resource("provider", capacity=desk.connections, monitor=False)
    _Arrivals()
    env.run(till=horizon_s)
    return {"tickets": pd.DataFrame(env.rows, columns=list(columns(desk)))}
