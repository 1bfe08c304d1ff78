"""A desk with known answers, of which `twin.experiments.validate` plays many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twin.scenario.model import Scenario, from_data


@dataclass(frozen=True)
class Case:
    """A desk with known answers.

    Attributes
    ----------
    name : str
    source : str
        Whose formula it is.
    data : dict
        The scenario.
    answers : dict
        Known values by (kpi, group).
    """

    name: str
    source: str
    data: dict[str, Any]
    answers: dict[tuple[str, str], float]

    def scenario(self, seed: int) -> Scenario:
        """The scenario of the case, with a seed of its own: all cases must not share their luck."""
        return from_data({**self.data, "seed": seed})


def exponential(mean: str) -> dict[str, str]:
    """An exponential distribution of times, as plain data."""
    return {"distribution": "exponential", "mean": mean}


def desk(name: str, heads: float, handle: Any, **more: Any) -> dict[str, Any]:
    """A desk of one pool, as plain data: every answer solves, and nobody is asked to rate."""
    pool = {"heads": heads, "handle_time": handle, **more.pop("pool", {})}
    return {
        "name": name,
        "agents": {"all": pool},
        # Once resolved for good: whoever came back would be a second arrival.
        "customers": {"survey_rate": 0.0, "solved": {"agent": 1.0}, **more.pop("customers", {})},
        **more,
    }
