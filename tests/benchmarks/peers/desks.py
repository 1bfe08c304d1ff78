"""Both desks in numbers, and what a play of either is judged by."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """A lognormal time: its mean in seconds and its coefficient of variation."""

    mean: float
    cv: float

    @property
    def sigma(self) -> float:
        """Standard deviation of its logarithm."""
        return math.sqrt(math.log1p(self.cv**2))

    @property
    def mu(self) -> float:
        """Mean of its logarithm."""
        return math.log(self.mean) - self.sigma**2 / 2


@dataclass(frozen=True)
class FourStages:
    """Receive, categorize, respond, update the status; some answers are reviewed by an agent.

    Both steps of the model share the connections of one provider. A customer who waits for a
    review leaves when patience ends.
    """

    gap_s: float = 6.0
    connections: int = 4
    categorize: Spread = Spread(4.0, 0.5)
    respond: Spread = Spread(10.0, 0.5)
    reviewed: float = 0.3
    agents: int = 10
    work: Spread = Spread(210.0, 0.8)
    patience_s: float = 1200.0


@dataclass(frozen=True)
class Phone:
    """Callers wait in one line for an agent, who writes notes after each call."""

    gap_s: float = 30.0
    agents: int = 9
    work: Spread = Spread(210.0, 0.9)
    wrap_up: Spread = Spread(60.0, 0.7)
    patience_s: float = 240.0


Desk = FourStages | Phone


@dataclass(frozen=True)
class Seen:
    """A play in figures that every engine must agree on."""

    tickets: int
    left: float
    wait_s: float
    call_wait_s: float


# Plays a desk until a time in seconds, by a seed: tables with all times of all tickets.
Play = Callable[[Desk, float, int], dict[str, pd.DataFrame]]

# One table a ticket, of the engines whose tables are a matter of the model.
CALLS = ("categorize_asked", "categorize_started", "categorize_ended",
         "respond_asked", "respond_started", "respond_ended")  # fmt: skip
VISIT = ("queued", "started", "ended", "left")


def columns(desk: Desk) -> tuple[str, ...]:
    """Columns of the table of tickets: times in seconds, missing where nothing came of it."""
    calls = CALLS if isinstance(desk, FourStages) else ()
    return ("ticket", "arrived", *calls, *VISIT)


def seen(tickets: pd.DataFrame) -> Seen:
    """Figures of a table of tickets."""
    queued = tickets["queued"].to_numpy()
    started = tickets["started"].to_numpy()
    calls = [
        tickets[f"{step}_started"] - tickets[f"{step}_asked"]
        for step in ("categorize", "respond")
        if f"{step}_asked" in tickets
    ]
    done = ~np.isnan(queued) & (~np.isnan(started) | (tickets["left"].to_numpy() > 0))
    return Seen(
        len(tickets),
        float(tickets["left"].to_numpy()[done].mean()),
        float(np.nanmean(started - queued)),
        float(np.mean([wait.mean() for wait in calls])) if calls else 0.0,
    )
