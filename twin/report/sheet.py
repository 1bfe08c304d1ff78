"""The layout of a first page, which can stand alone: verdicts, a picture, figures, advice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin.common.html import Html, glue, html, tag, with_code
from twin.common.text import label
from twin.experiments.targets import words
from twin.measures.figures import FIGURES
from twin.report import frame
from twin.report.pictures import Picture
from twin.report.prose import between, said
from twin.stats.limits import MET, MISSED, OPEN
from twin.stats.verdicts import UNJUDGED

# Class of a verdict in the page's style, and the word for it.
_SAYS = {MET: ("yes", "ok"), MISSED: ("no", "bad"), OPEN: ("not known yet", None),
         UNJUDGED: ("not judged", None)}  # fmt: skip


def sheet(
    told: Sequence[Html],
    picture: Picture | None,
    tables: Sequence[Html],
    remark: str,
    advice: Sequence[tuple[str, Sequence[str]]],
    grounds: Sequence[tuple[str, str]],
    warnings: Sequence[str] = (),
) -> frame.Part:
    """The first part of a page.

    Parameters
    ----------
    told : sequence of Html
        The answer: verdicts and sentences.
    picture : Picture, optional
    tables : sequence of Html
        The figures that matter, and others.
    remark : str
        Meanings of the figures, in small print.
    advice : sequence of (str, sequence of str)
        Headings with their sentences; what stands between grave accents is code.
    grounds : sequence of (str, str)
        What the answer rests on: heading and sentence.
    warnings : sequence of str
        Remarks on what may make the whole page wrong.
    """
    rests = [[tag("dt", about), tag("dd", glue(text))] for about, text in grounds]
    boxes = [
        *(_box(heading, sentences) for heading, sentences in advice),
        tag("div", tag("h3", "What it rests on"), tag("dl", *rests), class_="wide-box"),
    ]
    box = tag("div", *told, class_="answer")
    content = [
        *(tag("p", text, class_="warning") for text in warnings),
        tag("div", box, frame.figures([picture] if picture else []), class_="first"),
        *tables,
        tag("p", remark, class_="small"),
        tag("div", *boxes, class_="boxes"),
    ]
    return "answer", "The answer", content


def verdict(of: str, found: str, because: str) -> Html:
    """Yes or no in a sentence: of what (empty: of all that the page is about), and why."""
    said_, look = _SAYS[found]
    start = said_ if of else f"{said_[:1].upper()}{said_[1:]}"
    of = f"{of}: " if of else ""
    return tag("p", of, tag("strong", start, class_=look), glue(f". {because}"), class_="verdict")


def sure(level: float, what: str) -> Html:
    """The chance with which verdicts are right."""
    text = f"With a chance of at least {100 * level:.4g} %, {what} right."
    return tag("p", glue(text), class_="small")


def because(rows: Sequence[Mapping[str, Any]], found: str) -> str:
    """The figures that a verdict goes by, in a sentence.

    Parameters
    ----------
    rows : sequence of mapping
        A row a target, as in `twin.experiments.targets.Answers`.
    found : {"met", "missed", "open"}
        The verdict on all of them.
    """
    told = [row for row in rows if found == MET or row["verdict"] == found]
    text = "; ".join(f"{_is(row)}, and {asked(row)} is asked" for row in told)
    text = f"{text[:1].upper()}{text[1:]}"
    if found != OPEN:
        return f"{text}."
    rest = sum(row["verdict"] == MET for row in rows)
    also = f"; {rest} other target{'s are' if rest > 1 else ' is'} met" if rest else ""
    count = max(row["replications"] for row in rows)
    played = f"{count} replication{' does' if count == 1 else 's do'} not tell on which side it is"
    return f"{text}; {played}{also}."


def _is(row: Mapping[str, Any]) -> str:
    if math.isnan(row["value"]):
        return f"{label(row['kpi'], row['group'])} was not counted"
    return f"{label(row['kpi'], row['group'])} is {said(row)}"


def word(found: str | None) -> Html:
    """A verdict in a cell; "-" without one."""
    text, look = _SAYS.get(found or "", ("-", None))
    return tag("span", text, class_=look)


def cell(row: Mapping[str, Any] | None, found: str | None = None) -> Html:
    """A figure with its interval below it, and below that a verdict if there is one."""
    if row is None:
        return html("-") if found is None else word(found)
    interval = short(between(row))
    small = [tag("small", glue(interval))] if interval else []
    if found is not None:
        small.append(tag("small", word(found)))
    return tag("span", glue(short(said(row))), *small, class_="figure")


def short(text: str) -> str:
    """Words without what the heading says."""
    return text.removesuffix(" a week")


def head(key: tuple[str, str]) -> str:
    """A figure as the head of a column or row."""
    return "cost a week" if key == ("cost_week", "") else label(*key)


def asked(row: Mapping[str, Any]) -> str:
    """A target without the name of its figure, as "at least 95 %"."""
    return words(row).removeprefix(f"{label(row['kpi'], row['group'])} ")


def meanings(names: Sequence[str], how: str) -> str:
    """Meanings of figures, and a sentence on their intervals behind them."""
    told = [
        f"{head((one, ''))}: {_lower(FIGURES[one].description)}" for one in dict.fromkeys(names)
    ]
    return " ".join([*told, how]).strip()


def _lower(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}"


def _box(heading: str, sentences: Sequence[str]) -> Html:
    items = [tag("p", with_code(sentence)) for sentence in sentences]
    return tag("div", tag("h3", heading), *items)
