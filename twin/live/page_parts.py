"""What the pages share: text that stays text, tables, figures, and folders."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from twin.markup import html, table

if TYPE_CHECKING:
    from twin.live.client import Ticket
    from twin.report.pictures import Picture

_SPECIAL = re.compile(r"([!-/:-@\[-`{-~])")
# Ink, muted, grid and paper of a figure, on a light and on a dark page.
_INKS = {
    "light": ("#23272b", "#545b61", "#d4d8dc", "#ffffff"),
    "dark": ("#e8eaec", "#a9b0b6", "#3d444a", "#0e1117"),
}
_STYLE = """<style>
.wide { overflow-x: auto; }
.wide table { border-collapse: collapse; width: 100%; font-size: .9rem; }
.wide caption { text-align: left; opacity: .75; padding: .2rem 0; font-size: .85rem; }
.wide th, .wide td { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0;
  border-bottom: 1px solid rgba(128, 128, 128, .3); font-weight: 400; }
.wide thead th { opacity: .75; }
.wide .numbers td, .wide .numbers thead th:not(:first-child) { text-align: right;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
</style>"""


def escaped(text: str, most: int = 0) -> str:
    r"""Text for labels, which Streamlit reads as Markdown: on one line, and shown as it is.

    Parameters
    ----------
    text : str
    most : int
        Cut to this many characters; 0: not cut.

    Examples
    --------
    >>> escaped("**free**  money", 20)
    '\\*\\*free\\*\\* money'
    """
    return _SPECIAL.sub(r"\\\1", line(text, most))


def line(text: str, most: int = 0) -> str:
    """Text on one line, for where Streamlit shows text as it is, such as in select boxes."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if not most or len(text) <= most else text[: most - 1].rstrip() + "…"


def show_table(
    head: Sequence[object], rows: Iterable[Sequence[object]], caption: str, numbers: bool = False
) -> None:
    """A table of plain text that scrolls by itself on a narrow screen."""
    st.html(_STYLE + html(table(head, rows, caption, numbers=numbers)))


def show_picture(picture: Picture) -> None:
    """A figure in the colours of the page, with its words for those who do not see it."""
    theme = "dark" if st.context.theme.type == "dark" else "light"
    svg = picture.svg
    for name, colour in zip(("ink", "muted", "grid", "paper"), _INKS[theme], strict=True):
        svg = svg.replace(f"var(--{name})", colour)
    # It stands alone here, outside of the page's markup and its fonts.
    svg = svg.replace("<svg ", '<svg font-family="DejaVu Sans, Verdana, sans-serif" ', 1)
    st.markdown(f"**{escaped(picture.title)}**")
    st.image(svg, width="stretch", alt=picture.alt)


def show_facts(ticket: Ticket) -> None:
    """A ticket's category and status."""
    with st.container(horizontal=True):
        if ticket.category:
            st.badge(escaped(ticket.category, 60), icon=":material/label:")
        colour: Any = "green" if ticket.status in ("Resolved", "Closed") else "orange"
        st.badge(escaped(ticket.status), color=colour)


def ago(moment: float, now: float | None = None) -> str:
    """How long ago a moment (seconds since 1970) was.

    Examples
    --------
    >>> ago(0.0, 30.0), ago(0.0, 7500.0)
    ('just now', '2 h ago')
    """
    seconds = (time.time() if now is None else now) - moment
    return "just now" if seconds < 60 else f"{span(seconds)} ago"


def span(seconds: float) -> str:
    """A length of time in its largest whole unit.

    Examples
    --------
    >>> span(59.0), span(3599.0), span(90000.0)
    ('59 s', '59 min', '25 h')
    """
    for size, name in ((172_800, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{math.floor(seconds / (86_400 if name == 'd' else size))} {name}"
    return f"{max(0, math.floor(seconds))} s"


def results_folder() -> Path:
    """Where runs go: ``TWIN_RESULTS``, else ``results`` where the page was started."""
    return Path(os.environ.get("TWIN_RESULTS") or "results")


def scenarios_folder() -> Path:
    """Where the own scenario files lie and new ones go: ``TWIN_SCENARIOS``, else ``scenarios``."""
    return Path(os.environ.get("TWIN_SCENARIOS") or "scenarios")


def scenario_files() -> list[Path]:
    """Scenario files to choose from: the user's own, else those that came with the package."""
    own = sorted(scenarios_folder().glob("*.toml"))
    if own:
        return own
    package = Path(__file__).resolve().parents[1]
    inside = package / "starter"
    return sorted((inside if inside.is_dir() else package.parent / "scenarios").glob("*.toml"))
