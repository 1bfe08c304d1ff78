"""Patience of customers, from those who gave up and those who were served before they did.

A customer who was served after two minutes had patience for two minutes at least: the wait is
censored. Left out, patience would look far too short.

Where waits are told in whole minutes, each stands for its interval (`twin.history.told`). Those who
gave up within the first minute count, though they are told to have waited 0: left out, patience
would look too long.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, hypot, inf, log, sqrt
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from twin.history.fit.estimate import Estimate
from twin.history.told import Told

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# With fewer who gave up, a group is taken together with all others.
FEWEST_GAVE_UP = 30
# Rise of the log-likelihood from which a second parameter is worth it: far beyond chance (2 is the
# 95 % point), as the twin's waits hardly change with the shape.
_WORTH = 10.0
_EXACT = Told()


@dataclass(frozen=True)
class PatienceFit:
    """Patience of a group of customers.

    Attributes
    ----------
    mean_s : float
        Infinite where nobody gave up.
    cv : float
        1: exponential.
    estimate : Estimate
    """

    mean_s: float
    cv: float
    estimate: Estimate

    def as_data(self) -> dict[str, object]:
        """The distribution as a scenario file has it."""
        if self.cv == 1.0:
            return {"distribution": "exponential", "mean": f"{self.mean_s:.6g}s"}
        mean = f"{self.mean_s:.6g}s"
        return {"distribution": "weibull", "mean": mean, "cv": round(self.cv, 4)}


def waits(
    visits: pd.DataFrame, horizon_s: float, told: Told = _EXACT
) -> tuple[Floats, Floats, Mask]:
    """Waits for an agent: when they began and how long they were (seconds), and who gave up.

    Those who did not wait say nothing of patience, and those who were turned away never had a
    chance to: both are left out. Who still waits at the end has waited until then. In whole minutes
    it is not known who did not wait.
    """
    queued = visits[visits["queued_s"].notna() & ~visits["end"].isin(["blocked", "balked"])]
    gave_up = (queued["end"] == "abandoned").to_numpy()
    until = queued["started_s"].fillna(queued["ended_s"]).fillna(horizon_s)
    wait_s = (until - queued["queued_s"]).to_numpy(dtype=np.float64)
    kept = (wait_s > 0) | (told.unit_s > 0)
    at_s = queued["queued_s"].to_numpy(dtype=np.float64)
    return at_s[kept], wait_s[kept], gave_up[kept]


def fit_patience(
    wait_s: Floats, gave_up: Mask, key: str = "customers.patience", told: Told = _EXACT
) -> PatienceFit:
    """Fit patience to waits, an exponential or, where it fits far better, a Weibull distribution.

    The mean of the exponential is all the waiting over those who gave up, its interval that of a
    Poisson count (Garwood 1936). That of a Weibull mean rests on the information of scale and shape
    together: most of the mean lies beyond the waits that were seen. Whole minutes tell no shape,
    and make all the waiting less exact: what is cut off a wait t at both ends has a variance of the
    unit times t, at most.

    Parameters
    ----------
    wait_s : array of float, shape (n,)
    gave_up : array of bool, shape (n,)
        False: served, or still waiting, after that time.
    key : str
        Where it goes.
    told : Told
        How exactly waits are told.
    """
    events, total = int(gave_up.sum()), told.exposed_s(wait_s, gave_up)
    if not events:
        return PatienceFit(inf, 1.0, Estimate(key, inf, "s", n=0, method="nobody gave up"))
    low = total / (stats.chi2.ppf(0.975, 2 * events + 2) / 2)
    high = total / (stats.chi2.ppf(0.025, 2 * events) / 2)
    mean, method = total / events, "gave up; censored, exponential"
    if told.unit_s:
        cut = 1.96 * sqrt(told.unit_s / total) if total else inf
        low = mean * exp(-hypot(log(mean / low), cut)) if total else 0.0
        high = mean * exp(hypot(log(high / mean), cut)) if total else inf
        method = f"gave up; {told.in_words}; censored, exponential"
    said = Estimate(key, mean, "s", low, high, events, method)
    found = PatienceFit(mean, 1.0, said)
    if events < FEWEST_GAVE_UP or told.unit_s:
        return found
    censored = stats.CensoredData(uncensored=wait_s[gave_up], right=wait_s[~gave_up])
    shape, _, scale = stats.weibull_min.fit(censored, floc=0)
    likelihood = events * (np.log(events / total) - 1)
    hazard = np.log(shape / scale) + (shape - 1) * np.log(wait_s[gave_up] / scale)
    gain = hazard.sum() - ((wait_s / scale) ** shape).sum() - likelihood
    if gain < _WORTH:
        return found
    mean, variance = (float(value) for value in stats.weibull_min.stats(shape, scale=scale))
    half = 1.96 * _error_of_mean(shape, scale, wait_s, gave_up)
    said = Estimate(
        key, mean, "s", mean * np.exp(-half), mean * np.exp(half), events,
        f"gave up; censored, Weibull with cv {sqrt(variance) / mean:.3g}",
    )  # fmt: skip
    return PatienceFit(mean, sqrt(variance) / mean, said)


def _error_of_mean(shape: float, scale: float, wait_s: Floats, gave_up: Mask) -> float:
    """Standard error of the logarithm of a Weibull mean, from the observed information."""
    z = shape * np.log(np.maximum(wait_s, 1e-9) / scale)
    hazard = np.exp(z)
    # Of the logarithms of scale and shape, where the likelihood is highest.
    both = -shape * float((z * hazard).sum())
    of_shape = float(((z + z**2) * hazard).sum() - z[gave_up].sum())
    information = np.array([[shape**2 * float(hazard.sum()), both], [both, of_shape]])
    slope = np.array([1.0, -float(special.digamma(1 + 1 / shape)) / shape])
    return sqrt(float(slope @ np.linalg.solve(information, slope)))
