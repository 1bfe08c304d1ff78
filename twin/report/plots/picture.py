"""Figures as SVG, small enough for dozens in a page, and with names of their own."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable
from io import StringIO

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from twin.report.plots import style

# Colours that a dark page replaces.
_VARIABLES = {
    style.INK: "ink", style.MUTED: "muted", style.GRID: "grid", style.PAPER: "paper",
    style.BLUE: "blue", style.SKY: "sky", style.BROWN: "brown",
}  # fmt: skip
_NAME = re.compile(r' id="([^"]*)"')
_POINTER = re.compile(r'(?:url\(|href=")#([^")]*)')
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_FAMILY = re.compile(r"font-family: [^;\"]*;? ?")
# Places in a picture, whose further decimals nobody sees.
_PLACES = re.compile(r' (?:d|x|y|points)="[^"]*"|(?:rotate|translate)\([^)]*\)')
_LONG = re.compile(r"-?\d+\.\d{2,}")
# Paths of straight lines only, and their commands.
_LINES = re.compile(r' d="((?:\s*[MLz][\d\s.e-]*)*)"')
_COMMANDS = re.compile(r"([MLz])([^MLz]*)")
_STYLE = re.compile(r' style="([^"]*)"')
_CLIPPED = re.compile(r' clip-path="([^"]*)" style="([^"]*)"')
_SHEET = "</style>"


def svg(
    draw: Callable[[Axes], object],
    name: str,
    height: float = style.HEIGHT,
    width: float = style.WIDTH,
) -> str:
    """A figure as SVG to stand within a page: no title, text as text, the page's own colours.

    Parameters
    ----------
    draw : callable
        Draws into the Axes it is given.
    name : str
        Letters, digits and hyphens; all names inside the picture begin with it, so that several
        pictures fit in one page.
    height, width : float
        Inches; 72 units of the picture each.

    Returns
    -------
    str
        An ``<svg>`` element. Ink, paper and the darker colours are CSS variables: ``--ink``,
        ``--muted``, ``--grid``, ``--paper``, ``--blue``, ``--sky``, ``--brown``.

    Examples
    --------
    >>> svg(lambda ax: ax.plot([1, 2, 3]), "line").startswith("<svg ")
    True
    """
    # With a salt, names within a picture are the same each time.
    settings = {"svg.fonttype": "none", "svg.hashsalt": name, "path.simplify_threshold": 0.2}
    with mpl.rc_context(settings):  # type: ignore[arg-type]
        figure = Figure(figsize=(width, height), layout="constrained")
        ax = figure.subplots()
        draw(ax)
        ax.set_title("", loc="left")
        file = StringIO()
        with warnings.catch_warnings():
            # Letters that the font of the measuring lacks; the page has a font for them.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    # The page has its own letters.
    text = _FAMILY.sub("", compact(file.getvalue(), name))
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    return text


def compact(text: str, name: str) -> str:
    """SVG of matplotlib made three times smaller: short numbers, each style once.

    Parameters
    ----------
    text : str
        A file of SVG.
    name : str
        Beginning of all names in it.

    Returns
    -------
    str
        The ``<svg>`` element; names that nothing points to are left out.
    """
    text = _METADATA.sub("", text[text.index("<svg") :])
    text = re.sub(r' transform="rotate\(-0 [^"]*"', "", text)
    text = re.sub(r"\s*\n\s*", " ", text).replace("> <", "><")
    text = _PLACES.sub(_shorter, text)
    used = dict.fromkeys(_POINTER.findall(text))
    names = {old: f"{name}-{k}" for k, old in enumerate(used)}
    text = _NAME.sub(lambda m: f' id="{names[m[1]]}"' if m[1] in names else "", text)
    text = _POINTER.sub(lambda m: m[0].replace(m[1], names[m[1]]), text)
    return _classes(_CLIPPED.sub(r' style="\2; clip-path: \1"', text), name)


def _shorter(place: re.Match[str]) -> str:
    line = _LINES.fullmatch(place[0])
    if line is not None:
        return f' d="{_steps(line[1])}"'
    return _LONG.sub(lambda n: _tenths(float(n[0])), place[0])


def _tenths(number: float) -> str:
    """A number to one decimal."""
    text = f"{number:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _steps(path: str) -> str:
    """A path of straight lines, each by how far it goes: small numbers are short."""
    parts = []
    for command, numbers in _COMMANDS.findall(path):
        points = [round(float(n) * 10) for n in numbers.split()]
        if command in "zZ":
            parts.append("z")
        elif command == "M":
            x, y = points
            parts.append(f"M{_tenths(x / 10)} {_tenths(y / 10)}")
        else:
            steps = [points[0] - x, points[1] - y]
            x, y = points
            joined = " ".join(_tenths(step / 10) for step in steps)
            # One letter stands for a row of lines.
            parts.append(f"{'' if parts[-1][0] in 'l ' else 'l'} {joined}")
    return re.sub(r"(?<=[lM\d]) (?=-)|(?<=l) ", "", "".join(parts))


def _classes(text: str, name: str) -> str:
    """Styles that come several times as rules of the picture's own style sheet."""
    counts = Counter(_STYLE.findall(text))
    often = [one for one, count in counts.items() if count > 1]
    classes = {one: f"{name}-s{k}" for k, one in enumerate(often)}
    rules = "".join(f".{short}{{{one}}}" for one, short in classes.items())
    text = _STYLE.sub(lambda m: f' class="{classes[m[1]]}"' if m[1] in classes else m[0], text)
    return text.replace(_SHEET, rules + _SHEET, 1)
