"""Figures of a forecast: what came, and what may come, with bands."""

from __future__ import annotations

from datetime import date

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from twin.report.plots import style


def arrivals_ahead(
    seen: pd.DataFrame, ahead: pd.DataFrame, ax: Axes | None = None, *, each: str = "day"
) -> Axes:
    """Arrivals of days or weeks that were, and bands of those ahead.

    Parameters
    ----------
    seen : DataFrame
        A row a day or week: at (date), tickets.
    ahead : DataFrame
        Likewise: at, expected, low95, low80, high80, high95.
    ax : Axes, optional
    each : str
        What a row is: day or week.

    Examples
    --------
    >>> days = pd.date_range("2026-03-02", periods=2)
    >>> ahead = pd.DataFrame({"at": days, "expected": [9.0, 8], "low95": [3.0, 2],
    ...                       "low80": [5.0, 4], "high80": [13.0, 12], "high95": [16.0, 15]})
    >>> seen = pd.DataFrame({"at": days - pd.Timedelta(days=2), "tickets": [8.0, 9]})
    >>> arrivals_ahead(seen, ahead).get_ylabel()
    'tickets a day'
    """
    ax = style.axes(ax)
    style.dress(ax, f"Tickets by {each}, and those ahead", y=f"tickets a {each}")
    if len(seen):
        ax.plot(_ordinals(seen["at"]), seen["tickets"], color=style.INK, linewidth=1.1, marker="o",
                markersize=2.5)  # fmt: skip
    x = _ordinals(ahead["at"])
    if len(ahead) == 1:
        row = ahead.iloc[0]
        for low, high, width in (("low95", "high95", 2.0), ("low80", "high80", 5.0)):
            ax.plot([x[0], x[0]], [row[low], row[high]], color=style.BLUE, linewidth=width,
                    alpha=0.45, solid_capstyle="butt")  # fmt: skip
    style.band(ax, x, ahead["low95"], ahead["high95"], style.BLUE, "95 %")
    style.band(ax, x, ahead["low80"], ahead["high80"], style.BLUE, "80 %")
    ax.plot(x, ahead["expected"], color=style.BLUE, linewidth=1.5, marker="o", markersize=2.5)
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 7, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(_day))
    style.note(ax, "blue: expected; shaded: bands of 80 and 95 %")
    return ax


def _ordinals(at: pd.Series[pd.Timestamp]) -> list[int]:
    return [one.toordinal() for one in at]


def _day(at: float, _: object) -> str:
    day = date.fromordinal(max(round(at), 1))
    return f"{day.day} {day:%b}"
