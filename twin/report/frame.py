"""The frame of all pages: one file with its own colours, a heading, links, parts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING

import twin
from twin.common.html import Html, glue, tag

if TYPE_CHECKING:
    from twin.report.pictures import Picture

# Name, heading and content.
Part = tuple[str, str, list[Html]]


def frame(
    title: str,
    questions: Sequence[str],
    parts: Sequence[Part],
    source: str,
    script: str = "",
    style: str = "",
    *,
    folded: bool = False,
) -> str:
    """A page of HTML that fetches nothing and runs nothing else, whatever the texts in it say.

    Parameters
    ----------
    title : str
    questions : sequence of str
        Questions that the page answers; empty ones are left out.
    parts : sequence of (str, str, list of Html)
        Name (letters, digits and hyphens, once in a page), heading and content of each.
    source : str
        The data it was made from, for the foot of the page.
    script : str
        The page's own script, the only one that its policy lets run.
    style : str
        The page's own style, after that of all pages.
    folded : bool
        Whether all parts but the first are folded, until they are opened; on paper only those that
        are open are seen.
    """
    common = (resources.files("twin.report") / "page.css").read_text(encoding="utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy += f"; script-src 'sha256-{digest}'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("link", rel="icon", href="data:,"),
        tag("title", f"{title}: support desk report"),
        tag("style", Html(common + style)),
    )
    # A link to what is within a folded part opens it.
    within = [name if k == 0 or not folded else f"{name}-content"
              for k, (name, _, _) in enumerate(parts)]  # fmt: skip
    links = [
        tag("li", tag("a", heading, href=f"#{target}"))
        for target, (_, heading, _) in zip(within, parts, strict=True)
    ]
    header = tag(
        "header",
        tag("h1", title),
        *[tag("p", question, class_="question") for question in questions if question],
        *([tag("nav", tag("ul", *links), aria_label="Parts of the report")] if links[1:] else []),
    )
    body = [_section(*part, folded=folded and k > 0) for k, part in enumerate(parts)]
    if folded and len(parts) > 1:
        body.insert(1, _whole())
    footer = tag("footer", tag("p", f"Made by support-desk-twin {twin.__version__}, {source}."))
    name, heading, _ = parts[0]
    skip = tag("a", f"To {heading[0].lower()}{heading[1:]}", href=f"#{name}", class_="skip")
    run = [tag("script", Html(script))] if script else []
    whole = tag(
        "html", head, tag("body", skip, header, tag("main", *body), footer, *run), lang="en"
    )
    return f"<!doctype html>\n{whole}\n"


def _section(name: str, heading: str, content: Sequence[Html], *, folded: bool) -> Html:
    """A part under its heading, or folded behind it."""
    head = tag("h2", heading, id=f"{name}-heading")
    inner: list[Html] = [head, *content]
    if folded:
        within = tag("div", *content, id=f"{name}-content")
        inner = [tag("details", tag("summary", head), within, class_="part")]
    return tag("section", *inner, id=name, aria_labelledby=f"{name}-heading")


def _whole() -> Html:
    """A box to tick that opens every part, on the screen and on paper."""
    box = tag("input", type="checkbox", id="whole")
    words = "Show every part, also in print (folded parts are not printed)"
    return tag("p", tag("label", box, " ", words), class_="whole")


def answer(sentences: Sequence[str], remark: str) -> Part:
    """The first part of a page: the answer, and how to read it."""
    said = [tag("p", glue(sentence)) for sentence in sentences]
    small = tag("p", remark, class_="small")
    return "answer", "The answer", [tag("div", *said, class_="answer"), small]


def figures(pictures: Sequence[Picture]) -> Html:
    """Pictures beside each other, as many as there is room for."""
    return tag("div", *map(_figure, pictures), class_="pictures")


def _figure(picture: Picture) -> Html:
    # The words are below the picture, where all can read them; the picture points to them.
    svg = Html(
        picture.svg.replace("<svg ", f'<svg role="img" aria-labelledby="{picture.name}-words" ', 1)
    )
    words = tag("figcaption", glue(picture.alt), id=f"{picture.name}-words")
    # A section's own heading is of level 2: a picture's comes next.
    return tag("figure", tag("h3", picture.title), svg, words)
