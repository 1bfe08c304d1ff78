"""Figures of models side by side: shares with their intervals, and pass^k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from twin.report.plots import style

# More lines than this cannot be told apart.
MOST_MODELS = len(style.COLOURS)
_SHARES = (("accuracy", "right category"), ("quality", "quality"), ("solved", "solved"))


def shares_height(models: int) -> float:
    """Height of `shares`, in inches."""
    return 1.2 + 0.62 * models


def shares(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Accuracy, quality and solved tickets of each model, with their intervals.

    Parameters
    ----------
    table : DataFrame
        As of `twin.experiments.model_table.model_table`.
    ax : Axes, optional
    """
    ax = style.axes(ax, height=shares_height(len(table)))
    style.dress(ax, "Shares, with 95 % intervals over tickets", grid="x")
    for number, (name, words) in enumerate(_SHARES):
        colour, mark = style.COLOURS[number], style.MARKERS[number]
        at = np.arange(len(table)) + (number - 1) * 0.24
        known = table[name].notna()
        ax.hlines(at[known], table.loc[known, f"{name}_low"], table.loc[known, f"{name}_high"],
                  color=colour, linewidth=2)  # fmt: skip
        ax.plot(table.loc[known, name], at[known], mark, color=colour, markersize=6, label=words)
    ax.set_yticks(np.arange(len(table)), [style.short(name, 24) for name in table["model"]])
    ax.tick_params(axis="y", length=0, labelcolor=style.INK)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    style.percent_axis(ax, axis="x")
    _legend(ax, len(_SHARES), short=True)
    return ax


def passes(frames: Mapping[str, pd.DataFrame], ax: Axes | None = None) -> Axes:
    """pass^k of each model: tickets that are solved at each of k attempts.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        By model, as of `twin.experiments.model_table.passes`.
    ax : Axes, optional
    """
    ax = style.axes(ax)
    style.dress(ax, "Solved at each of k attempts (pass^k)", "k, attempts at a ticket")
    most = 1
    aside = _aside(list(frames))
    for number, (name, frame) in enumerate(list(frames.items())[:MOST_MODELS]):
        known = frame[frame["value"].notna()]
        if not len(known):
            continue
        colour, at = style.COLOURS[number], known["k"] + aside[number]
        ax.vlines(at, known["low"], known["high"], color=colour, linewidth=1.6)
        ax.plot(at, known["value"], color=colour, marker=style.MARKERS[number], markersize=5.5,
                linewidth=1.4, label=style.short(name, 24))  # fmt: skip
        most = max(most, int(known["k"].max()))
    ax.set_xticks(range(1, most + 1))
    ax.set_xlim(0.6, most + 0.4)
    ax.set_ylim(0, 1)
    style.percent_axis(ax)
    _legend(ax, len(frames))
    return ax


def _aside(names: Sequence[str]) -> list[float]:
    """Small steps to the side, so that intervals do not hide each other."""
    return [0.07 * (k - (len(names) - 1) / 2) for k in range(len(names))]


def _legend(ax: Axes, entries: int, short: bool = False) -> None:
    if not ax.get_legend_handles_labels()[0]:
        return
    columns = entries if entries <= 2 or short else 2
    style.below_title(ax, -(-entries // columns))
    ax.legend(fontsize=style.SMALL, frameon=False, labelcolor=style.INK, ncols=columns,
              loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.1, columnspacing=1.0,
              handlelength=1.4)  # fmt: skip
