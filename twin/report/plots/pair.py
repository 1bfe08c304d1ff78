"""Two figures side by side in one picture."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from twin.report.plots import style
from twin.report.plots.picture import compact

Titled = tuple[str, Callable[[Axes], object]]


def write(left: Titled, right: Titled, path: Path) -> None:
    """Write two figures, each with its title, as one SVG that needs no fonts; the same each time.

    Parameters
    ----------
    left, right : (str, callable)
        A title, and a function that draws into the Axes that it is given.
    path : Path
        The file.
    """
    settings = {"svg.fonttype": "path", "svg.hashsalt": "pair", "path.simplify_threshold": 0.2}
    with mpl.rc_context(settings):  # type: ignore[arg-type]
        figure = Figure(figsize=(11, 3.9), layout="constrained", facecolor="white")
        places = figure.subplots(1, 2, width_ratios=[1.15, 1])
        for ax, (title, draw) in zip(places, (left, right), strict=True):
            draw(ax)
            # Above the note or the key, which stand right above the axes.
            ax.set_title(title, loc="left", pad=20, fontsize=style.SIZE + 2, fontweight="bold")
        file = StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    path.write_text(compact(file.getvalue(), "pair"), encoding="utf-8", newline="\n")
