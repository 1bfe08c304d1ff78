"""The part of the page of models on judges: whether they agree, with each other and with people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from twin.assistant.recorded.attempts import Attempts
from twin.common.html import Html, table, tag
from twin.experiments import judges
from twin.report.plots.style import rows_of


def part(several: Sequence[Attempts]) -> Iterator[Html]:
    """Tables and sentences on the judges of these models."""
    found = judges.agreement(several)
    if not len(found):
        yield tag("p", "One judge alone rated these answers, the offline one: whether others agree "
                  "is not known. A model judges with assistant.judge = \"model\"; people's ratings "
                  "come with --ratings (answers to rate: --to-rate).")  # fmt: skip
        return
    yield from _people(several)
    # People stand in a table of their own.
    found = found[found["second"] != judges.PEOPLE]
    rows = [
        [row.model, f"{row.first} and {row.second}", f"{row.answers:,}",
         interval(row.alpha, row.low, row.high)]
        for row in rows_of(found)
    ]  # fmt: skip
    if rows:
        head = ["model", "judges", "answers of both", "alpha"]
        yield table(head, rows, "Agreement of judges", True)
    yield tag("p", "Krippendorff's alpha: 1 is agreement, 0 what chance would give; below 0.67 "
              "conclusions rest on the judge. Intervals are of 95 %, over tickets; without one "
              "there are too few tickets, or all marks agree.", class_="small")  # fmt: skip
    calibrated = judges.by_people(several)
    if len(calibrated):
        rows = [
            [row.model, f"{row.rated:,}", share(row.value, row.low, row.high)]
            for row in rows_of(calibrated)
        ]
        head = ["model", "rated by people", "quality as people would rate"]
        yield table(head, rows, "Quality calibrated by people", True)
        yield tag("p", "By the judge on all answers and people on some (prediction-powered "
                  "inference); it holds where the rated answers were drawn at random.",
                  class_="small")  # fmt: skip


def _people(several: Sequence[Attempts]) -> Iterator[Html]:
    for sentence in sentences(several):
        yield tag("p", sentence)
    found = judges.against_people(several)
    if not len(found):
        return
    rows = [
        [row.judge, f"{row.answers:,}", interval(row.alpha, row.low, row.high),
         interval(row.more, row.more_low, row.more_high, "+"), f"{100 * row.near:.0f} %"]
        for row in rows_of(found)
    ]  # fmt: skip
    head = ["judge", "answers", "alpha", "gives more", "within a star"]
    yield table(head, rows, "Each judge beside people", True)
    yield tag("p", "Gives more: mean of the judge's marks less people's, from -1 to 1; where its "
              "interval is above 0 the judge is too kind. Within a star: answers with marks at "
              "most a quarter apart.", class_="small")  # fmt: skip


def sentences(several: Sequence[Attempts]) -> Iterator[str]:
    """Sentences on how far people agree among themselves."""
    raters, answers, value, low, high = judges.among_people(several)
    if raters > 1 and answers:
        yield (
            f"{raters} people rated, {answers:,} answers by two or more: among themselves they "
            f"agree to alpha {interval(value, low, high)}. Judges are compared with their mean, "
            "which is surer than one of them."
        )
    elif raters:
        yield (
            "Each answer was rated by one person: how far people agree among themselves is not "
            "known."
        )


def interval(value: float, low: float, high: float, sign: str = "") -> str:
    """A number with its interval, where there is one."""
    if pd.isna(value):
        return "-"
    told = f"{value:{sign}.2f}"
    return told if pd.isna(low) else f"{told} ({low:{sign}.2f} to {high:{sign}.2f})"


def share(value: float, low: float, high: float) -> str:
    """A share in per cent with its interval."""
    if pd.isna(value):
        return "-"
    return f"{100 * value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
