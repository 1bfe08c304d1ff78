"""Figures as sums over replications and texts, and the error of their ratios.

Replications draw their tickets from the same texts, and every ticket with the same text gets the
same answer, or one of few. So more replications never tell how a figure would be with other texts
and answers: its error has a part that only more texts (or more answers to each) make smaller. It is
the cluster-robust variance of Cameron, Gelbach and Miller (2011), "Robust inference with multiway
clustering", Journal of Business and Economic Statistics 29, with replications and texts as the two
ways: V = V(replications) + V(texts) - V(replications and texts together), each by the jackknife.
Miller (2024), "Adding error bars to evals", sets out the need for it where models are evaluated.

Texts are left out in groups, as Kott (2001), "The delete-a-group jackknife", Journal of Official
Statistics 17, does. The degrees of freedom are those of Satterthwaite (1946).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sums:
    """Numerators and denominators of k figures in n replications.

    Attributes
    ----------
    over, under : array of float, shape (k, n)
        0 and 0 where nothing was counted.
    left : array of float, shape (k, n, 2, groups), or None
        Both without each group of texts in turn; as they are where a figure is of no texts. None:
        no figure is.
    texts : array of float, shape (k,)
        Number of distinct texts, the most of any replication; 0 for figures of no texts.
    """

    over: Floats
    under: Floats
    left: Floats | None
    texts: Floats

    @property
    def seen(self) -> Mask:
        """True where anything was counted, shape (k, n)."""
        return np.asarray((self.over != 0) | (self.under != 0), dtype=np.bool_)

    @property
    def value(self) -> Floats:
        """Ratios of the sums, shape (k,)."""
        return divide(self.over.sum(axis=-1), self.under.sum(axis=-1))

    def without_each(self) -> Floats:
        """Ratios with each replication left out in turn, shape (k, n)."""
        return leave_one_out(self.over, self.under)

    def without_texts(self) -> tuple[Floats, Mask]:
        """Ratios with each group of texts left out, and which groups had any; shape (k, groups)."""
        assert self.left is not None
        rest = self.left.sum(axis=1)
        return divide(rest[:, 0], rest[:, 1]), (self._gone() != 0).any(axis=(1, 2))

    def without_cells(self) -> tuple[Floats, Mask]:
        """The same with one group of texts left out of one replication; shape (k, n * groups)."""
        assert self.left is not None
        gone = self._gone()
        over = self.over.sum(axis=-1)[:, None, None] - gone[:, :, 0]
        under = self.under.sum(axis=-1)[:, None, None] - gone[:, :, 1]
        flat = (len(over), -1)
        return divide(over, under).reshape(flat), (gone != 0).any(axis=2).reshape(flat)

    def _gone(self) -> Floats:
        """Sums of each group of texts, shape (k, n, 2, groups)."""
        assert self.left is not None
        return np.stack([self.over, self.under], axis=-1)[..., None] - self.left

    def chosen(self, rows: Any, columns: Any) -> Sums:
        """Some figures in some replications, by index; -1 is nothing counted."""
        there = np.outer(rows >= 0, columns >= 0)
        at = np.ix_(rows, columns)
        empty = not self.over.size

        def of(values: Floats) -> Floats:
            if empty:
                return np.zeros((*there.shape, *values.shape[2:]))
            mask = there.reshape(there.shape + (1,) * (values.ndim - 2))
            return np.where(mask, values[at], 0.0)

        left = None if self.left is None else of(self.left)
        texts = np.where(rows >= 0, self.texts[rows] if len(self.texts) else 0.0, 0.0)
        return Sums(of(self.over), of(self.under), left, texts)


@dataclass(frozen=True)
class StandardErrors:
    """Standard errors of k estimates, and what they are made of; shape (k,) each.

    Attributes
    ----------
    whole : array of float
        With both parts; missing with fewer than two observations.
    replications, texts : array of float
        The part that more replications make smaller, and the part that only more texts do.
    freedom : array of float
        Degrees of freedom of `whole`.
    """

    whole: Floats
    replications: Floats
    texts: Floats
    freedom: Floats


def error_of(sums: Sums) -> StandardErrors:
    """The error of ratios of sums."""
    seen = sums.seen
    of_replications = jackknife_error(sums.without_each(), seen)
    n = seen.sum(axis=-1)
    if sums.left is None:
        none = np.zeros(len(n))
        return joined(of_replications, n - 1, none, none)
    by_text, groups = sums.without_texts()
    by_cell, cells = sums.without_cells()
    texts = jackknife_variance(by_text, groups) - jackknife_variance(by_cell, cells)
    return joined(of_replications, n - 1, texts, groups.sum(axis=-1) - 1)


def joined(
    of_replications: Floats, freedom: Any, texts: Floats, text_freedom: Any
) -> StandardErrors:
    """The error of replications together with the variance that texts add.

    Parameters
    ----------
    of_replications : array of float, shape (k,)
        Standard errors between replications.
    freedom : array, shape (k,)
        Their degrees of freedom.
    texts : array of float, shape (k,)
        Variance between texts less that of single cells; below 0 is none.
    text_freedom : array, shape (k,)
    """
    added = np.fmax(texts, 0.0)
    variance = of_replications**2 + added
    parts = divide(of_replications**4, np.maximum(freedom, 1)) + divide(
        added**2, np.maximum(text_freedom, 1)
    )
    whole_freedom = divide(variance**2, parts)
    whole_freedom = np.where(np.isnan(whole_freedom), freedom, whole_freedom)
    return StandardErrors(
        np.sqrt(variance), of_replications, np.sqrt(added), np.maximum(whole_freedom, 1.0)
    )


def leave_one_out(over: Floats, under: Floats) -> Floats:
    """Ratios of sums along the last axis with each entry left out in turn, same shape."""
    return divide(_without_each(over), _without_each(under))


def jackknife_variance(left_out: Floats, seen: Mask) -> Floats:
    """Squared standard errors from estimates with each observation left out; 0 with fewer than two.

    Parameters
    ----------
    left_out : array of float, shape (k, n)
    seen : array of bool, shape (k, n)
        False for entries that are no observations.
    """
    return np.nan_to_num(jackknife_error(left_out, seen)) ** 2


def jackknife_error(left_out: Floats, seen: Mask) -> Floats:
    """Standard errors from estimates with each observation left out in turn.

    Parameters
    ----------
    left_out : array of float, shape (k, n)
    seen : array of bool, shape (k, n)
        False for entries that are no observations.

    Returns
    -------
    array of float, shape (k,)
        Missing with fewer than two observations.
    """
    n = seen.sum(axis=-1)
    mean = divide(np.where(seen, left_out, 0.0).sum(axis=-1), n)
    squares = np.where(seen, (left_out - mean[:, None]) ** 2, 0.0).sum(axis=-1)
    return np.where(n > 1, np.sqrt(divide((n - 1) * squares, n)), np.nan)


def _without_each(values: Floats) -> Floats:
    """Sums along the last axis with each entry left out in turn.

    From both ends instead of total minus entry: nothing cancels, and sums of zeros stay zero.
    """
    before = np.cumsum(values, axis=-1)[:, :-1]
    after = np.cumsum(values[:, :0:-1], axis=-1)[:, ::-1]
    out = np.zeros_like(values)
    out[:, 1:] += before
    out[:, :-1] += after
    return out


def divide(over: Floats, under: Any) -> Floats:
    """Quotients, missing where there is nothing to divide by."""
    out = np.full(np.shape(over), np.nan)
    np.divide(over, under, out=out, where=np.not_equal(under, 0))
    return out


def matrices(kpis: pd.DataFrame) -> tuple[pd.DataFrame, Sums, npt.NDArray[np.int64]]:
    """Figures as arrays with a row a figure and a column a replication.

    Parameters
    ----------
    kpis : DataFrame
        Columns of the table kpis, replication and, where there are several, scenario.

    Returns
    -------
    table : DataFrame
        scenario (if given), kpi, group and unit of each row, in the order of first occurrence.
    sums : Sums
    replications : array of int, shape (n,)
        Their numbers.

    Raises
    ------
    ValueError
        If a figure occurs twice in a replication.
    """
    names = [name for name in ("scenario", "kpi", "group") if name in kpis]
    keys = [pd.factorize(kpis[name])[0] for name in names]
    # Groups follow their figure even if the first replication did not have them.
    order = np.lexsort(keys[::-1])
    sorted_keys = np.stack(keys)[:, order]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (sorted_keys[:, 1:] != sorted_keys[:, :-1]).any(axis=0)
    row = np.cumsum(first) - 1
    column, replications = pd.factorize(kpis["replication"])
    cells = row * max(len(replications), 1) + column[order]
    if len(np.unique(cells)) < len(cells):
        raise ValueError("a figure occurs twice in the same replication")
    shape = (int(first.sum()), len(replications))
    over, under = np.zeros(shape), np.zeros(shape)
    over.flat[cells] = kpis["numerator"].to_numpy(dtype=float)[order]
    under.flat[cells] = kpis["denominator"].to_numpy(dtype=float)[order]
    table = kpis[[*names, "unit"]].iloc[order[first]].reset_index(drop=True)
    left, texts = _by_text(kpis, order, cells, over, under)
    return table, Sums(over, under, left, texts), np.asarray(replications, dtype=np.int64)


def _by_text(
    kpis: pd.DataFrame, order: Any, cells: Any, over: Floats, under: Floats
) -> tuple[Floats | None, Floats]:
    """The column by_text as arrays; rows in which a replication lacks it count as of no texts."""
    none = np.zeros(len(over))
    if "by_text" not in kpis:
        return None, none
    packed = kpis["by_text"].to_numpy()[order]
    there = np.array([bool(one) for one in packed], dtype=np.bool_)
    if not there.any():
        return None, none
    values = np.frombuffer(b"".join(packed[there]), dtype="<f8").reshape(int(there.sum()), -1)
    groups = (values.shape[1] - 1) // 2
    left = np.stack([over, under], axis=-1)[..., None].repeat(groups, axis=-1)
    left.reshape(-1, 2, groups)[cells[there]] = values[:, 1:].reshape(-1, 2, groups)
    counts = np.zeros(over.size)
    counts[cells[there]] = values[:, 0]
    return left, counts.reshape(over.shape).max(axis=-1, initial=0.0)
