"""A desk's own statuses as the ledger writes them down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from twin.records.tables import STATUSES


@dataclass(frozen=True)
class OwnStatuses:
    """A desk's own statuses, as codes behind those of `STATUSES`.

    Attributes
    ----------
    names : tuple of str
    core : tuple of int
        The twin's status that each counts as.
    first : array of int, shape (n,)
        Number of each ticket's first.
    """

    FIRST: ClassVar[int] = len(STATUSES)

    names: tuple[str, ...]
    core: tuple[int, ...]
    first: npt.NDArray[np.int64]
