"""Effects of factors on figures, and crossings of limits, from a study's frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from twin.experiments.studies.file import number_of, unit_of
from twin.measures.figures import figure_of
from twin.stats.intervals import summarize
from twin.stats.nested import parts

if TYPE_CHECKING:
    from twin.experiments.studies.results import StudyResults

Floats = npt.NDArray[np.float64]
EFFECTS = (
    "kpi", "group", "unit", "factor", "level", "effect", "low", "high", "standardised",
    "standardised_low", "standardised_high", "share", "fit", "replications",
)  # fmt: skip
CROSSINGS = ("kpi", "along", "limit", "status", "at", "before", "after")


# Effects below this share of the largest difference between points come of rounding.
_TINY = 1e-9


def effects(
    study: StudyResults, kpis: Sequence[str] | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Main effects of the factors, by linear regression on the design.

    Parameters
    ----------
    study : StudyResults
    kpis : sequence of str, optional
        Figures as "kpi" or "kpi:group"; by default those that the study shows.
    level : float
        Confidence level of each interval on its own.

    Returns
    -------
    DataFrame
        A row a figure and factor, of factors with texts a row a level: kpi, group, unit, factor,
        level; effect (of numbers: from the smallest to the largest level; of texts: from the mean
        of all levels) in the figure's unit with low and high; the same standardised (in standard
        deviations of the figure over the points, for one of the factor); share (how much of the
        variance between points goes if the factor is left out); fit (how much of it all factors
        explain); replications (those that all points have). Figures that are missing somewhere use
        the points that have them.

    Raises
    ------
    ValueError
        If a figure is unknown or the level out of range.

    Notes
    -----
    Under common random numbers points of one replication are not independent, but replications
    are: the regression is done in each replication, and an interval is Student's over them. With
    one replication there is none. Where replications play versions of a desk, what its history or
    stated assumptions leave open of an effect is in its interval, too; see `twin.stats.nested`. A
    straight line is what is fitted: where `fit` is small, look at the points themselves.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> plan = {"scenario": desk, "factors": {"arrivals.scale": [1, 1.5]}}
    >>> found = twin.effects(twin.study(plan, replications=3), ["occupancy:all"])
    >>> found["effect"].tolist()[0] > 0
    True
    """
    if not 0 < level < 1:
        raise ValueError("level must be above 0 and below 1")
    varying = [name for name in study.factors if study.points[name].nunique() > 1]
    # Points may have been played more or less often: paired are the replications that all have.
    played = study.frame.drop_duplicates(["point", "replication"])["replication"].value_counts()
    common = sorted(played.index[played == study.frame["point"].nunique()])
    # Of points in versions and others, replications are independent only as those of the former.
    sources = max(study.sources.values(), key=len, default=())

    def interval(effect: Floats) -> tuple[float, float]:
        return _interval(effect, np.array(common), sources, level)

    rows: list[dict[str, Any]] = []
    for name in study.shown if kpis is None else kpis:
        kpi, group = figure_of(name)
        frame = study.frame[(study.frame["kpi"] == kpi) & (study.frame["group"] == group)]
        if not len(frame) or not varying:
            continue
        values = frame.pivot(index="point", columns="replication", values="value")
        values = values.reindex(columns=common).dropna()
        if values.empty:
            # Missing at every point, or no replication that all points have.
            continue
        labels = {"kpi": kpi, "group": group, "unit": frame["unit"].iloc[0]}
        points = study.points.set_index("point").loc[values.index]
        rows += [labels | row for row in _regression(points, varying, values.to_numpy(), interval)]
    return pd.DataFrame(rows, columns=list(EFFECTS))


def _regression(
    points: pd.DataFrame,
    factors: Sequence[str],
    y: Floats,
    interval: Callable[[Floats], tuple[float, float]],
) -> list[dict[str, Any]]:
    """Effects of one figure: `y` has a row a point and a column a replication."""
    blocks = {name: _coded(points[name]) for name in factors}
    blocks = {name: block for name, block in blocks.items() if block[0].shape[1]}
    columns = [np.ones((len(y), 1)), *(block[0] for block in blocks.values())]
    x = np.hstack(columns)
    if np.linalg.matrix_rank(x) < x.shape[1]:
        return []
    # Differences from the first point: of a figure that is equal everywhere they are 0.
    y = y - y[:1]
    tiny = _TINY * float(np.abs(y).max())
    means = y.mean(axis=1)
    total = float(((means - means.mean()) ** 2).sum())
    fit = _explained(x, means, total)
    spread = float(means.std())
    rows, at = [], 1
    for name, (block, levels, per_sd) in blocks.items():
        width = block.shape[1]
        beta = np.linalg.lstsq(x, y, rcond=None)[0][at : at + width]
        # The rounding of a difference of equal numbers is no effect.
        beta[np.abs(beta) <= tiny] = 0.0
        # Effects of levels sum to 0: the last is what the others leave.
        each = np.vstack([beta, -beta.sum(axis=0)]) if levels else beta
        others = np.hstack([x[:, :at], x[:, at + width :]])
        share = fit - _explained(others, means, total)
        for k, label in enumerate(levels or [""]):
            effect, half = interval(each[k])
            unit = per_sd / spread if spread > 0 else np.nan
            rows.append(
                {
                    "factor": name,
                    "level": label,
                    "effect": effect,
                    "low": effect - half,
                    "high": effect + half,
                    "standardised": effect * unit,
                    "standardised_low": (effect - half) * unit,
                    "standardised_high": (effect + half) * unit,
                    "share": share,
                    "fit": fit,
                    "replications": y.shape[1],
                }
            )
        at += width
    return rows


def _interval(
    effects: Floats, replications: npt.NDArray[np.int64], sources: Sequence[str], level: float
) -> tuple[float, float]:
    """Mean of an effect over replications, and the half-width of its interval."""
    mean, n = float(effects.mean()), len(effects)
    if sources:
        found = parts(effects[None, :] - mean, replications, sources)
        error, freedom = float(np.sqrt(found.whole[0])), float(found.freedom[0])
    elif n > 1:
        error, freedom = float(effects.std(ddof=1) / np.sqrt(n)), n - 1.0
    else:
        return mean, float("nan")
    quantile = float(special.stdtrit(freedom, (1 + level) / 2))
    return mean, quantile * error


def _explained(x: Floats, means: Floats, total: float) -> float:
    if total <= 0:
        return float("nan")
    left = means - x @ np.linalg.lstsq(x, means, rcond=None)[0]
    return 1 - float((left**2).sum()) / total


def _coded(column: pd.Series[Any]) -> tuple[Floats, list[str], float]:
    """Columns of a factor, its levels (of texts only), and one standard deviation of it."""
    numbers = numbers_of(column)
    if numbers is not None:
        low, high = numbers.min(), numbers.max()
        if low == high:
            return np.empty((len(numbers), 0)), [], 0.0
        coded = (numbers - low) / (high - low)
        return coded[:, None], [], float(coded.std())
    codes, names = pd.factorize(column)
    block = np.zeros((len(codes), len(names) - 1))
    for k in range(len(names) - 1):
        block[codes == k, k] = 1.0
    block[codes == len(names) - 1] = -1.0
    return block, [str(name) for name in names], 1.0


def numbers_of(column: pd.Series[Any]) -> Floats | None:
    """A factor's levels as numbers; None if they are texts. Durations of one unit are numbers."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=float)
    texts = [str(value) for value in column]
    if len({unit_of(text) for text in texts}) != 1:
        return None
    try:
        return np.array([number_of(text) for text in texts])
    except ValueError:
        return None


def crossings(study: StudyResults, kpi: str, along: str, limit: float) -> pd.DataFrame:
    """First crossings of a limit along a factor, for each setting of the other factors.

    Parameters
    ----------
    study : StudyResults
    kpi : str
        A figure as "kpi" or "kpi:group".
    along : str
        A factor with numbers.
    limit : float

    Returns
    -------
    DataFrame
        A row a setting of the other factors at which this one varies: these, then kpi, along,
        limit, status (crossed, below throughout, above throughout, or unknown), at (straight line
        between the levels around it), before, after (those levels).

    Raises
    ------
    ValueError
        If the factor has no numbers, or a name is unknown.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> plan = {"scenario": desk, "factors": {"arrivals.scale": [1, 1.5]}}
    >>> found = twin.study(plan, replications=3)
    >>> twin.crossings(found, "occupancy:all", "arrivals.scale", 0.6)["status"].tolist()
    ['crossed']
    """
    name, group = figure_of(kpi)
    if along not in study.factors:
        raise ValueError(f"{along!r} is no factor; factors: {', '.join(study.factors)}")
    numbers = numbers_of(study.points[along])
    if numbers is None:
        raise ValueError(f"the levels of {along!r} are no numbers")
    frame = study.frame[(study.frame["kpi"] == name) & (study.frame["group"] == group)]
    value = summarize(frame).set_index("scenario")["value"]
    table = study.points.assign(_x=numbers, _y=study.points["scenario"].map(value))
    others = [factor for factor in study.factors if factor != along]
    groups = list(table.groupby(others, sort=False)) if others else [((), table)]
    # One factor at a time: beside the other factors' levels this one does not vary.
    varied = [one for one in groups if one[1]["_x"].nunique() > 1]
    rows = []
    for key, part in varied or groups:
        part = part.sort_values("_x")
        found = _crossing(part["_x"].to_numpy(), part["_y"].to_numpy(dtype=float), limit)
        labels = dict(zip(others, key, strict=True))
        rows.append(labels | {"kpi": kpi, "along": along, "limit": limit} | found)
    return pd.DataFrame(rows, columns=[*others, *CROSSINGS])


def _crossing(x: Floats, y: Floats, limit: float) -> dict[str, Any]:
    known = ~np.isnan(y)
    x, y = x[known], y[known]
    if not len(y):
        return {"status": "unknown", "at": np.nan, "before": np.nan, "after": np.nan}
    over = y > limit
    for k in range(1, len(x)):
        if over[k] != over[k - 1]:
            at = x[k - 1] + (limit - y[k - 1]) / (y[k] - y[k - 1]) * (x[k] - x[k - 1])
            return {"status": "crossed", "at": at, "before": x[k - 1], "after": x[k]}
    status = "above throughout" if over[0] else "below throughout"
    return {"status": status, "at": np.nan, "before": np.nan, "after": np.nan}
