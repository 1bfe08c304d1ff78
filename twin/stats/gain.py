"""Evidence that a mean gain is above 0, for gains of any shape between -1 and 1.

A game whose stake nobody can raise by luck alone: who starts with 1 and bets a fixed share b of
what they have on each gain has the product of ``1 + b * gain`` in the end, which is 1 at most in
expectation where the mean gain is 0 or below. So is the mean over several shares, and by Markov's
inequality it reaches 1 / alpha in at most a share alpha of cases, however few the gains and
whatever their distribution (Waudby-Smith and Ramdas, "Estimating means of bounded random variables
by betting", Journal of the Royal Statistical Society B 86, 2024).

A t test promises that for normal gains only. Where most tickets gain a little and a few lose all,
it is wrong many times as often as it says (`tests/test_gain.py`), and that is what a change of a
prompt may do.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Fixed before any gain is seen. Small ones find tiny gains in thousands of tickets, which nobody
# pays for; none is 1, so that no single loss ends the game.
_BETS = np.array([0.25, 0.5, 0.75, 0.95])


def chance_by_luck(gains: npt.ArrayLike) -> float:
    """Largest chance of evidence as strong as this, if the mean gain were 0 or below; at most 1.

    Parameters
    ----------
    gains : array-like of float, shape (n,)
        Of independent tickets, from -1 to 1; their order does not matter.

    Raises
    ------
    ValueError
        If a gain is missing or outside of -1 to 1.

    Examples
    --------
    >>> round(chance_by_luck([0.5, 0.0, 0.5, 0.25] * 5), 4), chance_by_luck([0.5, -0.5] * 10)
    (0.0182, 1.0)
    >>> chance_by_luck([])
    1.0
    """
    known = np.asarray(gains, dtype=float)
    if not (np.abs(known) <= 1).all():
        raise ValueError("gains must be numbers from -1 to 1")
    # Sorted, so that the sum is the same to the bit in any order.
    won = np.log1p(_BETS[:, None] * np.sort(known)).sum(axis=1)
    return float(min(1.0, 1.0 / np.exp(won).mean()))
