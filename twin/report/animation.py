"""The page on which one replication is seen ticket by ticket, alone or beside another.

The drawing is a canvas and a script of our own. vidigi, which animates event logs with plotly,
stores the position of everybody at every step: of ten thousand tickets over a week, in steps of a
quarter of an hour, that is millions. Here the file holds the moves alone, and the script places the
dots at any moment.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from twin.common.files import write_text
from twin.common.html import Html, tag
from twin.report import frame
from twin.report.animation_data import Played, shown, window

_SCRIPTS = ("animation_desk.js", "animation.js")
# Seconds of the desk in a second of the animation.
_SPEEDS = ((60, "1 minute"), (300, "5 minutes"), (900, "15 minutes"), (3600, "1 hour"),
           (14400, "4 hours"))  # fmt: skip
# Looks, words, and the level without which there is no such thing.
_KEY = (
    ("dot waits", "ticket without a response yet", "open"),
    ("dot answered", "ticket with a response", "open"),
    ("busy", "busy agent", "busy:"), ("free", "free agent", "staffed:"),
    ("away", "agent who is away", "away:"),
)  # fmt: skip
# A whole window passes within about so many seconds.
_LASTS_S = 200.0


def write(played: Sequence[Played], path: str | Path, day: int | None = None) -> Path:
    """Write the page; an older one is replaced.

    Parameters
    ----------
    played : sequence of Played
        One, or two to be seen beside each other.
    path : str or Path
        The file.
    day : int, optional
        Only this local day of the run, 1 is the first; by default all.

    Raises
    ------
    ValueError
        If there is no such day, too much to be shown, or the two cannot be shown by one clock.
    """
    path = Path(path)
    text = page(played, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path


def page(played: Sequence[Played], day: int | None = None) -> str:
    """The page as HTML; see `write`.

    Examples
    --------
    >>> import twin
    >>> from twin.report.animation_data import of_run
    >>> from twin.report.source import Source
    >>> desk = twin.from_data({"horizon": "4h", "arrivals": {"rate": "6/h"}, "agents":
    ...                        {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> results = twin.run(desk, replications=1, keep_logs=True)
    >>> source = Source(results, results.runs[0], results.summary())
    >>> page([of_run(source, 0)]).startswith("<!doctype html>")
    True
    """
    start_s, end_s = window(played, day)
    data = shown(played, start_s, end_s)
    folder = resources.files("twin.report")
    code = "".join((folder / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    parts: list[frame.Part] = [
        ("desk", "The desk", _stage(data)),
        ("counts", "The same in numbers", _counts(data)),
        ("reading", "How to read it", _reading(data)),
    ]
    names = [one.name for one in played]
    questions = [one.question if len(played) == 1 else f"{one.name}: {one.question}"
                 for one in played if one.question]  # fmt: skip
    title = " beside ".join(names) + (f", day {day}" if day else "")
    return frame.frame(title, questions, parts, "from the tables of one replication", code)


def _stage(data: dict[str, Any]) -> list[Html]:
    """Clock, controls, slider and a canvas for each run."""
    span_s = data["end"] - data["start"]
    usual = next((s for s, _ in _SPEEDS if span_s / s <= _LASTS_S), _SPEEDS[-1][0])
    speeds = [
        tag("option", f"{words} a second", value=str(s), selected=s == usual)
        for s, words in _SPEEDS
    ]
    controls = tag(
        "div",
        tag("button", "Play", type="button", id="play"),
        tag("button", "10 min back", type="button", id="back"),
        tag("button", "10 min on", type="button", id="on"),
        tag("label", "Speed ", tag("select", speeds, id="speed")),
        tag("label", "Follow ticket ",
            tag("input", type="number", id="follow", min="1", inputmode="numeric")),
        class_="controls",
    )  # fmt: skip
    slider = tag("input", type="range", id="moment", min="0", max=str(round(span_s)), step="60",
                 value="0", aria_label="Moment")  # fmt: skip
    key = tag(
        "p",
        [
            tag("span", tag("i", "", class_=look), words)
            for look, words, level in _KEY
            if any(key.startswith(level) for run in data["runs"] for key in run["levels"])
        ],
        class_="key small",
    )
    panels = [
        tag("figure", tag("h3", run["name"]) if len(data["runs"]) > 1 else "",
            tag("canvas", "", class_="lanes", role="img",
                aria_label=f"Tickets of {run['name']} as dots by status; the table below has the "
                           "same counts."))
        for run in data["runs"]
    ]  # fmt: skip
    return [
        tag("noscript", tag("p", "The animation needs JavaScript.")),
        tag("p", "", id="clock"),
        controls,
        tag("div", tag("canvas", "", id="course", aria_hidden="true"), slider, class_="course"),
        key,
        tag("div", panels, class_="panels two" if len(panels) > 1 else "panels"),
        tag("p", "", id="told", role="status", class_="small"),
        tag("script", Html(_as_json(data)), type="application/json", id="data"),
    ]


def _counts(data: dict[str, Any]) -> list[Html]:
    """The table that the script keeps at the moment of the clock."""
    names = [run["name"] for run in data["runs"]]
    head = [tag("th", name, scope="col") for name in ("at this moment", *names)]
    rows = [
        tag("tr", tag("th", row["label"], scope="row"), [tag("td", "") for _ in names])
        for row in data["rows"]
    ]
    return [
        tag(
            "table",
            tag("caption", "Tickets, agents and model calls at the moment of the clock"),
            tag("thead", tag("tr", head)),
            tag("tbody", rows),
            class_="numbers",
            id="numbers",
        )
    ]


def _reading(data: dict[str, Any]) -> list[Html]:
    sentences = [
        "Each dot is a ticket, and each field a status; a dot moves when the ticket's status "
        "changes. A field is as large as the most tickets that were in it at once. Dots of "
        "resolved, closed and abandoned tickets may be smaller than the others.",
        "Space plays and pauses. The arrow keys go 1 minute back and on, with Shift 1 hour; Home "
        "and End go to the start and the end. A click on a dot, or its number, marks a ticket.",
        "The clock shows the desk's local time. The line above the slider is the number of open "
        "tickets.",
    ]
    if data["start"] > 0:
        sentences.append("Tickets that were resolved, closed or abandoned before are shown only "
                         "if they change again.")  # fmt: skip
    if data["same"]:
        sentences.append("Both desks meet the same customers at the same moments: a ticket's "
                         "number is the same customer in both.")  # fmt: skip
    elif len(data["runs"]) > 1:
        sentences.append("Other customers come to the two desks: a ticket's number in one is not "
                         "the same customer in the other.")  # fmt: skip
    if any("asked" in run["levels"] for run in data["runs"]):
        sentences.append("A model call waits while the provider's quota holds it back or it is to "
                         "be tried again.")  # fmt: skip
    return [tag("p", sentence) for sentence in sentences]


def _as_json(data: dict[str, Any]) -> str:
    """JSON that cannot end the element it stands in, whatever names are in it."""
    text = json.dumps(data, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
