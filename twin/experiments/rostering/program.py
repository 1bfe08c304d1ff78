"""Integer programs by HiGHS, and their rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import milp
from scipy.sparse import csgraph

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def solved(cost: Floats, **program: Any) -> Any:
    """As `scipy.optimize.milp`, without a word: HiGHS prints some of its own on standard output."""
    try:
        kept = os.dup(1)
    except OSError:
        return milp(cost, **program)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            return milp(cost, **program)
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def padded(matrix: sparse.sparray, columns: int) -> sparse.csr_array:
    """The matrix with empty columns behind its own."""
    empty = sparse.csr_array((matrix.shape[0], columns))
    return sparse.csr_array(sparse.hstack([matrix, empty]))


def apart(rows: sparse.csr_array) -> Iterator[tuple[Ints, Ints]]:
    """Rows and columns that hang together: columns without a row, which nothing asks for, are out.

    Yields
    ------
    (array of int, array of int)
        Places of rows, and of the columns in them.
    """
    height = rows.shape[0]
    found, of = csgraph.connected_components(sparse.block_array([[None, rows], [rows.T, None]]))
    for k in range(found):
        here = np.flatnonzero(of == k)
        at = here[here < height]
        if len(at):
            yield at, here[here >= height] - height
