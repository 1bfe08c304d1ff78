"""Arrays of which only the parts in use take memory."""

from __future__ import annotations

import contextlib
import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

# Not all systems know all of these.
_FLAGS = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)
_NO_RESERVE = 0x4000
_GIVE_BACK = getattr(mmap, "MADV_DONTNEED", None)
_SMALL_PAGES = getattr(mmap, "MADV_NOHUGEPAGE", None)
# Only Linux gives memory back at once, and takes it anew when it is written to.
CAN_GIVE_BACK = _SMALL_PAGES is not None and _GIVE_BACK is not None


class Pages:
    """An array that takes memory where it was written to, until that is given back.

    Parameters
    ----------
    n : int
        Its length: of what is never used only the address is taken.
    kind : dtype

    Attributes
    ----------
    array : array, shape (n,)
        At first, and after it was given back, it holds zeros.

    Examples
    --------
    >>> pages = Pages(1_000_000, np.float64)
    >>> pages.array[:10_000] = 1.0
    >>> pages.give_back(0, 5_000)
    >>> float(pages.array[9_999])
    1.0
    """

    def __init__(self, n: int, kind: npt.DTypeLike) -> None:
        dtype = np.dtype(kind)
        self._memory: mmap.mmap | None = None
        if not CAN_GIVE_BACK or not n:
            self.array: npt.NDArray[Any] = np.zeros(n, dtype)
            return
        self._memory = mmap.mmap(-1, n * dtype.itemsize, flags=_FLAGS | _NO_RESERVE)
        assert _SMALL_PAGES is not None
        # Kernels without large pages do not know this.
        with contextlib.suppress(OSError):
            self._memory.madvise(_SMALL_PAGES)
        self.array = np.frombuffer(self._memory, dtype)

    def give_back(self, start: int, stop: int) -> None:
        """Give the memory back of entries that are not needed any more, as far as pages go."""
        if self._memory is None:
            return
        assert _GIVE_BACK is not None
        size, page = self.array.dtype.itemsize, mmap.PAGESIZE
        first = -(-start * size // page) * page
        length = stop * size // page * page - first
        if length > 0:
            self._memory.madvise(_GIVE_BACK, first, length)
