"""The look of figures: colours, axes in people's units, direct labels.

Colours are those of Okabe and Ito (2008, Color Universal Design), told apart by colour-blind eyes.
All is set on the Axes itself, so that a figure looks the same in a notebook, in a report, or in a
user's own figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import (
    FixedLocator,
    Formatter,
    FuncFormatter,
    Locator,
    MaxNLocator,
    NullLocator,
)

from twin.scenario import clock
from twin.scenario.clock import DAY_S, HOUR_S

BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY, YELLOW, GREY = "#cc79a7", "#56b4e9", "#f0e442", "#8a9097"
BROWN = "#6b4c2a"
# From the muted scheme of Paul Tol, which the colour-blind can tell apart.
TEAL, WINE = "#44aa99", "#882255"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
# Ink, paper and lines; a report gives them the colours of its page.
INK, MUTED, GRID, PAPER = "#23272b", "#5b6268", "#dadde0", "#fefefe"
PRIORITY_COLOURS = {"urgent": RED, "high": ORANGE, "normal": BLUE, "low": GREEN}

# More levels than these are not named one by one.
_MOST_TICKS = 9

# Small on purpose: on a phone a figure fills the screen, and its letters stay letters.
WIDTH, HEIGHT = 5.0, 3.1
SIZE, SMALL = 10.5, 9.5

_DURATIONS = (
    (0.1, "0.1 s"), (1.0, "1 s"), (10.0, "10 s"), (60.0, "1 min"), (600.0, "10 min"),
    (3600.0, "1 h"), (14400.0, "4 h"), (86400.0, "1 d"), (604800.0, "1 w"),
)  # fmt: skip
_TIME_UNITS = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
# Of longer runs ticks are at first days of months, of so many months.
_LONG_S = 300 * DAY_S
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)
_FEW_TICKS = 6.5
_MONTH_S = 30.44 * DAY_S
_STEPS_S = (3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2419200, 7257600)


def axes(ax: Axes | None, height: float = HEIGHT, width: float = WIDTH) -> Axes:
    """The Axes given, or a new one that notebooks show."""
    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots(figsize=(width, height), layout="constrained")
    return ax


def dress(ax: Axes, title: str, x: str = "", y: str = "", *, grid: str = "y") -> None:
    """Title, labels with units, quiet lines."""
    ax.set_title(plain(title), loc="left", fontsize=SIZE + 1, color=INK, fontweight="bold")
    ax.set_xlabel(plain(x), fontsize=SIZE, color=MUTED)
    ax.set_ylabel(plain(y), fontsize=SIZE, color=MUTED)
    ax.tick_params(colors=MUTED, labelsize=SIZE, length=3, which="both")
    ax.set_facecolor("none")
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GRID)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(axis=grid, color=GRID, linewidth=0.7)  # type: ignore[arg-type]


def rows_of(frame: pd.DataFrame) -> Iterable[Any]:
    """Rows as named tuples, with a field a column.

    Examples
    --------
    >>> [row.stars for row in rows_of(pd.DataFrame({"stars": [4, 5]}))]
    [4, 5]
    """
    return frame.itertuples()


def plain(text: str) -> str:
    """Text that is shown as it is: dollars begin no formula."""
    return text.replace("$", r"\$")


def short(text: str, most: int = 30) -> str:
    """Text that is cut where it would fill the figure."""
    return plain(text if len(text) <= most else f"{text[: most - 1].rstrip()}…")


def note(ax: Axes, text: str, *, x: float = 0.0, y: float = 1.01, ha: str = "left") -> None:
    """A small remark, in fractions of the axes; above them by default, below the title."""
    if y > 1:
        below_title(ax, 1)
    ax.text(
        x, y, plain(text), transform=ax.transAxes, fontsize=SMALL, color=MUTED, ha=ha, va="bottom"
    )


def below_title(ax: Axes, lines: int) -> None:
    """Make room between title and axes for so many lines of small print."""
    ax.set_title(ax.get_title("left"), loc="left", pad=6 + 13 * lines, fontsize=SIZE + 1,
                 color=INK, fontweight="bold")  # fmt: skip


def nothing(ax: Axes, text: str) -> Axes:
    """Say that there is nothing to draw."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.text(0.5, 0.5, plain(text), transform=ax.transAxes, fontsize=SIZE, color=MUTED,
            ha="center", va="center")  # fmt: skip
    return ax


def label_ends(ax: Axes, labels: Iterable[tuple[float, str, str]], gap: float = 0.085) -> None:
    """Names of lines beside their right ends, moved apart where they would overlap.

    Parameters
    ----------
    ax : Axes
        With its lines drawn and its limits set.
    labels : iterable of (float, str, str)
        Where the line ends (y, in data), its name, its colour.
    gap : float
        Least distance between names, as a share of the height.
    """
    to_axes = ax.transData + ax.transAxes.inverted()
    left = ax.get_xlim()[0]
    placed = [(float(to_axes.transform((left, y))[1]), name, colour) for y, name, colour in labels]
    placed.sort(key=lambda item: item[0])
    heights = spread([item[0] for item in placed], gap)
    for y, (_, name, colour) in zip(heights, placed, strict=True):
        ax.plot([1.03], [y], marker="o", markersize=5, color=colour, transform=ax.transAxes,
                clip_on=False, linestyle="none", gid="key")  # fmt: skip
        ax.text(1.055, y, plain(name), transform=ax.transAxes, fontsize=SIZE, color=INK,
                va="center")  # fmt: skip


def spread(wanted: Sequence[float], gap: float, low: float = 0.0, high: float = 1.0) -> list[float]:
    """Places near the wanted ones (rising), at least a gap apart, within bounds where they fit.

    Examples
    --------
    >>> spread([0.5, 0.5], 0.25)
    [0.375, 0.625]
    """
    places = [min(max(float(y), low), high) for y in wanted]
    # Push overlapping pairs apart by halves until none is left; there are only a few labels.
    for _ in range(200):
        close = [k for k in range(len(places) - 1) if places[k + 1] - places[k] < gap - 1e-9]
        for k in close:
            push = (gap - (places[k + 1] - places[k])) / 2
            places[k] -= push
            places[k + 1] += push
        if not close:
            break
    # Then back within the bounds, from below and from above.
    for k in range(len(places)):
        places[k] = max(places[k], low if k == 0 else places[k - 1] + gap)
    for k in reversed(range(len(places))):
        places[k] = min(places[k], high if k == len(places) - 1 else places[k + 1] - gap)
    return places


class _Calendar(Locator):
    """Ticks at round hours or days of a run, by the local clock if it has a start."""

    def __init__(self, start: datetime | None) -> None:
        self._start = start

    def __call__(self) -> Any:
        assert self.axis is not None
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> Any:
        if self._start is not None and vmax - vmin > _LONG_S:
            first_days = _month_ticks(self._start, vmin, vmax)
            return np.array([at for at in first_days if vmin <= at <= vmax])
        fits = {step: _FEW_TICKS if step < DAY_S else 5.5 for step in _STEPS_S} | {86400: 8.5}
        step = next((s for s, most in fits.items() if (vmax - vmin) / s <= most), None)
        step = step or int(np.ceil((vmax - vmin) / 8 / 604800)) * 604800
        if self._start is None:
            return np.arange(np.ceil(vmin / step), np.floor(vmax / step) + 1) * step
        ticks = list(_local_ticks(self._start, vmax, step))
        return np.unique([at for at in ticks if vmin <= at <= vmax])


def _month_ticks(start: datetime, first_s: float, end_s: float) -> Iterator[float]:
    """Local midnights of first days of months, a few of them: in Januaries alone if of years."""
    span = (end_s - first_s) / _MONTH_S
    step = next((one for one in _MONTHS if span / one <= _FEW_TICKS), _MONTHS[-1])
    last = clock.local(end_s, start)
    for month in range(start.year * 12 + start.month - 1, last.year * 12 + last.month):
        if month % step == 0:
            yield clock.moment(date(month // 12, month % 12 + 1, 1), 0.0, start)


def _local_ticks(start: datetime, end_s: float, step: float) -> Iterator[float]:
    """Local midnights every so many days, or local hours every so many of a day."""
    # The end itself may be midnight.
    for number, (day, at) in enumerate(clock.days(start, end_s + 1)):
        if step >= DAY_S:
            if number % (step / DAY_S) == 0:
                yield at
            continue
        for clock_s in np.arange(0.0, DAY_S, step).tolist():
            tick = clock.moment(day, clock_s, start)
            # An hour that the clocks skip has no tick.
            if clock_s == 0 or clock.local(tick, start).hour == clock_s / HOUR_S:
                yield max(tick, 0.0)


def clock_axis(ax: Axes, end_s: float, start: date | None, warm_up_s: float = 0.0) -> None:
    """An x axis of simulated seconds, read as days and hours; the warm-up is shaded."""
    if start is not None and not isinstance(start, datetime):
        start = clock.midnight(start)
    ax.set_xlim(0, end_s)
    ax.xaxis.set_major_locator(_Calendar(start))
    ax.xaxis.set_major_formatter(_clock(end_s, start))
    long = end_s > 2 * 86400
    ax.set_xlabel("" if start is not None else f"{'days' if long else 'hours'} since the start")
    warm_up(ax, min(warm_up_s, end_s))
    if warm_up_s > 0:
        ax.text(0.006, 0.985, "warm-up", transform=ax.transAxes, fontsize=SMALL, color=MUTED,
                va="top")  # fmt: skip


def warm_up(ax: Axes, end_s: float) -> None:
    """Shade the warm-up, if there is any."""
    if end_s > 0:
        ax.axvspan(0, end_s, color=GREY, alpha=0.15, linewidth=0, gid="warm-up")


def _clock(end_s: float, start: datetime | None) -> Formatter:
    def label(moment_s: float, _: Any = None) -> str:
        if start is None:
            return f"{moment_s / (86400 if end_s > 2 * 86400 else 3600):g}"
        then = clock.local(moment_s, start)
        # By the day, not by 00:00: where the clocks skip midnight, a day begins at 01:00.
        if moment_s > 0 and clock.local(moment_s - 1, start).date() == then.date():
            return f"{then:%H:%M}"
        if end_s > _LONG_S:
            return f"{then:%Y}" if then.month == 1 else f"{then:%b}"
        return f"{then:%a}" if end_s <= 8.5 * DAY_S else f"{then.day} {then:%b}"

    return FuncFormatter(label)


def over_time(
    ax: Axes | None,
    frame: pd.DataFrame,
    title: str,
    y: str,
    empty: str,
    *,
    start: date | None,
    warm_up_s: float,
    height: float = HEIGHT,
) -> tuple[Axes, bool]:
    """Axes for a figure over the time of a run; without rows they only say that it is empty.

    Parameters
    ----------
    ax : Axes or None
    frame : DataFrame
        With end_s, or time_s of single moments.
    title, y : str
    empty : str
        Said where the frame has no rows.
    start : date, datetime or None
        First day of the run, or its midnight in a time zone; without it the axis counts days or
        hours.
    warm_up_s : float
        Length of the warm-up in seconds, to be shaded.
    height : float
        Inches of a new figure.

    Returns
    -------
    Axes, bool
        The second says whether there is anything to draw.
    """
    ax = axes(ax, height)
    dress(ax, title, y=y)
    if not len(frame):
        return nothing(ax, empty), False
    end_s = float(frame["end_s" if "end_s" in frame else "time_s"].max())
    clock_axis(ax, end_s, start, warm_up_s)
    return ax, True


def band(ax: Axes, x: Any, low: pd.Series[float], high: Any, colour: str, label: str) -> bool:
    """Shade between bounds, unless all are missing; returns whether there were any."""
    if not low.notna().any():
        return False
    ax.fill_between(x, low, high, color=colour, alpha=0.22, linewidth=0, label=label)
    return True


def duration_axis(ax: Axes, low_s: float, high_s: float, *, axis: str = "x") -> None:
    """A logarithmic axis of seconds, read as seconds, minutes, hours and days."""
    low_s, high_s = max(low_s, 0.01), max(high_s, 0.1)
    of = ax.xaxis if axis == "x" else ax.yaxis
    (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
    (ax.set_xlim if axis == "x" else ax.set_ylim)(low_s, high_s)
    inside = [(s, name) for s, name in _DURATIONS if low_s <= s <= high_s]
    names = dict(inside)
    of.set_major_locator(FixedLocator([s for s, _ in inside]))
    of.set_minor_locator(NullLocator())
    of.set_major_formatter(FuncFormatter(lambda s, _: names.get(s, f"{s:g} s")))


def stretched_axis(ax: Axes, high_s: float) -> None:
    """An x axis of seconds from 0 on, by their fourth root: the first second and the day show."""

    def root(s: Any) -> Any:
        return np.clip(s, 0, None) ** 0.25

    ax.set_xscale("function", functions=(root, lambda x: np.clip(x, 0, None) ** 4))
    ax.set_xlim(0, high_s)
    inside: list[tuple[float, str]] = []
    for s, name in _DURATIONS:
        # In a long one the first names would run into each other.
        apart = not inside or root(s) - root(inside[-1][0]) > 0.07 * root(high_s)
        if 1 <= s <= high_s and s != 10 and apart:
            inside.append((s, name))
    ax.xaxis.set_major_locator(FixedLocator([s for s, _ in inside]))
    ax.xaxis.set_minor_locator(NullLocator())
    names = dict(inside)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda s, _: names.get(s, f"{s:g} s")))


def percent_axis(ax: Axes, *, axis: str = "y", mark: str = " %") -> None:
    """An axis of shares, read as per cent; without the mark, as points."""
    of = ax.xaxis if axis == "x" else ax.yaxis
    of.set_major_formatter(FuncFormatter(lambda v, _: f"{round(v * 100, 6):g}{mark}"))


def levels_axis(ax: Axes, levels: pd.Series[float]) -> None:
    """An x axis of a factor's levels: by ratio where they grow by ratio, each level with a tick."""
    ticks = sorted(set(levels))
    if not pd.api.types.is_numeric_dtype(levels) or len(ticks) > _MOST_TICKS:
        return
    if ticks[0] > 0 and ticks[-1] / ticks[0] >= 8:
        ax.set_xscale("log")
        ax.minorticks_off()
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])


def time_axis(ax: Axes) -> str:
    """A y axis of seconds in the unit that suits its upper end; returns the unit."""
    high_s = ax.get_ylim()[1]
    size, name = unit_of(high_s)
    low, high = (limit / size for limit in ax.get_ylim())
    ticks = MaxNLocator(nbins=7, steps=[1, 2, 3, 5, 6, 10]).tick_values(low, high)
    ax.set_yticks([tick * size for tick in ticks if low <= tick <= high])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{s / size:g}"))
    return name


def unit_of(high_s: float) -> tuple[float, str]:
    """Seconds and name of the unit of time that suits an axis that ends there.

    Examples
    --------
    >>> unit_of(900.0), unit_of(90.0)
    ((60.0, 'minutes'), (1.0, 'seconds'))
    """
    return next((size, name) for size, name in _TIME_UNITS if high_s >= 2 * size or size == 1)
