"""Figures of model calls: their latency, and the effect of the provider's limits."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from twin.report.plots import style


def call_latency(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Latency of model calls against the tokens they wrote, by step.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.call_sample`.
    ax : Axes, optional

    Examples
    --------
    >>> ax = plots.call_latency(series.call_sample(log.calls))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('tokens written', 'seconds')
    """
    ax = style.axes(ax)
    style.dress(ax, "Latency of model calls", "tokens written", "seconds", grid="both")
    if not len(frame):
        return style.nothing(ax, "no model calls")
    looks = {"categorize": (style.ORANGE, "^"), "respond": (style.BLUE, "o")}
    for k, (names, rows) in enumerate(frame.groupby(["model", "step"], sort=False)):
        model, step = str(names[0]), str(names[1])
        colour, mark = looks.get(step, (style.GREY, "s"))
        if frame["model"].nunique() > 1:
            colour = style.COLOURS[(k // 2) % len(style.COLOURS)]
        ax.scatter(rows["tokens"], rows["latency_s"], s=9, color=colour, marker=mark, alpha=0.55,
                   linewidths=0, label=f"{step}, {style.short(model)}")  # fmt: skip
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    style.below_title(ax, min(4, frame.groupby(["model", "step"]).ngroups))
    ax.legend(fontsize=style.SMALL, frameon=False, labelcolor=style.INK, loc="lower left",
              bbox_to_anchor=(-0.02, 1.0), borderaxespad=0.1, ncols=1, handletextpad=0.2,
              markerscale=1.6)  # fmt: skip
    return ax


def _steps(
    frame: pd.DataFrame, column: str, ax: Axes | None, colour: str, *words: str, **clock: Any
) -> Axes:
    """A column as filled steps over the run; an empty figure where it is 0 throughout."""
    value = frame[column].fillna(0.0)
    there = frame if value.gt(0).any() else frame[:0]
    ax, any_rows = style.over_time(ax, there, *words, **clock, height=2.3)
    if any_rows:
        ax.stairs(value, [*frame["start_s"], frame["end_s"].iloc[-1]], fill=True, color=colour,
                  linewidth=0, label=column)  # fmt: skip
        ax.set_ylim(0, max(float(value.max()) * 1.08, 1e-3))
    return ax


def quota_wait(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    start: date | None = None,
    warm_up_s: float = 0.0,
) -> Axes:
    """Mean pause of model calls for quota, over the run.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.calls_over_time`.
    ax : Axes, optional
    start : date or datetime, optional
        `Scenario.midnight`, or the first day, read as one of UTC; without it the axis counts days.
    warm_up_s : float
        Length of the warm-up in seconds, to be shaded.

    Examples
    --------
    >>> ax = plots.quota_wait(series.calls_over_time(log.calls, desk.horizon))
    >>> ax.get_ylabel()
    'seconds a call (mean)'
    """
    words = ("Wait for quota", "seconds a call (mean)", "no call had to wait for quota")
    clock = {"start": start, "warm_up_s": warm_up_s}
    return _steps(frame, "quota_wait_s", ax, style.PURPLE, *words, **clock)


def rate_limited(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    start: date | None = None,
    warm_up_s: float = 0.0,
) -> Axes:
    """Answers 429 (too many requests) over the run.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.calls_over_time`.
    ax, start, warm_up_s
        As in `quota_wait`.

    Examples
    --------
    >>> ax = plots.rate_limited(series.calls_over_time(log.calls, desk.horizon))
    >>> ax.get_title("left")
    'Calls refused for quota (429)'
    """
    y = f"answers 429 {_every(frame)}"
    words = ("Calls refused for quota (429)", y, "no call was answered 429")
    clock = {"start": start, "warm_up_s": warm_up_s}
    return _steps(frame, "rate_limited", ax, style.RED, *words, **clock)


def _every(frame: pd.DataFrame) -> str:
    if not len(frame):
        return "an interval"
    length_s = float((frame["end_s"] - frame["start_s"]).iloc[0])
    if length_s == 3600:
        return "an hour"
    if length_s < 3600:
        return f"in {length_s / 60:g} minutes"
    return f"in {length_s / 3600:g} hours" if length_s < 172800 else f"in {length_s / 86400:g} days"
