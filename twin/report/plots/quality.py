"""Figures of speed and quality: times to answer, service, ratings, categories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from twin.report.plots import style

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def response_times(
    frame: pd.DataFrame, ax: Axes | None = None, *, of: str = "first response"
) -> Axes:
    """Share of tickets answered within a time, by priority; the promise is the dashed line.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.response_times`.
    ax : Axes, optional
    of : str
        "first response" or "resolution".

    Examples
    --------
    >>> ax = plots.response_times(series.response_times(log.tickets, desk))
    >>> ax.get_title("left")
    'Time to first response'
    """
    ax = style.axes(ax)
    title = "Time to first response" if of == "first response" else "Time to resolution"
    style.dress(ax, title, "time since arrival (logarithmic)", "share of tickets", grid="both")
    if not len(frame):
        return style.nothing(ax, "no ticket got that far")
    low_s = float(frame["seconds"].clip(lower=0.1).min())
    high_s = float(np.nanmax([frame["seconds"].max(), frame["target_s"].max()]))
    style.duration_axis(ax, low_s * 0.8, high_s * 1.3)
    ax.set_ylim(0, 1.02)
    style.percent_axis(ax)
    ends = []
    for name, rows in frame.groupby("priority", sort=False):
        colour = style.PRIORITY_COLOURS.get(str(name), style.GREY)
        # A curve begins where the first ticket is done and stays at its last share.
        seconds = [*rows["seconds"].clip(lower=0.1), high_s * 1.3]
        ax.step(seconds, [*rows["share"], rows["share"].iloc[-1]], where="post", color=colour,
                linewidth=1.5, label=str(name))  # fmt: skip
        ends.append((float(rows["share"].iloc[-1]), str(name), colour))
        target_s = float(rows["target_s"].iloc[0])
        if np.isfinite(target_s):
            ax.axvline(target_s, color=colour, linewidth=1.2, linestyle="--", gid=f"target {name}")
    if frame["target_s"].notna().any():
        style.note(ax, "dashed: promised")
    style.label_ends(ax, ends)
    return ax


def responses_overlaid(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Share of all tickets answered within a time, a line a scenario.

    Parameters
    ----------
    frame : DataFrame
        As from `twin.series.response_times`, one curve a scenario, with a column scenario.
    ax : Axes, optional

    Examples
    --------
    >>> tickets = log.tickets.assign(priority=None)
    >>> frame = series.response_times(tickets, desk).assign(scenario="small")
    >>> plots.responses_overlaid(frame).get_ylabel()
    'share of tickets'
    """
    ax = style.axes(ax)
    title = "Time to first response by scenario"
    style.dress(ax, title, "time since arrival (logarithmic)", "share of tickets", grid="both")
    if not len(frame):
        return style.nothing(ax, "no ticket got that far")
    high_s = 1.3 * float(frame["seconds"].max())
    style.duration_axis(ax, 0.8 * float(frame["seconds"].clip(lower=0.1).min()), high_s)
    ax.set_ylim(0, 1.02)
    style.percent_axis(ax)
    ends = []
    for k, (name, rows) in enumerate(frame.groupby("scenario", sort=False)):
        colour = style.COLOURS[k % len(style.COLOURS)]
        seconds = [*rows["seconds"].clip(lower=0.1), high_s]
        ax.step(seconds, [*rows["share"], rows["share"].iloc[-1]], where="post", color=colour,
                linewidth=1.5, label=str(name))  # fmt: skip
        ends.append((float(rows["share"].iloc[-1]), style.short(str(name), 18), colour))
    style.label_ends(ax, ends)
    return ax


def service_by_hour(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Share answered within target by hour of the week of arrival, as a heat map.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.service_by_hour`; hours without tickets stay empty.
    ax : Axes, optional

    Examples
    --------
    >>> ax = plots.service_by_hour(series.service_by_hour(log.tickets, desk))
    >>> ax.get_xlabel()
    'hour of the day'
    """
    ax = style.axes(ax, height=2.6)
    title = "First response within target, by hour of arrival"
    style.dress(ax, title, "hour of the day", grid="")
    if not frame["share"].notna().any():
        return style.nothing(ax, "no ticket was promised anything")
    low = float(np.nanmin(frame["share"].to_numpy()))
    bar = _week(frame, "share", ax, min(0.9, np.floor(low * 10) / 10), 1.0)
    style.percent_axis(bar.ax)
    return ax


def arrivals_by_hour(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Tickets that arrive by hour of the week, as a heat map.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.arrivals_by_hour`; hours that never came stay empty.
    ax : Axes, optional

    Examples
    --------
    >>> ax = plots.arrivals_by_hour(series.arrivals_by_hour(log.tickets, desk))
    >>> ax.get_xlabel()
    'hour of the day'
    """
    ax = style.axes(ax, height=2.6)
    style.dress(ax, "Tickets an hour, by hour of arrival", "hour of the day", grid="")
    if not frame["mean"].notna().any():
        return style.nothing(ax, "no hour was seen")
    _week(frame, "mean", ax, 0.0, max(float(np.nanmax(frame["mean"].to_numpy())), 1e-9))
    return ax


def _week(frame: pd.DataFrame, values: str, ax: Axes, low: float, high: float) -> Any:
    """A heat map of days by hours; returns its bar of colours."""
    grid = frame.pivot(index="day", columns="hour", values=values)
    mesh = ax.pcolormesh(np.arange(25), np.arange(8), grid.to_numpy(), cmap="cividis",
                         vmin=low, vmax=high, edgecolors=style.PAPER, linewidth=0.6)  # fmt: skip
    ax.set_ylim(7, 0)
    ax.set_yticks(np.arange(7) + 0.5, _DAYS)
    ax.set_xticks(np.arange(0, 25, 3), [f"{h:02d}" for h in range(0, 25, 3)])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    figure = ax.figure
    bar = figure.colorbar(mesh, ax=ax, pad=0.02, aspect=14)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=style.MUTED, labelsize=style.SIZE, length=2)
    return bar


def ratings(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Share of ratings with each number of stars, with intervals.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.rating_shares`.
    ax : Axes, optional

    Examples
    --------
    >>> ax = plots.ratings(series.rating_shares(results.summary().query("scenario == 'small'")))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('stars', 'share of ratings')
    """
    ax = style.axes(ax, height=2.7)
    style.dress(ax, "How customers rate the answer", "stars", "share of ratings")
    frame = frame.dropna(subset="share")
    if not len(frame):
        return style.nothing(ax, "no ratings")
    ax.bar(frame["rating"], frame["share"], width=0.66, color=style.BLUE)
    top = frame["share"].where(frame["high"].isna(), frame["high"])
    if frame["high"].notna().any():
        ax.vlines(frame["rating"], frame["low"], frame["high"], color=style.INK, linewidth=1.4)
        style.note(ax, "thin lines: 95 % interval")
    for rating, share, high in zip(frame["rating"], frame["share"], top, strict=True):
        ax.text(rating, high + 0.015, style.plain(f"{share:.1%}".replace("%", " %")), ha="center",
                fontsize=style.SIZE, color=style.INK)  # fmt: skip
    ax.set_xticks([1, 2, 3, 4, 5])
    ax.set_ylim(0, min(1.1, float(top.max()) * 1.15 + 0.02))
    style.percent_axis(ax)
    return ax


def ratings_by_category(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Mean rating of each category with its interval, best first.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.ratings_by_category`.
    ax : Axes, optional

    Examples
    --------
    >>> ax = plots.ratings_by_category(series.ratings_by_category(log.ratings, log.tickets))
    >>> ax.get_xlabel()
    'mean rating (1 to 5)'
    """
    ax = style.axes(ax, height=rows_height(len(frame)))
    style.dress(ax, "Rating by category", "mean rating (1 to 5)", grid="x")
    if not len(frame):
        return style.nothing(ax, "no ratings")
    y = np.arange(len(frame))
    ax.hlines(y, frame["low"].fillna(frame["mean"]), frame["high"].fillna(frame["mean"]),
              color=style.BLUE, linewidth=2)  # fmt: skip
    ax.plot(frame["mean"], y, "o", color=style.BLUE, markersize=5, label="mean")
    low = float(frame["low"].fillna(frame["mean"]).min())
    high = float(frame["high"].fillna(frame["mean"]).max())
    ax.set_xlim(max(1.0, low - 0.15), min(5.0, high + 0.15))
    ax.set_yticks(y, [style.short(str(name)) for name in frame["category"]])
    ax.tick_params(axis="y", labelcolor=style.INK)
    ax.set_ylim(len(frame) - 0.5, -0.5)
    if frame["low"].notna().any():
        style.note(ax, "lines: 95 % interval")
    return ax


def rows_height(rows: int) -> float:
    """Height in inches at which so many rows of names are legible."""
    return 0.95 + 0.235 * max(2, rows)


# Least share of a row that a cell shows.
_WRITTEN = 0.005


def confusion(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Categories given by the assistant, by true category.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.confusion`; shares add up to 1 in a row.
    ax : Axes, optional

    Examples
    --------
    >>> ax = plots.confusion(series.confusion(log.tickets, desk))
    >>> ax.get_title("left")
    'Categories: true and given'
    """
    names = list(dict.fromkeys(frame["true"]))
    ax = style.axes(ax, height=confusion_height(len(names)))
    style.dress(
        ax, "Categories: true and given", "given category (numbers as at the rows)", grid=""
    )
    if not len(frame):
        return style.nothing(ax, "nothing categorized by the assistant")
    grid = frame.pivot(index="true", columns="given", values="share").loc[names, names]
    shares = grid.to_numpy(dtype=np.float64)
    # What is not written has no colour: white cells would glare on a dark page.
    values = np.ma.masked_less(np.ma.masked_invalid(shares), _WRITTEN)
    ax.pcolormesh(values, cmap="Blues", vmin=0, vmax=1.15, edgecolors=style.PAPER, linewidth=0.8)
    for row in range(len(names)):
        for column in range(len(names)):
            share = shares[row, column]
            # Below half a per cent nothing is written: the table of the figures has it.
            if share >= _WRITTEN and len(names) <= 16:
                ink = "#ffffff" if share > 0.55 else "#23282d"
                ax.text(column + 0.5, row + 0.5, f"{share * 100:.0f}", ha="center", va="center",
                        fontsize=style.SIZE, color=ink)  # fmt: skip
    numbered = [f"{style.short(str(name), 27)}  {k}" for k, name in enumerate(names, start=1)]
    ax.set_yticks(np.arange(len(names)) + 0.5, numbered)
    ax.set_xticks(np.arange(len(names)) + 0.5, [str(k) for k in range(1, len(names) + 1)])
    ax.tick_params(length=0)
    ax.tick_params(axis="y", labelcolor=style.INK)
    ax.set_ylim(len(names), 0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    style.note(ax, "per cent of the true category (rows)", x=1.0, ha="right")
    return ax


def confusion_height(categories: int) -> float:
    """Height in inches at which so many categories are legible."""
    return 0.9 + 0.27 * max(2, categories)
