"""Agreement of the judge by facts with ratings of answers by reading.

    python -m tests.judges

prints it for the rated answers in `tests/data/rated_answers.csv`: as the shipped articles are, and
with facts derived from their steps, as for articles whose authors wrote none; for those of another
desk, a clinic; and how many sentences of articles pass as right as they are, with one number
changed, and denied.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from twin.assistant.judging.judge import Judge
from twin.assistant.knowledge.articles import load_articles
from twin.assistant.knowledge.knowledge import Knowledge
from twin.stats.agreement import in_order

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(__file__).parent / "data"
RATED = DATA / "rated_answers.csv"
SHIPPED = ROOT / "scenarios" / "knowledge"
CLINIC, LIBRARY = DATA / "clinic" / "knowledge", DATA / "faq" / "knowledge"
TUNED, HELD_BACK = "tune", "held back"
# Below, an answer is as good as false.
FALSE = 0.2

_ENDS = re.compile(r"(?<=[.!?;])\s+")
_OTHERS = {
    "two": "nine", "three": "eleven", "four": "twelve", "five": "fifteen", "six": "two",
    "seven": "three", "eight": "two", "nine": "four", "ten": "three", "twelve": "five",
}  # fmt: skip
_NUMBER = re.compile(rf"\b(?:(\d+)|({'|'.join(_OTHERS)})(?= \w))\b", re.IGNORECASE)
_VERB = re.compile(r"\b(?:is|are|can|will|must|may)\b(?! (?:been|not|never)\b)")
_ORDER = re.compile(
    r"(?:Open|Press|Choose|Pick|Type|Wait|Bring|Phone|Collect|Drink|Take|Fill|Confirm|Clean|Leave"
    r"|Write|Enter|Set|Pay|Check|Ask|Use|Keep|Send|Sign|Stay|Hold|Select|Put)\b"
)
_BOUND = re.compile(r"\b(?:if|when|not|no|never|nothing|nobody|without|cannot|only)\b", re.I)


def rated(half: str | None = None, path: Path = RATED) -> list[dict[str, str]]:
    """Rows of a file: article, question, kind, rating (1 to 5), half, answer."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if half in (None, row["half"])]


def judge(written: bool = True, folder: Path = SHIPPED) -> Judge:
    """The judge by a folder of articles, with the facts written in them or with derived ones."""
    articles = load_articles(folder)
    if not written:
        articles = [replace(article, facts=()) for article in articles]
    return Judge(Knowledge(articles))


def sentences(by: Judge) -> list[tuple[str, str]]:
    """Article and text of each sentence of steps and last notes."""
    return [
        (slug, text)
        for slug, article in by._articles.items()
        for part in (*article.steps, article.closing)
        for text in _ENDS.split(part)
        if len(text.split()) > 3
    ]


def miscounted(text: str) -> Iterator[str]:
    """A sentence with one of its numbers changed, for each number."""
    for found in _NUMBER.finditer(text):
        other = str(3 * int(found[1]) + 1) if found[1] else _OTHERS[found[2].lower()]
        yield text[: found.start()] + other + text[found.end() :]


def denied(text: str) -> Iterator[str]:
    """A sentence without conditions or denials, denied; nothing where that is not plain."""
    if _BOUND.search(text):
        return
    if _ORDER.match(text):
        yield f"Do not {text[0].lower()}{text[1:]}"
    elif verb := _VERB.search(text):
        yield f"{text[: verb.end()]} not{text[verb.end() :]}"


def marks(by: Judge, rows: list[dict[str, str]]) -> np.ndarray:
    """Quality of the answers of rows."""
    return np.array([by.judge(row["article"], row["answer"], row["question"]) for row in rows])


def passed(by: Judge) -> dict[str, tuple[int, int]]:
    """Sentences that pass as right, and all there are: as they are, miscounted, denied."""
    told = sentences(by)
    texts = {
        "as they are": told,
        "a number changed": [(slug, one) for slug, text in told for one in miscounted(text)],
        "denied": [(slug, one) for slug, text in told for one in denied(text)],
    }
    return {
        name: (sum(by.judge(slug, text) >= FALSE for slug, text in cases), len(cases))
        for name, cases in texts.items()
    }


def main() -> None:
    """Print agreement by half, mean quality by kind, and what becomes of changed sentences."""
    clinic = judge(folder=CLINIC)
    of_clinic = CLINIC.with_name("rated_answers.csv")
    for name, by, path in (
        ("facts written", judge(), RATED),
        ("facts derived", judge(written=False), RATED),
        ("clinic, facts derived", clinic, of_clinic),
    ):
        for half in (TUNED, HELD_BACK):
            rows = rated(half, path)
            found = marks(by, rows)
            stars = np.array([(int(row["rating"]) - 1) / 4 for row in rows])
            agreed = in_order(stars, found)
            print(
                f"{name}, {half}: rank correlation {agreed.rank:.3f} "
                f"[{agreed.low:.3f}, {agreed.high:.3f}] of {agreed.n}"
            )
            kinds = np.array([row["kind"] for row in rows])
            for kind in dict.fromkeys(sorted(kinds)):
                print(f"    {kind:10} {found[kinds == kind].mean():.2f} of {(kinds == kind).sum()}")
    for name, by in (
        ("shipped", judge(written=False)),
        ("clinic", clinic),
        ("library", judge(folder=LIBRARY)),
    ):
        counts = ", ".join(f"{what} {k} of {n}" for what, (k, n) in passed(by).items())
        print(f"sentences that pass, {name}: {counts}")


if __name__ == "__main__":
    main()
