"""Distance between two samples; takes arrays only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def wasserstein(one: npt.ArrayLike, two: npt.ArrayLike) -> float:
    """1-Wasserstein distance: the area between two empirical distribution functions.

    The same as `scipy.stats.wasserstein_distance`, several times faster where other processes share
    the cores: that one's dot product starts threads.

    Parameters
    ----------
    one, two : array of float, shape (n,) and (m,)
        Not missing.

    Returns
    -------
    float
        In the unit of the values; missing where a sample is empty.

    Examples
    --------
    >>> wasserstein([0, 1, 3], [5, 6, 8])
    5.0
    """
    a, b = (np.sort(np.asarray(sample, dtype=np.float64)) for sample in (one, two))
    if not len(a) or not len(b):
        return float("nan")
    both = np.concatenate([a, b])
    both.sort(kind="stable")
    gaps = np.abs(
        np.searchsorted(a, both[:-1], side="right") / len(a)
        - np.searchsorted(b, both[:-1], side="right") / len(b)
    )
    return float((gaps * np.diff(both)).sum())
