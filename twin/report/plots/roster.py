"""Figures of a roster: agents by interval beside load and needs, and the service level over it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from twin.report.plots import style

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
# Intervals between two days.
_GAP = 3


def agents(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Agents on shift by interval and day, over the load and what is needed.

    Parameters
    ----------
    frame : DataFrame
        A row an interval: day, start, agents, load and, where known, erlang (agents to schedule by
        Erlang A), simulated (by the simulation), planned (by a plan of shifts).
    ax : Axes, optional

    Examples
    --------
    >>> frame = pd.DataFrame({"day": ["Mon"] * 2, "start": ["09:00", "09:30"],
    ...                       "agents": [3.0, 4.0], "load": [2.1, 2.6]})
    >>> agents(frame).get_ylabel()
    'agents'
    """
    ax = style.axes(ax)
    style.dress(ax, "Agents on shift and the load", y="agents")
    if not len(frame):
        return style.nothing(ax, "no interval was seen")
    x, days = _places(frame)
    shown = "planned" if "planned" in frame else "agents"
    for day in days:
        on = (frame["day"] == day).to_numpy()
        edges = np.append(x[on], x[on][-1:] + 1)
        level = np.append(frame[shown][on], frame[shown][on].iloc[-1:])
        ax.fill_between(edges, 0, level, step="post", color=style.GREY, alpha=0.35, linewidth=0)
        for name, (colour, _, line) in _LINES.items():
            if name in frame and name != shown:
                step = np.append(frame[name][on], frame[name][on].iloc[-1:])
                ax.plot(edges, step, drawstyle="steps-post", color=colour, linewidth=1.3,
                        linestyle=line)  # fmt: skip
    _day_axis(ax, frame, x, days)
    ax.set_ylim(bottom=0)
    ends = [(0.5 * ax.get_ylim()[1], _LINES[shown][1], style.GREY)]
    ends += [
        (float(frame[name].max()), label, colour)
        for name, (colour, label, _) in _LINES.items()
        if name in frame and name != shown
    ]
    style.label_ends(ax, ends)
    return ax


_LINES = {
    "load": (style.ORANGE, "busy by the load", "-"),
    "erlang": (style.PURPLE, "needed: Erlang A", ":"),
    "simulated": (style.BLUE, "needed: simulated", "-"),
    "agents": (style.GREEN, "on shift today", "--"),
    "planned": (style.GREY, "planned", "-"),
}


def served(frame: pd.DataFrame, target: float, ax: Axes | None = None) -> Axes:
    """Share answered in time by interval and day, with its interval, over the target.

    Parameters
    ----------
    frame : DataFrame
        A row an interval: day, start, served, low, high (missing: no ticket was judged).
    target : float
        Share that is to be reached.
    ax : Axes, optional

    Examples
    --------
    >>> frame = pd.DataFrame({"day": ["Mon"] * 2, "start": ["09:00", "09:30"],
    ...                       "served": [0.7, 0.9], "low": [0.6, 0.8], "high": [0.8, 0.97]})
    >>> served(frame, 0.8).get_ylabel()
    'of the tickets'
    """
    ax = style.axes(ax)
    style.dress(ax, "Answered in time", y="of the tickets")
    if not len(frame):
        return style.nothing(ax, "no interval was seen")
    x, days = _places(frame)
    ax.axhline(target, color=style.INK, linewidth=1, linestyle="--")
    for day in days:
        on = (frame["day"] == day).to_numpy()
        middle = x[on] + 0.5
        style.band(ax, middle, frame["low"][on], frame["high"][on], style.BLUE, day)
        ax.plot(middle, frame["served"][on], color=style.BLUE, linewidth=1.3, marker="o",
                markersize=2)  # fmt: skip
    _day_axis(ax, frame, x, days)
    ax.set_ylim(0, 1.02)
    style.percent_axis(ax)
    style.note(ax, f"dashed: the target, {target:.0%}; shaded: the 95 % interval")
    return ax


def beside_today(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Agents on shift by hour of the week beside those of today, over the tickets that come.

    Parameters
    ----------
    frame : DataFrame
        A row an hour: day, start, today, agents, tickets (an hour; missing: not drawn).
    ax : Axes, optional

    Examples
    --------
    >>> frame = pd.DataFrame({"day": ["Mon"] * 2, "start": ["09:00", "10:00"],
    ...                       "today": [3.0, 4.0], "agents": [3.0, 5.0], "tickets": [20.0, 26.0]})
    >>> beside_today(frame).get_ylabel()
    'agents'
    """
    ax = style.axes(ax)
    style.dress(ax, "Agents on shift", y="agents")
    frame = open_hours(frame, "today", "agents")
    if not len(frame):
        return style.nothing(ax, "nobody is on shift")
    x, days = _places(frame)
    known = bool(frame["tickets"].notna().any())
    upper, lower = _two(ax) if known else (ax, None)
    _steps(upper, frame, x, "agents", style.BLUE, fill=0.25)
    _steps(upper, frame, x, "today", style.INK, line="--")
    _day_axis(upper, frame, x, days)
    upper.set_ylim(bottom=0)
    upper.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    style.note(upper, "blue: found · dashed: as it is now")
    if lower is not None:
        upper.tick_params(axis="x", labelbottom=False)
        upper.set_xlabel("")
        style.dress(lower, "", y="tickets/h")
        _steps(lower, frame, x, "tickets", style.ORANGE, fill=0.3)
        _day_axis(lower, frame, x, days)
        lower.set_ylim(bottom=0)
        lower.yaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
    return ax


def _two(ax: Axes) -> tuple[Axes, Axes]:
    """Two charts below each other in the place of one."""
    place, figure = ax.get_subplotspec(), ax.get_figure(root=True)
    assert place is not None
    assert figure is not None
    grid = place.subgridspec(2, 1, height_ratios=[2, 1])
    ax.set_subplotspec(grid[0])
    return ax, figure.add_subplot(grid[1])


def _steps(
    ax: Axes, frame: pd.DataFrame, x: Floats, name: str, colour: str, *, fill: float = 0.0,
    line: str = "-",
) -> None:  # fmt: skip
    """A figure by interval, day by day; filled with that opacity."""
    for day in dict.fromkeys(frame["day"]):
        on = (frame["day"] == day).to_numpy()
        edges = np.append(x[on], x[on][-1:] + 1)
        level = np.append(frame[name][on], frame[name][on].iloc[-1:])
        if fill:
            ax.fill_between(edges, 0, level, step="post", color=colour, alpha=fill, linewidth=0)
        ax.plot(edges, level, drawstyle="steps-post", color=colour, linewidth=1.4, linestyle=line)


def open_hours(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The intervals between the first and the last of a day with anything in some columns."""
    busy = frame[[c for c in columns if c in frame]].fillna(0).gt(0).any(axis=1)
    starts = frame.loc[busy, "start"]
    if starts.empty:
        return frame
    return frame[frame["start"].between(starts.min(), starts.max())].reset_index(drop=True)


def _places(frame: pd.DataFrame) -> tuple[Floats, list[str]]:
    days = list(dict.fromkeys(frame["day"]))
    number = frame["day"].map({day: k for k, day in enumerate(days)}).to_numpy()
    return np.arange(len(frame)) + _GAP * number.astype(float), days


def _day_axis(ax: Axes, frame: pd.DataFrame, x: Floats, days: list[str]) -> None:
    ax.set_xlim(x[0] - 1, x[-1] + 2)
    ax.tick_params(axis="x", length=0)
    if len(days) == 1:
        few = range(0, len(frame), max(1, len(frame) // 6))
        ax.set_xticks([x[k] for k in few], [str(frame["start"].iloc[k]) for k in few])
        return
    middles = [x[(frame["day"] == day).to_numpy()].mean() + 0.5 for day in days]
    ax.set_xticks(middles, days)
    ends = [x[(frame["day"] == day).to_numpy()][-1] + 1 + _GAP / 2 for day in days[:-1]]
    for at in ends:
        ax.axvline(at, color=style.GRID, linewidth=0.7)
    first, last = frame["start"].iloc[0], frame["start"].iloc[-1]
    ax.set_xlabel(f"each day from {first} to {last}", fontsize=style.SIZE, color=style.MUTED)
