"""A plan that meets its target with more than it must: which of its shifts it may do without."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from twin.experiments.rostering.cover import Cover

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# An agent less costs more than one more brings: by about so much, where they bring less and less.
_LOSS = 1.5


def trimmed(
    cover: Cover,
    number: Ints,
    places: Sequence[int],
    ahead: Sequence[float],
    helps: Sequence[Floats],
    least: npt.ArrayLike,
) -> Ints | None:
    """Take shifts out, or put shorter ones in their place, as long as the target seems to be met.

    Each time the one that saves the most work for what it brings.

    Parameters
    ----------
    cover : Cover
    number : array of int, shape (days, kinds)
        Shifts of the plan.
    places : sequence of int
        Days of which shifts are looked at, as places in `cover.days`.
    ahead : sequence of float
        Tickets beyond those that must be answered in time, in each period.
    helps : sequence of array, shape (n,)
        What an agent more brings in each interval, for each period.
    least : array of int, shape (n,)
        Heads that must stay.

    Returns
    -------
    array of int, shape (days, kinds), or None
        None: nothing can go.
    """
    found, left = number.copy(), np.array(ahead, dtype=np.float64)
    slack = np.round(cover.matrix @ found.ravel()) - np.asarray(least)
    width, work = len(cover.kinds), np.array([kind.work for kind in cover.kinds])
    brings = _LOSS * np.array(helps) @ cover.matrix
    gives = cover.matrix.toarray()
    changed = False
    while True:
        best: tuple[float, int, int] | None = None
        for place in places:
            for kind in np.flatnonzero(found[place]).tolist():
                old = place * width + kind
                for other in (-1, *np.flatnonzero(work < work[kind]).tolist()):
                    new = place * width + other
                    lost = brings[:, old] - (brings[:, new] if other >= 0 else 0.0)
                    if (lost > left).any():
                        continue
                    fewer = gives[:, old] - (gives[:, new] if other >= 0 else 0.0)
                    if (fewer > slack).any():
                        continue
                    saved = work[kind] - (work[other] if other >= 0 else 0)
                    price = float(np.maximum(lost, 0.0).sum()) / saved
                    if best is None or price < best[0]:
                        best = price, old, new if other >= 0 else -1
        if best is None:
            return found if changed else None
        _, old, new = best
        found.ravel()[old] -= 1
        left -= brings[:, old]
        slack -= gives[:, old]
        if new >= 0:
            found.ravel()[new] += 1
            left += brings[:, new]
            slack += gives[:, new]
        changed = True
