"""Figure of staff and load over a day or a week, by half hour."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from twin.report.plots import style
from twin.report.plots.stacked import below


def staff(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Agents on shift and busy, and below them the tickets that wait for one.

    Parameters
    ----------
    frame : DataFrame
        A row an interval, in order: day, start, agents on shift, agents busy, waiting and, where
        something was moved, before (waiting as it was).
    ax : Axes, optional

    Examples
    --------
    >>> frame = pd.DataFrame({"day": ["Mon"] * 2, "start": ["09:00", "09:30"],
    ...                       "agents on shift": [3.0, 4.0], "agents busy": [2.1, 2.6],
    ...                       "waiting": [0.4, 0.2]})
    >>> ax = staff(frame)
    >>> ax.get_ylabel(), ax.figure.axes[1].get_ylabel()
    ('agents', 'tickets')
    """
    ax = style.axes(ax, staff_height())
    style.dress(ax, "Staff and load", y="agents")
    if not len(frame):
        return style.nothing(ax, "no half hour was seen")
    edges = np.arange(len(frame) + 1)
    on_shift, busy = (frame[name].to_numpy() for name in ("agents on shift", "agents busy"))
    ax.fill_between(edges, 0, _closed(on_shift), step="post", color=style.GREY, alpha=0.35,
                    linewidth=0)  # fmt: skip
    ax.plot(edges, _closed(busy), color=style.RED, linewidth=1.4, drawstyle="steps-post")
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    _ticks(ax, frame)
    style.label_ends(ax, [(on_shift[-1], "on shift", style.GREY), (busy[-1], "busy", style.RED)],
                     0.13)  # fmt: skip
    lower = below(ax, 0.8)
    lower.set_ylabel("tickets", fontsize=style.SIZE, color=style.MUTED)
    ends = []
    looks = {"before": (style.INK, "as it is", ":"), "waiting": (style.BLUE, "waiting", "-")}
    for name, (colour, label, line) in looks.items():
        if name in frame:
            values = frame[name].to_numpy()
            lower.plot(edges, _closed(values), color=colour, linewidth=1.4, linestyle=line,
                       drawstyle="steps-post")  # fmt: skip
            ends.append((values[-1], label, colour))
    lower.set_ylim(bottom=0)
    style.label_ends(lower, ends, 0.16)
    return ax


def staff_height() -> float:
    """Height in inches of `staff`.

    Examples
    --------
    >>> staff_height() > style.HEIGHT
    True
    """
    return 3.9


def _closed(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[
    tuple[int], np.dtype[np.float64]
]:  # fmt: skip
    """The last value again, so that its step has a width."""
    return np.append(values, values[-1:])


def _ticks(ax: Axes, frame: pd.DataFrame) -> None:
    days = list(dict.fromkeys(frame["day"]))
    ax.set_xlim(0, len(frame))
    if len(days) == 1:
        named = {k: start for k, start in enumerate(frame["start"]) if start in _HOURS}
        ax.set_xticks(list(named), list(named.values()))
        return
    first = [int(np.flatnonzero((frame["day"] == day).to_numpy())[0]) for day in days]
    ends = [*first[1:], len(frame)]
    ax.set_xticks([(a + b) / 2 for a, b in zip(first, ends, strict=True)], days)
    ax.tick_params(axis="x", length=0)
    for at in first[1:]:
        ax.axvline(at, color=style.GRID, linewidth=0.7)


_HOURS = ("00:00", "04:00", "08:00", "12:00", "16:00", "20:00")
