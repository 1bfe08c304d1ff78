"""Ciw: a network of two nodes; both steps of the model are visits to the provider's node."""

from __future__ import annotations

from typing import Any

import ciw
import pandas as pd
from desks import Desk, FourStages, Phone, Seen, Spread

PROVIDER, AGENTS = 1, 2


def _time(time: Spread) -> Any:
    return ciw.dists.Lognormal(time.mu, time.sigma)


class _Step(ciw.dists.Distribution):
    """Time of a call: the first visit categorizes, the second responds."""

    def __init__(self, desk: FourStages) -> None:
        self.steps = [_time(desk.categorize), _time(desk.respond)]

    def sample(self, t: float | None = None, ind: Any = None) -> float:
        return float(self.steps[len(ind.data_records)].sample(t, ind))


def _stages(desk: FourStages) -> Any:
    def route(ind: Any, simulation: Any) -> list[int]:
        reviewed = ciw.rng.random() < desk.reviewed
        return [PROVIDER, AGENTS] if reviewed else [PROVIDER]

    return ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(1 / desk.gap_s), None],
        service_distributions=[_Step(desk), _time(desk.work)],
        number_of_servers=[desk.connections, desk.agents],
        routing=ciw.routing.ProcessBased(route),
        reneging_time_distributions=[None, ciw.dists.Exponential(1 / desk.patience_s)],
    )


def _phone(desk: Phone) -> Any:
    """Talk and notes are one service here: the end of the talk is not recorded."""
    return ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(1 / desk.gap_s)],
        service_distributions=[_time(desk.work) + _time(desk.wrap_up)],
        number_of_servers=[desk.agents],
        routing=[[0.0]],
        reneging_time_distributions=[ciw.dists.Exponential(1 / desk.patience_s)],
    )


def play(desk: Desk, horizon_s: float, seed: int) -> dict[str, pd.DataFrame]:
    """A play of either desk: one table, a row a visit to a node."""
    ciw.seed(seed)
    network = _stages(desk) if isinstance(desk, FourStages) else _phone(desk)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_time(horizon_s)
    return {"records": pd.DataFrame(simulation.get_all_records())}


def seen(desk: Desk, tables: dict[str, pd.DataFrame]) -> Seen:
    """Figures of Ciw's records."""
    records = tables["records"]
    agents = AGENTS if isinstance(desk, FourStages) else 1
    visits = records[records["node"] == agents]
    served = visits["record_type"] == "service"
    calls = records.loc[records["node"] != agents, "waiting_time"]
    return Seen(
        records["id_number"].nunique(),
        float(1 - served.mean()),
        float(visits.loc[served, "waiting_time"].mean()),
        float(calls.mean()) if len(calls) else 0.0,
    )
