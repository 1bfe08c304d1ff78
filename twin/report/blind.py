"""The page on which people rate two models blindly; it holds no name and no side."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from twin.common.files import write_text
from twin.common.html import Html, tag
from twin.experiments.blind import SIDES, Blind, Pair
from twin.report import frame

_WORDS = {"left": "A is better", "equal": "equally good", "right": "B is better"}


def write(blind: Blind, path: str | Path) -> Path:
    """Write the page; an older one is replaced. Texts of customers are in it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page(blind), private=True)
    return path


def page(blind: Blind) -> str:
    """The page as HTML: each pair with three choices, and a file of votes at the end."""
    script = (resources.files("twin.report") / "blind.js").read_text(encoding="utf-8")
    how = (
        "Which answer would you rather have as the customer? Votes are kept in this browser, and "
        "saved as a file when all pairs are rated. Which model wrote what is told afterwards."
    )
    pairs = [_pair(number, pair) for number, pair in enumerate(blind.pairs, 1)]
    end = tag(
        "p",
        tag("button", "Save votes", type="button", id="save", disabled=True),
        " ",
        tag("span", "", id="done", role="status"),
    )
    form = tag("form", pairs, end, id="votes", data_pairs=blind.ident)
    parts: list[frame.Part] = [("rate", "Rate", [tag("p", how), form])]
    title = f"{len(blind.pairs)} pairs of answers"
    return frame.frame(title, [], parts, f"pairs {blind.ident}", script)


def _pair(number: int, pair: Pair) -> Html:
    choices = [
        tag("label", tag("input", type="radio", name=f"pair-{number}", value=side), _WORDS[side])
        for side in SIDES
    ]
    answers = [
        tag("div", tag("h4", name), tag("pre", text, class_="text"))
        for name, text in (("Answer A", pair.left), ("Answer B", pair.right))
    ]
    return tag(
        "fieldset",
        tag("legend", f"Pair {number}"),
        tag("pre", pair.ticket, class_="text"),
        tag("div", answers, class_="sides"),
        tag("div", choices, class_="choices"),
    )
