"""Daily totals of arrivals as a level that moves, a rise a week and the days of the week.

A dynamic model of counts after West, Harrison and Migon (1985, "Dynamic generalized linear models
and Bayesian forecasting", JASA 80): the logarithm of a day's mean is level + weekday; the level
takes random steps and rises or falls by the same share each week; the mean of a day has a gamma
distribution about that, so its count a negative binomial one. A day's count moves what is known of
the level by the conjugate update and linear Bayes. Days without data are steps without an update.

How large the steps are, how far days vary beyond chance (variance over mean, as of a sum of
customers who come in groups, which fits quiet weekends as well as busy Mondays), and whether there
is growth, is not chosen: all settings of a grid are run, and count by how well they foretold each
day from those before it. In a short history, which cannot tell these apart, bands are the wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from twin.history.fit.arrivals import DailyCounts

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Standard deviation of the steps of the level over a week, as a share of it.
STEPS = (0.0, 0.01, 0.02, 0.04, 0.08, 0.16)
# Variance over mean of a day's count about its mean.
DISPERSIONS = (1.0, 1.5, 2.5, 4.0, 7.0, 12.0, 20.0, 35.0, 60.0, 100.0, 200.0, 400.0, 1000.0)
# Standard deviation of growth a week before anything is known; half of the weight is on none.
GROWTHS = (0.0, 0.03)
# The same of the logarithm of the level and of weekdays: next to nothing is known.
_WIDE = 1.0
# Level, growth a day, and six contrasts of the seven weekdays.
_SIZE = 8
# Logarithm beyond which a mean is no desk's.
_MOST = 16.0
# Logarithms of chance below the best setting from which on another is left out.
_HOPELESS = 20.0
# Of the gamma factor of a day on which hardly anybody comes.
_LEAST_SHAPE = 0.02


class Paths(NamedTuple):
    """Ways in which arrivals may go on, drawn from what is known.

    Attributes
    ----------
    mean : array of float, shape (number, days)
        Expected tickets of each day: level, growth, weekday.
    dispersion : array of float, shape (number,)
        Variance over mean of a day's count about that.
    """

    mean: Floats
    dispersion: Floats

    def counts(self, rng: np.random.Generator) -> Floats:
        """Tickets of each day, shape (number, days): negative binomial."""
        beyond = np.maximum(self.dispersion[:, None] - 1, 1e-9)
        drawn: Floats = rng.poisson(rng.gamma(self.mean / beyond, beyond)).astype(np.float64)
        return drawn


@dataclass(frozen=True)
class LevelFit:
    """Level of a history as found by each setting of the grid.

    Attributes
    ----------
    settings : array of float, shape (g, 3)
        Steps, dispersion and growth of each.
    weight : array of float, shape (g,)
        Sums to 1.
    mean : array of float, shape (g, 8)
        Level of the last day as a logarithm, growth a day, and weekdays.
    spread : array of float, shape (g, 8, 8)
        Their covariance.
    last_weekday : int
        Of the last day; Monday is 0.
    """

    settings: Floats
    weight: Floats
    mean: Floats
    spread: Floats
    last_weekday: int

    def paths(self, ahead: int, number: int, rng: np.random.Generator) -> Paths:
        """Draw ways in which the days after the last one may go.

        Parameters
        ----------
        ahead, number : int
            Days, and paths.
        rng : Generator
        """
        setting = rng.choice(len(self.weight), number, p=self.weight)
        state = np.empty((number, _SIZE))
        for k in np.unique(setting):
            mine = setting == k
            root = np.linalg.cholesky(self.spread[k] + 1e-10 * np.eye(_SIZE))
            own = rng.standard_normal((int(mine.sum()), _SIZE))
            state[mine] = self.mean[k] + own @ root.T
        step = self.settings[setting, 0] / np.sqrt(7)
        drift = np.cumsum(rng.standard_normal((number, ahead)) * step[:, None], axis=1)
        day = np.arange(1, ahead + 1)
        log_mean = state[:, :1] + state[:, 1:2] * day + drift
        log_mean += (state[:, 2:] @ _CONTRASTS.T)[:, (self.last_weekday + day) % 7]
        return Paths(np.exp(np.minimum(log_mean, _MOST)), self.settings[setting, 1])

    def by_weekday(self) -> Floats:
        """Expected tickets of each weekday at the level of the last day, shape (7,)."""
        each = np.exp(np.minimum(self.mean[:, :1] + self.mean[:, 2:] @ _CONTRASTS.T, _MOST))
        found: Floats = self.weight @ each
        return found

    @property
    def growth(self) -> float:
        """Expected rise of the level a week."""
        return float(np.expm1(7 * (self.weight @ self.mean[:, 1])))

    @property
    def step(self) -> float:
        """Expected standard deviation of a week's step of the level."""
        return float(self.weight @ self.settings[:, 0])

    @property
    def dispersion(self) -> float:
        """Expected variance over mean of a day's count."""
        return float(self.weight @ self.settings[:, 1])


def _contrasts() -> Floats:
    """Six columns that are at right angles to each other and add up to 0, shape (7, 6)."""
    whole = np.column_stack([np.ones(7), np.eye(7)[:, :6]])
    found: Floats = np.linalg.qr(whole)[0][:, 1:]
    return found


_CONTRASTS = _contrasts()


def fit_level(history: DailyCounts) -> LevelFit:
    """Fit the level to a history's daily totals; days left out are days without data.

    Parameters
    ----------
    history : DailyCounts
        Without holidays and other days that say nothing of the rest.
    """
    totals, number, weekday = history.totals, history.number, history.weekday
    settings = np.array(list(product(STEPS, DISPERSIONS, GROWTHS)))
    mean = np.zeros((len(settings), _SIZE))
    mean[:, 0] = np.log(max(float(totals.mean()), 0.1))
    spread = np.zeros((len(settings), _SIZE, _SIZE))
    spread[:] = np.eye(_SIZE) * _WIDE**2
    spread[:, 1, 1] = (settings[:, 2] / 7) ** 2
    wander, beyond = settings[:, 0] ** 2 / 7, settings[:, 1] - 1
    score = np.zeros(len(settings))
    for k, count in enumerate(totals):
        if k % 7 == 6:
            # What foretells so much worse does not come back: most settings are gone soon.
            kept = score > score.max() - _HOPELESS
            settings, mean, spread = settings[kept], mean[kept], spread[kept]
            wander, beyond, score = wander[kept], beyond[kept], score[kept]
        for _ in range(int(number[k] - number[k - 1]) if k else 0):
            mean[:, 0] += mean[:, 1]
            spread[:, 0, :] += spread[:, 1, :]
            spread[:, :, 0] += spread[:, :, 1]
            spread[:, 0, 0] += wander
        row = np.concatenate([[1.0, 0.0], _CONTRASTS[weekday[k]]])
        log_mean, along = mean @ row, spread @ row
        of_state = along @ row
        # A day varies about its mean by a gamma factor of mean 1: its logarithm's mean, variance.
        own = np.clip(np.exp(log_mean) / np.maximum(beyond, 1e-9), _LEAST_SHAPE, 1e12)
        expected = log_mean + special.digamma(own) - np.log(own)
        q = np.maximum(of_state + special.zeta(2.0, own), 1e-9)
        shape = _gamma_shape(q)
        rate = np.exp(special.digamma(shape) - expected)
        score += _log_chance(count, shape, rate)
        told = special.digamma(shape + count) - np.log1p(rate)
        left = special.zeta(2.0, shape + count)
        mean += along * ((told - expected) / q)[:, None]
        less = (1 - left / q) / q
        spread -= along[:, :, None] * along[:, None, :] * less[:, None, None]
    weight = np.exp(score - score.max())
    return LevelFit(settings, weight / weight.sum(), mean, spread, int(weekday[-1]))


def _gamma_shape(variance: Floats) -> Floats:
    """Shape of a gamma distribution by the variance of its logarithm: trigamma, inverted."""
    shape = 1 / variance + 0.5
    for _ in range(3 if variance.max() < 1 else 6):
        now = special.zeta(2.0, shape)
        shape = shape - now * (1 - now / variance) / (2 * special.zeta(3.0, shape))
    return shape


def _log_chance(count: float, shape: Floats, rate: Floats) -> Floats:
    """Logarithm of the chance of a count whose mean has a gamma distribution."""
    found: Floats = special.gammaln(shape + count) - special.gammaln(shape)
    found -= special.gammaln(count + 1)
    return found + shape * np.log(rate / (rate + 1)) - count * np.log1p(rate)
