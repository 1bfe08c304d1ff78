"""Two models at the same tickets: whether they differ in pass^k, and how many tickets show it.

The test is a t test of tickets' differences. Tickets vary, and so do attempts at a ticket: more
attempts make less of the second only, so that beyond some number only more tickets help.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from twin.stats.passes import Floats, beta_passes, passed_all, spread_between


@dataclass(frozen=True)
class Difference:
    """A difference of two means over the same tickets.

    Attributes
    ----------
    tickets : int
        Those with k attempts or more by both.
    value, low, high : float
        The second less the first, with its interval of 95 %.
    p : float
        Two-sided, of no difference.
    """

    tickets: int
    value: float
    low: float
    high: float
    p: float

    @property
    def differs(self) -> bool:
        """True if the interval keeps off 0."""
        return bool(self.low > 0 or self.high < 0)


def difference(first: npt.ArrayLike, second: npt.ArrayLike, level: float = 0.95) -> Difference:
    """Difference of two means over the same tickets, by a t test of pairs.

    Parameters
    ----------
    first, second : array-like of float, shape (n,)
        As of `twin.stats.passes.passed_all`; NaN leaves a ticket out.

    Examples
    --------
    >>> found = difference([1, 0.5, 0, 1, 0.5, 0], [1, 1, 0.5, 1, 0.5, 0.5])
    >>> found.tickets, round(found.value, 3), round(found.p, 3), found.differs
    (6, 0.25, 0.076, False)
    """
    apart = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    apart = apart[np.isfinite(apart)]
    n = len(apart)
    if n < 2:
        return Difference(n, float(apart[0]) if n else np.nan, -1.0, 1.0, 1.0)
    mean, error = float(apart.mean()), float(apart.std(ddof=1)) / np.sqrt(n)
    if error < 1e-12:
        # All tickets differ alike, mostly not at all: nothing tells how far others would.
        return Difference(n, mean, -1.0, 1.0, 1.0)
    half = float(special.stdtrit(n - 1, (1 + level) / 2)) * error
    p = 2 * float(special.stdtr(n - 1, -abs(mean) / error))
    return Difference(n, mean, mean - half, mean + half, p)


@dataclass(frozen=True)
class Skill:
    """Success of a model at tickets: `mean` is pass^1, `spread` as of `beta_passes`."""

    mean: float
    spread: float

    @classmethod
    def of(cls, successes: npt.ArrayLike, attempts: npt.ArrayLike) -> Skill:
        """Estimate it by pass^1 and pass^2; without second attempts the spread is taken as 1."""
        first = passed_all(successes, attempts, 1)
        if not np.isfinite(first).any():
            return cls(np.nan, 1.0)
        once = float(np.nanmean(first))
        both = passed_all(successes, attempts, 2)
        if not np.isfinite(both).any() or not 0 < once < 1:
            return cls(once, 1.0)
        return cls(once, spread_between(once, float(np.nanmean(both))))

    def variance(self, attempts: int, k: int) -> float:
        """Variance over tickets of `passed_all` of so many attempts."""
        counts = np.arange(attempts + 1)
        if self.spread >= 1 or not 0 < self.mean < 1:
            return self.mean * (1 - self.mean)
        if self.spread <= 1e-6:
            chance = stats.binom.pmf(counts, attempts, self.mean)
        else:
            total = 1 / self.spread - 1
            ends = total * self.mean, total * (1 - self.mean)
            chance = stats.betabinom.pmf(counts, attempts, *ends)
        share = passed_all(counts, attempts, k)
        return float(chance @ share**2 - (chance @ share) ** 2)

    def between(self, k: int) -> float:
        """Variance over tickets of p^k, which no number of attempts makes less."""
        passes = beta_passes(self.mean, self.spread, 2 * k)
        return float(passes[2 * k - 1] - passes[k - 1] ** 2)


def tickets_needed(
    first: Skill,
    second: Skill,
    attempts: Sequence[int] = (1, 2, 4, 8),
    k: int = 1,
    together: float = 0.0,
    difference: float | None = None,
    power: float = 0.8,
    level: float = 0.95,
) -> pd.DataFrame:
    """Tickets on which a t test of pairs finds a difference, by attempts at each.

    Parameters
    ----------
    first, second : Skill
    attempts : sequence of int
        Numbers of attempts to plan for; those below k are left out.
    k : int
        For pass^k.
    together : float
        Correlation of how hard tickets are for both, -1 to 1; 0 plans for the most tickets of
        those that are not opposed.
    difference : float, optional
        Smallest difference that matters; by default that of the two.
    power : float
        Chance of finding it.

    Returns
    -------
    DataFrame
        Columns attempts, tickets, calls (attempts of both models in all).
    """
    apart = difference
    if apart is None:
        passes = [beta_passes(one.mean, one.spread, k)[-1] for one in (first, second)]
        apart = float(passes[1] - passes[0])
    z = float(special.ndtri((1 + level) / 2) + special.ndtri(power))
    common = together * float(np.sqrt(first.between(k) * second.between(k)))
    rows = []
    for n in attempts:
        if n < k:
            continue
        variance = first.variance(n, k) + second.variance(n, k) - 2 * common
        # Of a t test there are a few more than of a z test (Guenther 1981).
        needed = np.inf if apart == 0 else z * z * max(variance, 0.0) / apart**2 + z * z / 4
        rows.append((n, np.ceil(needed), np.ceil(needed) * n * 2))
    return pd.DataFrame(rows, columns=["attempts", "tickets", "calls"])


def together_at(first: Floats, second: Floats, one: Skill, other: Skill, k: int) -> float:
    """Correlation over tickets of how hard they are for both, of `passed_all` of each."""
    known = np.isfinite(first) & np.isfinite(second)
    most = float(np.sqrt(one.between(k) * other.between(k)))
    if known.sum() < 3 or most < 1e-9:
        return 0.0
    return float(np.clip(np.cov(first[known], second[known])[0, 1] / most, -1.0, 1.0))
