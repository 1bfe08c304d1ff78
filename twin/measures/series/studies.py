"""Frames of studies: key figures along a factor."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from twin.stats.intervals import summarize


def along(frame: pd.DataFrame, load: str, by: Sequence[str] = ()) -> pd.DataFrame:
    """Key figures along a factor of a study; other factors than those named are pooled.

    To pool is to add up numerators and denominators of all points before dividing, as over
    replications: of a rate, points with more tickets weigh more; quantiles are averaged.

    Parameters
    ----------
    frame : DataFrame
        `StudyResults.frame`, or some rows of it.
    load : str
        The factor along which.
    by : sequence of str
        Factors that are kept apart.

    Returns
    -------
    DataFrame
        A row a level of the factors and a figure: the factors, and the columns of
        `twin.summarize` (kpi, group, unit, value, low, high, half_width, replications). Missing
        where a figure is missing at any of the points pooled.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> plan = {"scenario": desk, "factors": {"arrivals.scale": [1, 1.5]}}
    >>> found = twin.study(plan, replications=2)
    >>> rows = twin.series.along(found.frame, "arrivals.scale").query("kpi == 'backlog'")
    >>> bool(rows["value"].is_monotonic_increasing)
    True
    """
    factors = [load, *by]
    level = frame.groupby(factors, sort=False, dropna=False, observed=True).ngroup()
    rows = frame.assign(scenario=level.astype(str))
    unknown = rows["numerator"].isna()
    keys = ["scenario", "replication", "kpi", "group", "unit"]
    pooled = (
        rows.assign(unknown=unknown)
        .groupby(keys, sort=False, observed=True)[["numerator", "denominator", "unknown"]]
        .sum()
        .reset_index()
    )
    pooled["numerator"] = pooled["numerator"].mask(pooled.pop("unknown") > 0)
    summary = summarize(pooled)
    levels = rows.drop_duplicates("scenario")[["scenario", *factors]]
    return levels.merge(summary, on="scenario").drop(columns="scenario")
