"""Agreement of the judge by facts with ratings of answers by reading.

    python -m tests.judges

prints it for the rated answers in `tests/data/rated_answers.csv`: as the shipped articles are, and
with facts derived from their steps, as for articles whose authors wrote none.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from twin.assistant.judging.judge import Judge
from twin.assistant.knowledge.articles import load_articles
from twin.assistant.knowledge.knowledge import Knowledge
from twin.stats.agreement import in_order

ROOT = Path(__file__).resolve().parents[1]
RATED = Path(__file__).parent / "data" / "rated_answers.csv"
TUNED, HELD_BACK = "tune", "held back"


def rated(half: str | None = None) -> list[dict[str, str]]:
    """Rows of the file: article, question, kind, rating (1 to 5), half, answer."""
    with RATED.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if half in (None, row["half"])]


def judge(written: bool = True) -> Judge:
    """The judge by the shipped articles, with the facts written in them or with derived ones."""
    articles = load_articles(ROOT / "scenarios" / "knowledge")
    if not written:
        articles = [replace(article, facts=()) for article in articles]
    return Judge(Knowledge(articles))


def marks(by: Judge, rows: list[dict[str, str]]) -> np.ndarray:
    """Quality of the answers of rows."""
    return np.array([by.judge(row["article"], row["answer"], row["question"]) for row in rows])


def main() -> None:
    """Print agreement by half, and mean quality by kind."""
    for name, by in (("facts written", judge()), ("facts derived", judge(written=False))):
        for half in (TUNED, HELD_BACK):
            rows = rated(half)
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


if __name__ == "__main__":
    main()
