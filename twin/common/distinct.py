"""Numbers that come again and again, each once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd


def distinct(numbers: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    """Distinct numbers, and which of them each number is.

    As `numpy.unique` with its inverse, which sorts all numbers; here only the distinct ones are.

    Parameters
    ----------
    numbers : array of int, shape (n,)

    Returns
    -------
    found : array of int, shape (k,)
        Rising.
    row : array of int, shape (n,)
        `found[row]` are the numbers.

    Examples
    --------
    >>> found, row = distinct(np.array([7, 3, 7, 7]))
    >>> found.tolist(), row.tolist()
    ([3, 7], [1, 0, 1, 1])
    """
    row, found = pd.factorize(numbers, sort=True)
    return found, row
