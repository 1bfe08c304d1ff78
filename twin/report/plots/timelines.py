"""The lives of single tickets, status by status."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from twin.report.plots import style
from twin.report.plots.over_time import STATUS_COLOURS


def ticket_lives(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Single tickets as bars of their statuses, over the time since they arrived.

    The axis goes by the fourth root: an assistant's second and an agent's day stand in one figure.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.ticket_lives`.
    ax : Axes, optional

    Examples
    --------
    >>> told = series.stories(log.tickets)
    >>> ax = plots.ticket_lives(series.ticket_lives(log.timeline, told, desk.horizon))
    >>> len(ax.texts) == len(told)
    True
    """
    tickets = list(dict.fromkeys(frame["ticket_id"]))
    ax = style.axes(ax, height=lives_height(len(tickets)))
    style.dress(
        ax,
        "The life of single tickets",
        "time since arrival (axis stretched at the start)",
        grid="x",
    )
    if not tickets:
        return style.nothing(ax, "no tickets")
    last_s = max(float(frame["end_s"].max()), 60.0)
    style.stretched_axis(ax, last_s * 1.04)
    for row in style.rows_of(frame):
        y = tickets.index(row.ticket_id)
        colour = STATUS_COLOURS.get(str(row.status), style.GREY)
        if row.end_s > row.start_s:
            ax.barh(y, row.end_s - row.start_s, left=row.start_s, height=0.36, color=colour,
                    label=str(row.status))  # fmt: skip
        else:
            mark = "X" if row.status == "Abandoned" else "o"
            ax.plot(row.start_s, y, mark, color=colour, markersize=7,
                    markeredgecolor=style.INK, markeredgewidth=0.6)  # fmt: skip
    stories = frame.drop_duplicates("ticket_id").set_index("ticket_id")["story"]
    for y, number in enumerate(tickets):
        story = f": {stories[number]}" if stories[number] else ""
        ax.text(0, y - 0.27, f"#{number}{style.plain(story)}", fontsize=style.SIZE,
                color=style.INK, va="bottom")  # fmt: skip
    ax.set_ylim(len(tickets) - 0.6, -0.75)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    style.below_title(ax, 2)
    used = [name for name in STATUS_COLOURS if (frame["status"] == name).any()]
    ax.legend(
        handles=[Patch(color=STATUS_COLOURS[name], label=name) for name in used],
        fontsize=style.SMALL, ncols=4, frameon=False, labelcolor=style.INK, loc="lower left",
        bbox_to_anchor=(-0.02, 1.0), borderaxespad=0.1, handlelength=1, columnspacing=1.1,
    )  # fmt: skip
    return ax


def lives_height(tickets: int) -> float:
    """Height in inches at which so many tickets are legible."""
    return 1.3 + 0.46 * max(1, tickets)
