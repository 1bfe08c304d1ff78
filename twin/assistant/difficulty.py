"""Tickets that are hard for every attempt: chances of success that belong to tickets.

They are beta distributed, so that a ticket's successes are beta-binomial; see `twin.stats.passes`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
# Beta distributions of less or more spread are as good as none, or as two points.
_LEAST, _MOST = 1e-6, 1 - 1e-6


def beta_chances(mean: npt.ArrayLike, spread: float, u: Floats) -> Floats:
    """Chances of success of tickets, by the luck of each.

    Parameters
    ----------
    mean : array-like of float
        Of all tickets, or of each one's kind.
    spread : float
        Correlation between two attempts at a ticket, 0 to 1.
    u : array of float
        Uniforms in [0, 1), one a ticket: high is hard.

    Examples
    --------
    >>> beta_chances(0.6, 0.0, np.array([0.1, 0.9])).tolist()
    [0.6, 0.6]
    >>> beta_chances(0.6, 1.0, np.array([0.1, 0.59, 0.61])).tolist()
    [1.0, 1.0, 0.0]
    """
    means = np.broadcast_to(np.asarray(mean, dtype=float), u.shape)
    if spread < _LEAST:
        return means.copy()
    if spread > _MOST:
        return (u < means).astype(float)
    total = 1 / spread - 1
    # Kinds that are always or never right stay so.
    sure = (means <= 0) | (means >= 1)
    inner = np.where(sure, 0.5, means)
    found = special.betaincinv(total * inner, total * (1 - inner), 1 - u)
    return np.where(sure, means, found)
