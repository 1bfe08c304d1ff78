"""Figures of a fidelity report: distance by rung, waits by hour."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from twin.report.plots import style


def rungs(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Distance of a twin from the desk by rung, with intervals; dashed: the limit of the floor.

    Parameters
    ----------
    frame : DataFrame
        Rows of one measure of `twin.Fidelity.rungs`, in the order in which they are drawn.
    ax : Axes, optional

    Examples
    --------
    >>> rows = pd.DataFrame({"rung": ["V", "F"], "value": [3.0, 5.0], "low": [2.0, 4.0],
    ...                      "high": [4.0, 7.0], "limit": [6.0, 6.0], "replay": [8.0, 8.0]})
    >>> rungs(rows).get_ylabel()
    'distance (s)'
    """
    ax = style.axes(ax)
    style.dress(ax, "Distance by rung", "what is given of the test", "distance (s)")
    if not len(frame):
        return style.nothing(ax, "nothing was compared")
    at = np.arange(len(frame))
    ax.vlines(at, frame["low"], frame["high"], color=style.BLUE, linewidth=1.6)
    ax.plot(at, frame["value"], "o", color=style.BLUE, markersize=6, label="twin")
    last = frame.iloc[-1]
    if np.isfinite(last["limit"]):
        ax.axhline(last["limit"], color=style.GREEN, linewidth=1.2, linestyle="--")
    if np.isfinite(last["replay"]):
        ax.axhline(last["replay"], color=style.GREY, linewidth=1.2, linestyle=":")
    ax.set_xticks(at, [str(name) for name in frame["rung"]])
    ax.set_xlim(-0.5, len(frame) - 0.5)
    ax.set_ylim(bottom=0)
    style.note(ax, "dashed: limit of the floor · dotted: replay")
    return ax


def hourly_waits(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Mean wait by local hour: the desk's, and the twin's with its band.

    Parameters
    ----------
    frame : DataFrame
        `twin.Fidelity.hours`.
    ax : Axes, optional

    Examples
    --------
    >>> rows = pd.DataFrame({"hour": [8, 9], "real": [30.0, 40.0], "twin": [35.0, 38.0],
    ...                      "low": [30.0, 30.0], "high": [40.0, 45.0]})
    >>> hourly_waits(rows).get_xlabel()
    'local hour of arrival'
    """
    ax = style.axes(ax)
    style.dress(ax, "Mean wait by hour", "local hour of arrival", "mean wait (s)")
    if not len(frame):
        return style.nothing(ax, "no hour has enough tickets")
    hour = frame["hour"]
    ax.fill_between(hour, frame["low"], frame["high"], color=style.SKY, alpha=0.35, linewidth=0)
    ax.plot(hour, frame["twin"], color=style.BLUE, linewidth=1.6, label="twin")
    ax.plot(hour, frame["real"], color=style.ORANGE, linewidth=1.6, marker="o", markersize=3,
            label="desk")  # fmt: skip
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda h, _: f"{h:.0f}:00"))
    ends = [(float(frame["twin"].iloc[-1]), "twin", style.BLUE)]
    ends += [(float(frame["real"].iloc[-1]), "desk", style.ORANGE)]
    style.label_ends(ax, ends)
    style.note(ax, "shaded: where a right twin has the desk, 95 of 100")
    return ax
