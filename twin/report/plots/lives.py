"""The lives of single tickets."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from twin.report.plots import style
from twin.report.plots.over_time import STATUS_COLOURS, names_of, status_colours


def ticket_lives(
    frame: pd.DataFrame, ax: Axes | None = None, *, colours: Mapping[str, str] | None = None
) -> Axes:
    """Single tickets as bars of their statuses, over the time since they arrived.

    The axis goes by the fourth root: an assistant's second and an agent's day stand in one figure.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.ticket_lives`.
    ax : Axes, optional
    colours : dict of str to str, optional
        By the name of a status, as in `statuses`.

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
    frame = frame.assign(name=names_of(frame))
    looks = status_colours(frame.assign(mean=frame["end_s"] - frame["start_s"]))
    looks |= colours or {}
    for row in style.rows_of(frame):
        y = tickets.index(row.ticket_id)
        if row.end_s > row.start_s:
            ax.barh(y, row.end_s - row.start_s, left=row.start_s, height=0.36,
                    color=looks[row.name], label=row.name)  # fmt: skip
        else:
            mark = "X" if row.status == "Abandoned" else "o"
            ax.plot(row.start_s, y, mark, color=looks[row.name], markersize=7,
                    markeredgecolor=style.INK, markeredgewidth=0.6)  # fmt: skip
    stories = frame.drop_duplicates("ticket_id").set_index("ticket_id")["story"]
    for y, number in enumerate(tickets):
        story = f": {stories[number]}" if stories[number] else ""
        ax.text(0, y - 0.27, f"#{number}{style.plain(story)}", fontsize=style.SIZE,
                color=style.INK, va="bottom")  # fmt: skip
    ax.set_ylim(len(tickets) - 0.6, -0.75)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    order = [
        name for status in STATUS_COLOURS for name in frame.loc[frame["status"] == status, "name"]
    ]
    used = list(dict.fromkeys(order))
    # The statuses of the twin fit four times beside each other, longer names of a desk three times.
    columns = 4 if max(map(len, used)) <= max(map(len, STATUS_COLOURS)) else 3
    style.below_title(ax, max(2, -(-len(used) // columns)))
    ax.legend(
        handles=[Patch(color=looks[name], label=style.short(name, 26)) for name in used],
        fontsize=style.SMALL, ncols=columns, frameon=False, labelcolor=style.INK, loc="lower left",
        bbox_to_anchor=(-0.02, 1.0), borderaxespad=0.1, handlelength=1, columnspacing=1.1,
    )  # fmt: skip
    return ax


def lives_height(tickets: int) -> float:
    """Height in inches at which so many tickets are legible."""
    return 1.3 + 0.46 * max(1, tickets)
