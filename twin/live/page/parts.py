"""Parts shared by the pages: text that stays text, tables, figures, and folders."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from twin.common.html import html, table
from twin.records.tables import RESOLVED_STATUSES

if TYPE_CHECKING:
    from twin.live.page.client import Message, Ticket
    from twin.report.pictures import Picture

_FACES = {
    "customer": ":material/person:",
    "assistant": ":material/smart_toy:",
    "agent": ":material/support_agent:",
}
_NAMES = {"customer": "Customer", "assistant": "Assistant", "agent": "Agent", "desk": "Desk"}
_HELPED = {None: "", True: "This helped.", False: "This did not help."}
# Streamlit leaves 6 rem above a page's title, of which its bar takes less than 4; and it writes a
# chosen word and a slider's value in the first colour, which are hard to read in the dark.
_CLOSE = """<style>
@media (prefers-color-scheme: dark) {
  button[role="radio"][aria-checked="true"] p, [data-testid="stSliderThumbValue"] p {
    color: #edebe8 !important; }
}
[data-testid="stMainBlockContainer"] { padding-top: 3.75rem; }
[data-testid="stMainBlockContainer"] h1 { padding-top: .5rem; }
</style>"""
_SPECIAL = re.compile(r"([!-/:-@\[-`{-~])")
# Where Markdown makes links of bare addresses, an invisible mark after these keeps it from that.
_LINK = re.compile(r"[:@]|www(?=\.)", re.IGNORECASE)
# In it, Markdown reads no other marks.
_CODE = re.compile(r"(?<!`)`([^`]*[^`\s][^`]*)`(?!`)")
_COLOUR = re.compile(r"--(\w+): (#\w+)")
_VARIABLE = re.compile(r"var\(--(\w+)\)")
_STYLE = """<style>
.wide { overflow-x: auto; }
.wide table { border-collapse: collapse; width: 100%; font-size: .9rem; }
.wide caption { text-align: left; opacity: .75; padding: .2rem 0; font-size: .85rem; }
.wide th, .wide td { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0;
  border-bottom: 1px solid rgba(128, 128, 128, .3); font-weight: 400; }
.wide thead th { opacity: .75; }
.wide th:last-child, .wide td:last-child { padding-right: 0; }
.wide .numbers td, .wide .numbers thead th:not(:first-child) { text-align: right;
  font-variant-numeric: tabular-nums; }
@media (max-width: 40rem) {
  .wide table { font-size: .78rem; line-height: 1.3; }
  .wide th, .wide td { padding-right: .5rem; }
  /* Four columns are too many for a telephone: the last one goes below the others. */
  .wide .numbers tr:has(> :nth-child(4)) { display: grid; column-gap: .4rem; padding: .3rem 0;
    grid-template-columns: repeat(3, minmax(0, 1fr));
    border-bottom: 1px solid rgba(128, 128, 128, .3); }
  .wide .numbers tr > :nth-child(4) { grid-column: 1 / -1; }
  .wide .numbers tr:has(> :nth-child(4)) > * { border: none; padding: .1rem 0;
    overflow-wrap: anywhere; }
}
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
    return _marked(line(text, most))


def with_code(text: str) -> str:
    r"""As `escaped`, but with what stands between grave accents as code.

    Examples
    --------
    >>> with_code("**Use** `twin run --out x`.")
    '\\*\\*Use\\*\\* `twin run --out x`\\.'
    """
    pieces = _CODE.split(line(text))
    return "".join(f"`{one}`" if k % 2 else _marked(one) for k, one in enumerate(pieces))


def _marked(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", _LINK.sub("\\g<0>\u200b", text))


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
    colours = _colours("dark" if st.context.theme.type == "dark" else "light")
    svg = _VARIABLE.sub(lambda found: colours.get(found[1], colours["ink"]), picture.svg)
    # It stands alone here, outside of the page's markup and its fonts.
    svg = svg.replace("<svg ", '<svg font-family="DejaVu Sans, Verdana, sans-serif" ', 1)
    st.markdown(f"**{escaped(picture.title)}**")
    st.image(svg, width="stretch", alt=picture.alt)


@cache
def _colours(theme: str) -> dict[str, str]:
    """The colours of the report's page, by name: those of figures are among them."""
    css = (resources.files("twin.report") / "page.css").read_text(encoding="utf-8")
    light, dark = css.split("@media (prefers-color-scheme: dark)", 1)
    root = (light if theme == "light" else dark).split("}", 1)[0]
    return dict(_COLOUR.findall(root))


def show_title(title: str) -> None:
    """The title of a page, close below the links to the others."""
    st.html(_CLOSE)
    st.title(title)


def show_thread(messages: Iterable[Message], names: Mapping[str, str] = _NAMES) -> None:
    """Messages of a thread, under the names of those who wrote them.

    Neither customers' words nor a model's are read as Markdown or HTML.
    """
    for message in messages:
        with st.chat_message("user" if message.by == "customer" else "assistant",
                             avatar=_FACES.get(message.by)):  # fmt: skip
            when = f" :small[{ago(message.at)}]" if message.at else ""
            st.markdown(f"**{names.get(message.by, _NAMES['desk'])}**{when}")
            if message.text:
                st.text(message.text)
            said = [_HELPED[message.helped], "A person is asked for." * message.person]
            if any(said):
                st.caption(escaped(" ".join(filter(None, said))))


def show_facts(ticket: Ticket, named: bool = False) -> None:
    """A ticket's category and status, with their names where that is asked for."""
    colour: Any = "green" if ticket.status in RESOLVED_STATUSES else "orange"
    facts: list[tuple[str, str, dict[str, Any]]] = [("Status", ticket.status, {"color": colour})]
    if ticket.category:
        facts.insert(0, ("Category", ticket.category, {"icon": ":material/label:"}))
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, fact, looks in facts:
            # A name stays on one line with what it names.
            with st.container(horizontal=True, vertical_alignment="center", width="content"):
                if named:
                    st.markdown(f"**{name}**", width="content")
                st.badge(escaped(fact, 60), **looks)


def who_answers(ticket: Ticket) -> str:
    """The author of a ticket's answer or draft, in words; empty where there is none.

    Examples
    --------
    >>> from twin.live.page.client import Ticket
    >>> said = (1, "help", "", "Press it.", "Resolved")
    >>> who_answers(Ticket(*said, backend="groq", model="m", answered_by="assistant"))
    'answered by m'
    >>> who_answers(Ticket(*said, backend="embedded", model_wanted="m", answered_by="assistant"))
    'answered by the desk without a language model (backend embedded); wanted: m'
    >>> who_answers(Ticket(*said, answered_by="agent"))
    'answered by an agent'
    """
    if not ticket.backend:
        person = bool(ticket.response) and ticket.answered_by in ("agent", "reviewed draft")
        return "answered by an agent" if person else ""
    author = ticket.model or "the desk without a language model"
    if not ticket.model or ticket.backend != "groq":
        author += f" (backend {ticket.backend})"
    if ticket.model_wanted and ticket.model_wanted != ticket.model:
        author += f"; wanted: {ticket.model_wanted}"
    if ticket.answered_by == "reviewed draft":
        return f"draft by {author}; approved by an agent"
    return f"{'answered' if ticket.answered_by == 'assistant' else 'draft'} by {author}"


def ago(moment: float, now: float | None = None) -> str:
    """Time since a moment (seconds since 1970), in words.

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
    """Folder of runs: ``TWIN_RESULTS``, else ``results`` where the page was started."""
    return Path(os.environ.get("TWIN_RESULTS") or "results")


def scenarios_folder() -> Path:
    """Folder of the user's own scenario files: ``TWIN_SCENARIOS``, else ``scenarios``."""
    return Path(os.environ.get("TWIN_SCENARIOS") or "scenarios")


def scenario_files() -> list[Path]:
    """Scenario files to choose from: the user's own, else those that came with the package."""
    from twin.scenario.file import starter

    return sorted(scenarios_folder().glob("*.toml")) or sorted(starter().glob("*.toml"))
