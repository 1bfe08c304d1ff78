"""The main figures as pictures, against pictures that a person has looked at.

Made anew, after a look at each, by ``python tests/test_plots_pictures.py``.
"""

from datetime import date
from pathlib import Path

import frames
import numpy as np
import pytest
from matplotlib import image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from twin.report import plots

FOLDER = Path(__file__).parent / "data" / "pictures"
# Blocks of this many points to a side: letters are drawn a little differently from version to
# version of matplotlib, which their blocks hardly show.
BLOCK = 6
# Root mean square of the differences of blocks, colours being 0 to 255: up to 11.3 between
# matplotlib 3.9 and 3.11, 17 where one bar of five has another height.
TOLERANCE = 13.0
START = {"start": date(2026, 1, 5), "warm_up_s": 86400.0}

MAIN = {
    "throughput": lambda ax: plots.throughput(frames.flows(), ax, **START),
    "backlog": lambda ax: plots.backlog(frames.levels(), ax, **START),
    "response": lambda ax: plots.response_times(frames.times(), ax),
    "ratings": lambda ax: plots.ratings(frames.stars(), ax),
    "forest": lambda ax: plots.forest(frames.differences(), ax),
}


def draw(name):
    """The figure as colours, shape (height, width, 3)."""
    figure = Figure(figsize=(5, 3.1), dpi=60, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    MAIN[name](figure.subplots())
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3]


def blocks(picture):
    height, width = (size // BLOCK for size in picture.shape[:2])
    whole = picture[: height * BLOCK, : width * BLOCK].astype(float)
    return whole.reshape(height, BLOCK, width, BLOCK, 3).mean(axis=(1, 3))


def apart(one, other):
    return float(np.sqrt(((blocks(one) - blocks(other)) ** 2).mean()))


def read(name):
    return (image.imread(FOLDER / f"{name}.png")[:, :, :3] * 255).round()


@pytest.mark.parametrize("name", MAIN)
def test_a_figure_looks_as_it_did(name):
    drawn, known = draw(name), read(name)
    assert drawn.shape == known.shape
    assert apart(drawn, known) < TOLERANCE


@pytest.mark.parametrize("name", MAIN)
def test_the_tolerance_tells_figures_apart(name):
    others = [apart(draw(name), read(other)) for other in MAIN if other != name]
    assert min(others) > TOLERANCE


def test_the_tolerance_notices_another_number():
    def changed(ax):
        frame = frames.stars()
        frame.loc[0, ["share", "low", "high"]] *= 2
        plots.ratings(frame, ax)

    figure = Figure(figsize=(5, 3.1), dpi=60, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    changed(figure.subplots())
    canvas.draw()
    assert apart(np.asarray(canvas.buffer_rgba())[:, :, :3], read("ratings")) > TOLERANCE


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for each in MAIN:
        image.imsave(FOLDER / f"{each}.png", draw(each))
