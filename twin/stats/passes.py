"""Success at each of k attempts at a ticket (pass^k), where some tickets are hard for all of them.

An assistant that is right in 60 % of attempts is right four times in a row in 13 % of tickets only
if each attempt is an independent coin. Where tickets differ, chances p of tickets have a
distribution, and pass^k is the mean of p^k (Yao et al. 2024, tau-bench, arXiv 2406.12045). Here p
is beta distributed, so that the number of successes of a ticket is beta-binomial: its `mean` is
pass^1, its `spread` the correlation between two attempts at a ticket, 0 for coins and 1 for tickets
that are solved always or never.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from twin.stats.shares import wilson

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def beta_passes(mean: float, spread: float, most: int) -> Floats:
    """pass^1 to pass^most of beta-binomial tickets.

    Examples
    --------
    >>> beta_passes(0.604, 0.0, 4).round(3).tolist()
    [0.604, 0.365, 0.22, 0.133]
    >>> beta_passes(0.6, 1.0, 3).round(3).tolist()
    [0.6, 0.6, 0.6]
    """
    before = np.arange(most)
    # Of tickets with successes so far, the share that has one more.
    total = 1 - spread + spread * before
    shares = np.where(before == 0, mean, 1.0)
    some = total > 0
    shares[some] = (mean * (1 - spread) + spread * before[some]) / total[some]
    return np.asarray(np.cumprod(shares), dtype=np.float64)


def fit_passes(passes: Sequence[float]) -> tuple[float, float]:
    """Mean and spread that come nearest to published pass^1, pass^2, ..., by the largest error.

    Returns
    -------
    mean, spread : float
    """
    told = np.asarray(passes, dtype=float)

    def worst(at: Floats) -> float:
        mean, spread = special.expit(at)
        return float(np.abs(beta_passes(mean, spread, len(told)) - told).max())

    start = special.logit([np.clip(told[0], 0.01, 0.99), 0.4])
    options = {"xatol": 1e-9, "fatol": 1e-9, "maxiter": 2000}
    found = optimize.minimize(worst, start, method="Nelder-Mead", options=options)
    mean, spread = special.expit(found.x)
    return float(mean), float(spread)


def fit_tickets(passes: Sequence[float], tickets: int = 200) -> Floats:
    """Chances of tickets, each equally likely, whose pass^1, pass^2, ... are the published ones.

    As few distinct chances as it takes; what further attempts would do is not known from them.

    Returns
    -------
    array of float, shape (tickets,)
        From the hardest to the easiest.
    """
    told = np.concatenate([[1.0], np.asarray(passes, dtype=float)])
    grid = np.linspace(0, 1, 501)
    powers = grid ** np.arange(len(told))[:, None]
    # That all chances sum to 1 counts more than any other.
    weight = np.concatenate([[100.0], np.ones(len(told) - 1)])
    found, _ = optimize.nnls(powers * weight[:, None], told * weight)
    edges = np.cumsum(found / found.sum())
    middle = (np.arange(tickets) + 0.5) / tickets
    return np.asarray(grid[np.minimum(np.searchsorted(edges, middle), len(grid) - 1)])


def spread_of(chances: npt.ArrayLike) -> float:
    """Spread of tickets with these chances, each equally likely; 0 where all succeed, or none.

    Examples
    --------
    >>> round(spread_of([0.2, 0.5, 0.8]), 3), spread_of([1.0, 1.0])
    (0.24, 0.0)
    """
    known = np.asarray(chances, dtype=float)
    return spread_between(float(known.mean()), float((known**2).mean()))


def spread_between(once: float, twice: float) -> float:
    """The spread that pass^1 and pass^2 tell, from 0 to 1; 0 where all attempts succeed, or none.

    Examples
    --------
    >>> round(spread_between(0.604, 0.491), 3), spread_between(1.0, 1.0)
    (0.528, 0.0)
    """
    if not 0 < once < 1:
        return 0.0
    return float(np.clip((twice - once * once) / (once * (1 - once)), 0.0, 1.0))


def passed_all(successes: npt.ArrayLike, attempts: npt.ArrayLike, k: int) -> Floats:
    """Share of choices of k attempts at a ticket that all succeed: C(c, k) / C(n, k) for each.

    Its mean over tickets is pass^k, without bias, however many attempts there were (Yao et al.).

    Parameters
    ----------
    successes, attempts : array-like of int
        Of each ticket.
    k : int

    Returns
    -------
    array of float
        NaN where a ticket has fewer than k attempts.

    Examples
    --------
    >>> passed_all([4, 3, 2, 0, 1], [4, 4, 4, 4, 1], 2).tolist()
    [1.0, 0.5, 0.16666666666666666, 0.0, nan]
    """
    c, n = np.broadcast_arrays(
        np.asarray(successes, dtype=float), np.asarray(attempts, dtype=float)
    )
    found = np.ones(c.shape)
    for k_before in range(k):
        found *= np.maximum(c - k_before, 0) / np.where(n > k_before, n - k_before, np.nan)
    return found


def passes_of(marks: Sequence[npt.ArrayLike], most: int) -> tuple[Ints, Floats]:
    """pass^1 to pass^most of tickets whose attempts have marks from 0 to 1: chances to succeed.

    For a ticket it is the mean, over all choices of k attempts, of the product of their marks:
    without bias for the k-th power of its chance, where attempts are independent (Hoeffding 1948,
    U-statistics). Of marks that are 1 or 0 it is `passed_all`.

    Parameters
    ----------
    marks : sequence of array-like of float
        Of each ticket's attempts.
    most : int

    Returns
    -------
    tickets : array of int, shape (most,)
        Those with so many attempts.
    passes : array of float, shape (most,)
        NaN where there are none.

    Examples
    --------
    >>> tickets, passes = passes_of([[1, 1, 0], [0.5, 0.5], [1]], 3)
    >>> tickets.tolist(), passes.round(3).tolist()
    ([3, 2, 1], [0.722, 0.292, 0.0])
    """
    found = np.full((len(marks), most), np.nan)
    for own, each in zip(found, marks, strict=True):
        # Sums of products over choices of attempts so far, by how many are chosen.
        sums = np.zeros(most + 1)
        sums[0] = 1.0
        for mark in (given := np.asarray(each, dtype=float)):
            sums[1:] += mark * sums[:-1]
        choices = special.comb(len(given), np.arange(1, most + 1))
        own[choices > 0] = (sums[1:] / np.maximum(choices, 1))[choices > 0]
    known = np.isfinite(found)
    tickets = known.sum(axis=0)
    total = np.where(known, found, 0.0).sum(axis=0)
    return tickets, np.where(tickets > 0, total / np.maximum(tickets, 1), np.nan)


def beta_is_refuted(
    passes: Floats, attempts: npt.ArrayLike, rng: np.random.Generator, trials: int = 400
) -> bool:
    """True where tickets of a beta distribution would rarely have such pass^k by luck.

    Its mean and spread follow from pass^1 and pass^2. What it then says of the others is off by a
    largest error. A trial draws as many tickets from the distribution itself, and has such an
    error, too, by luck alone. The distribution is refuted where the error is larger than in 95 % of
    trials (a parametric bootstrap; Efron and Tibshirani 1993). `tests/test_spread.py` says how
    often that is wrong.

    Parameters
    ----------
    passes : array of float
        pass^1, pass^2, ..., at least three.
    attempts : array-like of int
        Of each ticket.
    rng : Generator
    trials : int

    Examples
    --------
    Half of 100 tickets always fail, and the others succeed at three attempts in four:

    >>> passes = 0.5 * 0.75 ** np.arange(1, 5)
    >>> beta_is_refuted(passes, [4] * 100, np.random.default_rng(1))
    True
    >>> beta_is_refuted(beta_passes(0.4, 0.5, 4), [4] * 100, np.random.default_rng(1))
    False
    """
    most, tried = len(passes), np.asarray(attempts)

    def off(told: Floats) -> float:
        mean, spread = told[0], spread_between(told[0], told[1])
        return float(np.abs(beta_passes(mean, spread, most) - told).max())

    mean, spread = float(passes[0]), spread_between(passes[0], passes[1])
    if not 0 < spread < 1:
        return False
    both = 1 / spread - 1
    found = []
    for _ in range(trials):
        chances = rng.beta(mean * both, (1 - mean) * both, len(tried))
        won = rng.binomial(tried, chances)
        found.append(
            off(np.array([np.nanmean(passed_all(won, tried, k)) for k in range(1, most + 1)]))
        )
    return bool(off(passes) > np.quantile(found, 0.95))


def mean_bounds(values: npt.ArrayLike, level: float = 0.95) -> tuple[float, float, float]:
    """Mean of tickets' shares, each from 0 to 1, and its bounds; tickets are independent.

    Bounds are Wilson's (1927) for as many tickets with all or nothing as would vary as much, fewer
    by (z / t)^2 because the variance is estimated: as of `twin.stats.shares`, but that a mean of
    tickets takes the place of a count over replications. `tests/test_passes.py` says how often
    they hold.

    Returns
    -------
    mean, low, high : float
        NaN without tickets.

    Examples
    --------
    >>> [round(x, 3) for x in mean_bounds([1, 1, 0.5, 0, 1, 1, 0.25, 1])]
    [0.719, 0.354, 0.923]
    """
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    n = len(known)
    if not n:
        return np.nan, np.nan, np.nan
    mean = float(known.mean())
    if n == 1:
        return mean, 0.0, 1.0
    variance = float(known.var(ddof=1))
    # All alike is what few tickets may be by chance: then each counts as one of all or nothing.
    like = max(mean * (1 - mean) / variance, 1.0) if variance > 1e-12 else 1.0
    z = float(special.ndtri((1 + level) / 2))
    t = float(special.stdtrit(n - 1, (1 + level) / 2))
    low, high = wilson(mean, n * like * (z / t) ** 2, level)
    return mean, low, high
