"""A plan at a level of cost, as far inside of the cuts as it can be: where the next cut is made."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint

from twin.experiments.rostering.cover import MOST_AGENTS, ROUNDING, Cover, Cut
from twin.experiments.rostering.program import padded, solved

Ints = npt.NDArray[np.int64]

# A plan to try is found by fewer nodes; further inside of the cuts than this share of the tickets
# it need not be; and how much the likeness to given heads counts.
_FEW_NODES, _CLOSE, _FAR, _ALIKE = 500, 0.05, 0.05, 0.1
# Both in whole steps, so that all of the program is whole.
_STEP = 0.001


def inside(
    cover: Cover,
    least: npt.ArrayLike,
    cuts: list[Cut],
    like: npt.ArrayLike,
    most: float,
    places: list[int],
) -> Ints | None:
    """Shifts of some days, at a cost of at most so much, as far inside of the cuts as may be.

    How far is told by the share of its tickets that the tightest cut leaves; and beside that by
    the least share of the heads `like` of each interval. A few nodes of the search are enough:
    what is found is a plan to try.

    Returns
    -------
    array of int, shape (days, kinds), or None
        None: none was found that keeps the cuts.
    """
    width = len(cover.kinds)
    columns = np.concatenate([np.arange(width) + place * width for place in places])
    least = np.asarray(least, dtype=np.float64)
    floors = sparse.csr_array(cover.matrix[least > 0])[:, columns]
    slopes = sparse.csr_array(np.array([cut.slope for cut in cuts]).reshape(-1, len(least)))
    cutting = sparse.csr_array(slopes @ cover.matrix)
    theirs = np.flatnonzero(np.diff(sparse.csr_array(cutting[:, columns]).indptr))
    bounds, of = (np.array([float(getattr(cuts[k], n)) for k in theirs]) for n in ("least", "of"))
    needed = np.diff(floors.indptr) > 0
    like = np.asarray(like, dtype=np.float64)
    alike = sparse.csr_array(cover.matrix[like > 0])[:, columns]
    wanted = np.diff(alike.indptr) > 0
    # Columns: shifts, agents, how far inside, and the share of the heads.
    first = (cover.work if cover.rules.minimise == "hours" else cover.agents)[[*columns, -1]]
    rows = [
        LinearConstraint(padded(floors[needed], 3), lb=least[least > 0][needed]),
        LinearConstraint(np.append(first, [0.0, 0.0])[None, :], ub=most + ROUNDING),
        LinearConstraint(
            sparse.csr_array(
                sparse.hstack([padded(alike[wanted], 2), -_STEP * like[like > 0][wanted][:, None]])
            ),
            lb=0.0,
        ),
    ]
    if len(theirs):
        inner = sparse.hstack([padded(cutting[theirs][:, columns], 1), -_STEP * of[:, None],
                               np.zeros((len(theirs), 1))])  # fmt: skip
        rows.append(LinearConstraint(sparse.csr_array(inner), lb=bounds))
    if not cover.alone:
        rules = sparse.csr_array(cover.binding[:, [*columns, cover.binding.shape[1] - 1]])
        rows.append(LinearConstraint(padded(rules, 2), ub=0.0))
    high = np.append(
        np.full(len(columns), np.inf),
        [cover.rules.agents or MOST_AGENTS, _FAR / _STEP, 1 / _STEP],
    )
    aim = np.append(np.zeros(len(columns) + 1), [-1.0, -_ALIKE])
    found = solved(
        aim, constraints=rows, bounds=Bounds(0, high), integrality=np.ones(len(columns) + 3),
        options={"node_limit": _FEW_NODES // len(places) ** 2, "mip_rel_gap": _CLOSE},
    )  # fmt: skip
    if found.x is None:
        return None
    number = np.zeros(len(cover.days) * width, dtype=np.int64)
    number[columns] = np.round(found.x[: len(columns)])
    return number.reshape(len(cover.days), width)
