"""Figures over time: of a run its flows, levels, statuses and ratings; the lives of tickets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from twin.report.plots import style
from twin.report.plots.stacked import below

_BAND = "shaded: middle 80 % of replications"
# Arguments are written out in each function, so that its help and editors show them.

# More versions of prompts than these cannot be named beside each other.
_MOST_NAMED = 4


def _lines(
    ax: Axes,
    frame: pd.DataFrame,
    by: str,
    looks: dict[str, tuple[str, str]],
    gap: float = 0.085,
) -> bool:
    """Draw a line and its band for each value of a column; returns whether there is any band."""
    ends = []
    banded = False
    for name, (colour, label) in looks.items():
        rows = frame[frame[by] == name]
        if not len(rows):
            continue
        middle_s = (rows["start_s"] + rows["end_s"]) / 2
        ax.plot(middle_s, rows["mean"], color=colour, linewidth=1.6, label=label)
        banded |= style.band(ax, middle_s, rows["low"], rows["high"], colour, f"{label} band")
        ends.append((rows["mean"].iloc[-1], label, colour))
    ax.set_ylim(bottom=0)
    style.label_ends(ax, ends, gap)
    return banded


def throughput(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    start: date | None = None,
    warm_up_s: float = 0.0,
) -> Axes:
    """Tickets that arrive and that are resolved, an hour, over the run.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.throughput`.
    ax : Axes, optional
    start : date or datetime, optional
        `Scenario.midnight`, or the first day, read as one of UTC; without it the axis counts days.
    warm_up_s : float
        Length of the warm-up in seconds, to be shaded.

    Examples
    --------
    >>> ax = plots.throughput(series.throughput(log.tickets, desk.horizon), start=desk.midnight)
    >>> ax.get_ylabel()
    'tickets an hour'
    """
    ax, any_rows = style.over_time(
        ax,
        frame,
        "Arrivals and throughput",
        "tickets an hour",
        "no tickets",
        start=start,
        warm_up_s=warm_up_s,
    )
    looks = {"arrivals": (style.ORANGE, "arrivals"), "resolved": (style.BLUE, "resolved")}
    if any_rows and _lines(ax, frame, "flow", looks):
        style.note(ax, _BAND)
    return ax


def backlog(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    start: date | None = None,
    warm_up_s: float = 0.0,
) -> Axes:
    """Open tickets over the run, and below them agents on shift, busy and, where they go, away.

    Tickets and agents have scales of their own: eighty tickets would flatten eleven agents.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.levels_over_time`.
    ax, start, warm_up_s
        As in `throughput`.

    Examples
    --------
    >>> ax = plots.backlog(series.levels_over_time(results.table("levels")))
    >>> ax.get_ylabel(), ax.figure.axes[1].get_ylabel()
    ('tickets', 'agents')
    """
    ax, any_rows = style.over_time(
        ax,
        frame,
        "Backlog and staffing",
        "tickets",
        "nothing recorded",
        start=start,
        warm_up_s=warm_up_s,
        height=backlog_height(),
    )
    if not any_rows:
        return ax
    there = frame[frame["level"].isin(frame.loc[frame["mean"] > 0, "level"]) |
                  (frame["level"] == "backlog")]  # fmt: skip
    banded = _lines(ax, there, "level", {"backlog": (style.BLUE, "open tickets")})
    people = {
        "busy": (style.RED, "agents busy"),
        "away": (style.PURPLE, "agents away"),
        "staffed": (style.GREY, "agents on shift"),
    }
    if there["level"].isin(people).any():
        lower = below(ax, 0.8)
        lower.set_ylabel("agents", fontsize=style.SIZE, color=style.MUTED)
        _staff(lower, there[there["level"] == "staffed"])
        banded |= _lines(lower, there, "level", people, 0.13)
        # Nobody counts half agents.
        lower.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        style.warm_up(lower, warm_up_s)
    if banded:
        style.note(ax, _BAND)
    return ax


def _staff(ax: Axes, staffed: pd.DataFrame) -> None:
    """Shade the agents on shift."""
    if len(staffed):
        middle_s = (staffed["start_s"] + staffed["end_s"]) / 2
        ax.fill_between(middle_s, 0, staffed["mean"], color=style.GREY, alpha=0.3, linewidth=0,
                        step="mid", label="staffed area")  # fmt: skip


def backlog_height(agents: bool = True) -> float:
    """Height in inches of `backlog`, with or without agents below the tickets.

    Examples
    --------
    >>> backlog_height() > backlog_height(agents=False)
    True
    """
    return 4.3 if agents else style.HEIGHT


def overlaid(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    start: date | None = None,
    warm_up_s: float = 0.0,
) -> Axes:
    """Open tickets of several scenarios over the run, a line each.

    Parameters
    ----------
    frame : DataFrame
        As for `backlog`, of the level backlog, with a column scenario.
    ax, start, warm_up_s
        As in `throughput`.

    Examples
    --------
    >>> levels = series.levels_over_time(results.table("levels")).query("level == 'backlog'")
    >>> ax = plots.overlaid(levels.assign(scenario="small"))
    >>> ax.get_ylabel()
    'open tickets'
    """
    ax, any_rows = style.over_time(
        ax,
        frame,
        "Open tickets by scenario",
        "open tickets",
        "nothing recorded",
        start=start,
        warm_up_s=warm_up_s,
    )
    if not any_rows:
        return ax
    names = list(dict.fromkeys(frame["scenario"]))
    colours = {name: style.COLOURS[k % len(style.COLOURS)] for k, name in enumerate(names)}
    ends = []
    for name in names:
        rows = frame[frame["scenario"] == name]
        middle_s = (rows["start_s"] + rows["end_s"]) / 2
        ax.plot(middle_s, rows["mean"], color=colours[name], linewidth=1.6, label=name)
        # Bands of several lines are a mush.
        ends.append((rows["mean"].iloc[-1], style.short(name, 18), colours[name]))
    ax.set_ylim(bottom=0)
    style.label_ends(ax, ends)
    style.note(ax, "means of replications")
    return ax


STATUS_COLOURS = {
    "Open": style.SKY,
    "Categorized": style.YELLOW,
    "In Progress": style.BLUE,
    "Waiting for customer": style.TEAL,
    "On hold": style.WINE,
    "Pending Review": style.PURPLE,
    "Escalated": style.RED,
    "Reopened": style.ORANGE,
    "Resolved": style.GREEN,
    "Closed": style.GREY,
    "Abandoned": style.BROWN,
}


# Most names in the key of a figure, and what stands for the rest.
_MOST_STATUSES, _OTHERS = 10, "others"


def status_colours(frame: pd.DataFrame) -> dict[str, str]:
    """A colour for each name of a status, the same in all figures of a run.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.statuses`, of all statuses: of several names for a status the most
        frequent one has its colour, the others take colours of statuses that do not occur.

    Examples
    --------
    >>> status_colours(pd.DataFrame({"status": ["Open"], "name": ["Neu"], "mean": [1.0]}))
    {'Neu': '#56b4e9'}
    """
    total = frame.groupby(["status", "name"], observed=True)["mean"].sum()
    order = total.sort_values(ascending=False, kind="stable").index.to_list()
    free = [colour for status, colour in STATUS_COLOURS.items() if status not in dict(order)]
    found: dict[str, str] = {}
    given: set[str] = set()
    for status, name in order:
        if name in found:
            continue
        own = STATUS_COLOURS.get(str(status), style.GREY)
        found[name] = own if status not in given else (free or [style.GREY]).pop(0)
        given.add(status)
    return found


def names_of(frame: pd.DataFrame) -> pd.Series[str]:
    """Names of statuses: a desk's own, where it has any."""
    return (frame["name"] if "name" in frame else frame["status"]).astype(str)


def statuses(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    start: date | None = None,
    warm_up_s: float = 0.0,
    colours: Mapping[str, str] | None = None,
) -> Axes:
    """Tickets by status over the run, as a stacked area; a desk's own statuses by their names.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.statuses`; all its statuses are drawn, so leave out those that would
        dwarf the others (as Closed would): ``frame[frame["status"].isin(series.OPEN_STATUSES)]``.
    ax, start, warm_up_s
        As in `throughput`.
    colours : dict of str to str, optional
        By name; default: own statuses of this frame have colours that differ where they can.

    Examples
    --------
    >>> frame = series.statuses(log.timeline, desk.horizon)
    >>> ax = plots.statuses(frame[frame["status"].isin(series.OPEN_STATUSES)])
    >>> ax.get_title("left")
    'Tickets by status'
    """
    ax, any_rows = style.over_time(
        ax,
        frame,
        "Tickets by status",
        "tickets",
        "no open tickets",
        start=start,
        warm_up_s=warm_up_s,
    )
    if not any_rows:
        return ax
    frame = frame.assign(name=names_of(frame))
    looks = status_colours(frame) if colours is None else colours
    table = frame.pivot_table(index="start_s", columns="name", values="mean", aggfunc="sum")
    # Those with the most tickets below, so that the small ones ride on a calm edge.
    table = table.fillna(0.0)[table.sum().sort_values(ascending=False).index]
    if len(table.columns) > _MOST_STATUSES:
        rest = table.columns[_MOST_STATUSES - 1 :]
        table = table.assign(**{_OTHERS: table[rest].sum(axis=1)}).drop(columns=rest)
    middle_s = frame.drop_duplicates("start_s").set_index("start_s")["end_s"]
    x = (table.index.to_numpy() + middle_s.reindex(table.index).to_numpy()) / 2
    names = [str(name) for name in table]
    filled = [looks.get(name, style.GREY) for name in names]
    ax.stackplot(x, table.to_numpy().T, colors=filled, labels=names, linewidth=0)
    ax.set_ylim(bottom=0)
    # A key of patches in the order of the stack; ends of areas of no height cannot be labelled.
    top = float(table.sum(axis=1).max())
    shown = [k for k, name in enumerate(names) if table[name].max() > 0.002 * top]
    if shown:
        step = 1 / max(8, len(shown))
        ends = [(ax.get_ylim()[1] * (0.2 + step * place), style.short(names[k], 22), filled[k])
                for place, k in enumerate(shown)]  # fmt: skip
        style.label_ends(ax, ends)
    return ax


def ratings_over_time(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    start: date | None = None,
    warm_up_s: float = 0.0,
) -> Axes:
    """Mean rating over the run with its interval; upright lines mark changes of the prompts.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.ratings_over_time`.
    ax, start, warm_up_s
        As in `throughput`.

    Examples
    --------
    >>> ax = plots.ratings_over_time(series.ratings_over_time(log.ratings, desk.horizon))
    >>> ax.get_ylabel()
    'mean rating (1 to 5)'
    """
    ax, any_rows = style.over_time(
        ax,
        frame,
        "Rating over time",
        "mean rating (1 to 5)",
        "no ratings",
        start=start,
        warm_up_s=warm_up_s,
    )
    if not any_rows:
        return ax
    middle_s = (frame["start_s"] + frame["end_s"]) / 2
    ax.plot(middle_s, frame["mean"], color=style.BLUE, marker="o", markersize=3, linewidth=1.4,
            label="mean rating")  # fmt: skip
    low, high = frame["low"].clip(1, 5), frame["high"].clip(1, 5)
    if style.band(ax, middle_s, low, high, style.BLUE, "interval"):
        style.note(ax, "shaded: 95 % interval")
    ax.set_ylim(1, 5.05)
    ax.set_yticks([1, 2, 3, 4, 5])
    versions = frame.dropna(subset="version")
    changed = versions[versions["version"] != versions["version"].shift()]
    if len(changed) > 1:
        _mark_versions(ax, changed)
    return ax


def _mark_versions(ax: Axes, changed: pd.DataFrame) -> None:
    """Mark changes of the prompts by a line and the version; of many, name only first and last."""
    last = len(changed) - 1
    many = len(changed) > _MOST_NAMED
    for k, row in enumerate(style.rows_of(changed)):
        ax.axvline(row.start_s, color=style.RED, linewidth=0.6 if many else 1, linestyle="--",
                   gid="version")  # fmt: skip
        if many and 0 < k < last:
            continue
        late = row.start_s > 0.6 * ax.get_xlim()[1]
        ax.text(row.start_s, 1.08 + 0.28 * (0 if many else k % _MOST_NAMED),
                f" prompts {style.short(row.version, 14)} ", fontsize=style.SMALL,
                color=style.INK, ha="right" if late else "left",
                bbox={"facecolor": style.PAPER, "edgecolor": "none", "pad": 0.5})  # fmt: skip
    if many:
        style.note(ax, f"dashed: other prompts, {last} times", x=1.0, ha="right")
