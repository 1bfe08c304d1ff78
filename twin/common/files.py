"""Tables that people bring: CSV files, read so that no cell lands in another column unseen."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pandas as pd


def read_csv(path: str | Path, **how: Any) -> pd.DataFrame:
    """Read a CSV file; a row longer than the first one is a fault.

    Where all rows are longer, pandas would take their first cells for row labels and move all
    others to the left.

    Parameters
    ----------
    path : str or Path
    **how
        See `pandas.read_csv`.

    Raises
    ------
    ValueError
        If it is no CSV file, or not in UTF-8.
    OSError
        If it cannot be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            frame: pd.DataFrame = pd.read_csv(path, index_col=False, encoding="utf-8", **how)
        except pd.errors.ParserWarning:
            raise ValueError("its rows have more cells than its first line has names") from None
    return frame
