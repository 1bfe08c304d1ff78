"""The page of models side by side: table, pictures, agreement of judges, what would tell more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from twin.assistant.recorded.attempts import Attempts
from twin.common.files import write_text
from twin.common.html import Html, table, tag
from twin.common.text import amount, signed
from twin.experiments import model_table as figures
from twin.report import frame, judges
from twin.report.judges import share
from twin.report.pictures import Picture, drawn
from twin.report.plots import models as plots
from twin.report.plots.style import rows_of


def write(several: Sequence[Attempts], path: str | Path, solves: float, sources: str) -> Path:
    """Write the page of models; an older one is replaced.

    Parameters
    ----------
    several : sequence of Attempts
    path : str or Path
    solves : float
        Quality from which an answer solved.
    sources : str
        Where the attempts are from, for the foot of the page.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page(several, solves, sources))
    return path


def page(several: Sequence[Attempts], solves: float, sources: str) -> str:
    """The page of models as HTML; see `write`."""
    found = figures.model_table(several)
    most = figures.most_attempts(several)
    passed = {one.name: figures.passes(one, most) for one in several}
    parts = list(_parts(several, found, passed, most, solves))
    title = " · ".join(found["model"]) if len(found) < 3 else f"{len(found)} models"
    return frame.frame(title, [], parts, sources)


def sentences(several: Sequence[Attempts], found: pd.DataFrame, most: int) -> Iterator[str]:
    """Sentences that answer which of the models is better, and how surely."""
    for row in rows_of(found):
        if pd.isna(row.solved):
            yield f"{row.model}: nothing tells which tickets it solved."
            continue
        yield (
            f"{row.model} solves {share(row.solved, row.solved_low, row.solved_high)} of "
            f"{row.tickets:,} tickets at one attempt."
        )
    looks = list(dict.fromkeys((1, most)))
    for k in looks:
        for pair in rows_of(figures.differences(several, k, len(looks))):
            if not pair.tickets:
                yield f"{pair.second} and {pair.first} have no tickets in common."
                continue
            more = "more" if pair.value > 0 else "less"
            verdict = f"solves {more} than" if pair.differs else "cannot be told from"
            at = "" if k == 1 else f" at each of {k} attempts"
            yield (
                f"{pair.second} {verdict} {pair.first}{at}: {signed(pair.value, 'share')} "
                f"({100 * pair.low:+.1f} to {100 * pair.high:+.1f}) on the same "
                f"{pair.tickets:,} tickets."
            )


def _parts(
    several: Sequence[Attempts],
    found: pd.DataFrame,
    passed: dict[str, pd.DataFrame],
    most: int,
    solves: float,
) -> Iterator[frame.Part]:
    said = (
        "Intervals are of 95 %, over tickets; differences are of the same tickets, and joint. "
        f"Solved is: the right category, and a judged quality of {solves:g} or more (assumed)."
    )
    yield frame.answer(list(sentences(several, found, most)), said)
    yield "models", "Each model", list(_tables(found))
    yield "pictures", "In pictures", [frame.figures(list(_pictures(found, passed)))]
    yield "passes", "Success at each of k attempts", [_passes(passed)]
    yield "judges", "Judges", list(judges.part(several))
    yield "latency", "Latency and load", list(_latency(found))
    if len(several) > 1:
        yield "plan", "Tickets that would tell them apart", list(_plans(several))


def _tables(found: pd.DataFrame) -> Iterator[Html]:
    head = ["model", "tickets", "attempts", "accuracy", "quality", "solved"]
    rows = [
        [
            row.model,
            f"{row.tickets:,}",
            f"{row.attempts:,}",
            share(row.accuracy, row.accuracy_low, row.accuracy_high),
            share(row.quality, row.quality_low, row.quality_high),
            share(row.solved, row.solved_low, row.solved_high),
        ]
        for row in rows_of(found)
    ]
    yield table(head, rows, "What it gets right", numbers=True)
    head = ["model", "latency p50", "latency p90", "cost a ticket", "cost a solved one",
            "asked twice", "cut", "no category"]  # fmt: skip
    rows = [
        [
            row.model,
            amount(row.latency_p50_s, "s"),
            amount(row.latency_p90_s, "s"),
            amount(row.cost_usd, "USD/ticket"),
            amount(row.cost_solved_usd, "USD/ticket"),
            amount(row.repaired, "share"),
            amount(row.cut, "share"),
            amount(row.unreadable, "share"),
        ]
        for row in rows_of(found)
    ]
    yield table(head, rows, "Time, cost and failures", numbers=True)
    failures = (
        "Failures are of answers: asked twice, as the first was outside the form; cut by a limit "
        "or a filter; without a category. Calls that failed are in no recording: runs count them "
        "(twin run, table calls)."
    )
    yield tag("p", failures, class_="small")


def _pictures(found: pd.DataFrame, passed: dict[str, pd.DataFrame]) -> Iterator[Picture]:
    words = "; ".join(
        f"{row.model} {share(row.solved, row.solved_low, row.solved_high)}"
        for row in rows_of(found)
    )
    yield drawn("shares", "What each model gets right", f"Solved: {words}.",
                lambda ax: plots.shares(found, ax), plots.shares_height(len(found)))  # fmt: skip
    last = "; ".join(
        f"{name} {share(*frame_[['value', 'low', 'high']].iloc[-1])} at k = {frame_['k'].iloc[-1]}"
        for name, frame_ in passed.items()
    )
    yield drawn("passes-picture", "Hard tickets stay hard", f"Solved at each of k: {last}.",
                lambda ax: plots.passes(passed, ax))  # fmt: skip


def _passes(passed: dict[str, pd.DataFrame]) -> Html:
    most = max(len(one) for one in passed.values())
    rows = [
        [name, *(share(row.value, row.low, row.high) for row in rows_of(one))]
        for name, one in passed.items()
    ]
    head = ["model", *(f"pass^{k}" for k in range(1, most + 1))]
    return table(head, rows, "Tickets solved at each of k attempts", True)


def _latency(found: pd.DataFrame) -> Iterator[Html]:
    def seconds(value: float) -> str:
        return "-" if pd.isna(value) else amount(round(value, 6) + 0.0, "s")

    rows = [
        [row.model, seconds(row.queue_p50_s), seconds(row.call_s), seconds(row.s_per_1k_in),
         seconds(row.s_per_1k_out), seconds(row.first_token_p50_s), seconds(row.first_token_p90_s)]
        for row in rows_of(found)
    ]  # fmt: skip
    head = ["model", "in the queue, p50", "a call", "a thousand tokens in",
            "a thousand tokens out", "first token, p50", "first token, p90"]  # fmt: skip
    yield table(head, rows, "Latency by tokens", True)
    yield tag("p", "The time to the first token (TTFT) is told of answers that were recorded as "
              "streams: twin record --stream.", class_="small")  # fmt: skip

    def number(value: float) -> str:
        return "-" if pd.isna(value) else f"{value:.1f}"

    rows = [
        [row.model, number(row.at_once), number(row.concurrency), seconds(row.alone_p50_s),
         seconds(row.beside_p50_s)]
        for row in rows_of(found)
    ]  # fmt: skip
    head = ["model", "calls at once, when sent", "calls at once, under way",
            "latency alone, p50", "latency beside others, p50"]  # fmt: skip
    yield table(head, rows, "Load of the recording", True)
    yield tag("p", "Calls at once is the load that the recording itself put on the provider: where "
              "it is far above one, latencies hold waits that a quiet desk would not have. When "
              "sent: as counted then, the call included; under way: by when answers came and how "
              "long they took.", class_="small")  # fmt: skip


def _plans(several: Sequence[Attempts]) -> Iterator[Html]:
    rows, head = [], ["models"]
    for first, second in figures.pairs_of(several):
        found = figures.plan(first, second)
        often = ["once" if n == 1 else f"{n} times" for n in found["attempts"]]
        head = ["models", *(f"tickets, each tried {words}" for words in often)]
        tickets = [f"{n:,.0f}" if n < float("inf") else "none tells" for n in found["tickets"]]
        rows.append([f"{second.name} and {first.name}", *tickets])
    yield table(head, rows, "Tickets that would tell them apart", True)
    yield tag("p", "So many tickets find a difference as large as the recorded one four times in "
              "five, at 5 % error. The recorded difference is itself uncertain: twin evaluate "
              "--apart plans for the smallest that matters to you.", class_="small")  # fmt: skip
