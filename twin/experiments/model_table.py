"""Models side by side, from recordings: accuracy, quality, pass^k, latency, cost, failures.

Tickets are what is independent: several attempts at one are not. So all intervals are over tickets,
and differences are of the same tickets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from twin.assistant.knowledge.knowledge import Knowledge
from twin.assistant.recorded.attempts import SOLVES, Attempts, read_attempts
from twin.common.files import write_text
from twin.common.formulas import harmless
from twin.demand.corpus import Corpus
from twin.stats.pass_plan import Skill, difference, tickets_needed, together_at
from twin.stats.passes import Floats, mean_bounds, passed_all

# Fewer calls tell no slope by tokens.
_FEW = 8
_MOST_K = 8


def read_models(
    paths: Sequence[Path],
    corpus: Corpus | None = None,
    knowledge: Knowledge | None = None,
    solves: float = SOLVES,
) -> list[Attempts]:
    """Attempts of all models of several recordings, each by a name of its own.

    See `twin.assistant.recorded.attempts.read_attempts`.
    """
    found = [(path, read_attempts(path, corpus, knowledge, solves)) for path in paths]
    several = [one for _, each in found for one in each]
    if len({one.name for one in several}) < len(several):
        several = [
            replace(one, label=f"{one.name}, {path.stem}") for path, each in found for one in each
        ]
    return several


def by_ticket(attempts: Attempts, column: str) -> pd.DataFrame:
    """Successes and attempts of each ticket, of those that are known.

    Returns
    -------
    DataFrame
        Columns sum and count, by ticket.
    """
    table = attempts.table
    known = table[table[column].notna()]
    found: pd.DataFrame = known.groupby("ticket")[column].agg(["sum", "count"])
    return found


def shares(attempts: Attempts, column: str) -> tuple[float, float, float]:
    """Mean over tickets of a column, each ticket once, with bounds of 95 %."""
    found = by_ticket(attempts, column)
    return mean_bounds((found["sum"] / found["count"]).to_numpy())


def most_attempts(several: Sequence[Attempts]) -> int:
    """The largest k for which at least half of the tickets of all models have k attempts."""
    counts = [by_ticket(one, "solved")["count"] for one in several]
    known = [float(count.median()) for count in counts if len(count)]
    return int(min([_MOST_K, *known])) if known else 1


def passes(attempts: Attempts, most: int) -> pd.DataFrame:
    """pass^1 to pass^most of solved tickets, with bounds of 95 % over tickets.

    Returns
    -------
    DataFrame
        Columns k, tickets, value, low, high.
    """
    found = by_ticket(attempts, "solved")
    rows = []
    for k in range(1, most + 1):
        values = passed_all(found["sum"].to_numpy(), found["count"].to_numpy(), k)
        rows.append((k, int(np.isfinite(values).sum()), *mean_bounds(values)))
    return pd.DataFrame(rows, columns=["k", "tickets", "value", "low", "high"])


def latency_by_tokens(attempts: Attempts) -> dict[str, float]:
    """Seconds a call, and seconds a thousand tokens in and out.

    By least squares on the time after the provider's queue, where that is told. NaN where there
    are too few calls, or where all have as many tokens.
    """
    calls = attempts.calls
    queue = calls["queue_s"].fillna(0.0)
    seconds = (calls["latency_s"] - queue).to_numpy()
    columns = calls[["tokens_in", "tokens_out"]].to_numpy(dtype=float)
    unknown = dict.fromkeys(("call_s", "s_per_1k_in", "s_per_1k_out"), np.nan)
    design = np.column_stack([np.ones(len(seconds)), columns / 1000])
    if len(seconds) < _FEW or np.linalg.matrix_rank(design) < 3:
        return unknown
    found = np.linalg.lstsq(design, seconds, rcond=None)[0]
    return dict(zip(unknown, found.tolist(), strict=True))


def concurrency(attempts: Attempts) -> float:
    """Calls under way, on average, at the moment at which a call was under way; NaN if not told.

    A recording says when an answer came and how long it took. Latencies of calls that were made
    beside others hold their load.
    """
    calls = attempts.calls
    ended = pd.to_datetime(calls["recorded"], utc=True, errors="coerce", format="ISO8601")
    if ended.isna().any() or len(calls) < 2:
        return np.nan
    ends = ended.astype("int64").to_numpy() / _unit(ended)
    starts = ends - calls["latency_s"].to_numpy()
    total = float((ends - starts).sum())
    if total <= 0:
        return np.nan
    # The time with n calls under way, counted n times each: sum of overlaps over all pairs.
    at = np.concatenate([starts, ends])
    step = np.concatenate([np.ones(len(starts)), -np.ones(len(ends))])
    order = np.lexsort((step, at))
    under_way = np.cumsum(step[order])[:-1]
    return float((under_way**2 * np.diff(at[order])).sum() / total)


def load(attempts: Attempts) -> dict[str, float]:
    """Latency told apart from the load that the recording itself put on the provider.

    Returns
    -------
    dict of str to float
        at_once (calls under way when one was sent, on average), alone_p50_s and beside_p50_s
        (latency of calls that were sent alone, and beside others), first_token_p50_s and _p90_s.
        NaN where it is not told.
    """
    calls = attempts.calls
    known = calls[calls["at_once"] > 0]
    alone = known["at_once"] == 1
    return {
        "at_once": float(known["at_once"].mean()),
        "alone_p50_s": float(known.loc[alone, "latency_s"].median()),
        "beside_p50_s": float(known.loc[~alone, "latency_s"].median()),
        "first_token_p50_s": float(calls["first_token_s"].median()),
        "first_token_p90_s": float(calls["first_token_s"].quantile(0.9)),
    }


def _unit(moments: pd.Series) -> float:
    name = str(moments.dtype)
    return {"ns": 1e9, "us": 1e6, "ms": 1e3}.get(name.split("[")[1][:2], 1.0)


def model_table(several: Sequence[Attempts]) -> pd.DataFrame:
    """A row a model: what it does, how surely, how fast, for how much, and what failed.

    Returns
    -------
    DataFrame
        Columns model, tickets, attempts, then value, low and high of accuracy, quality and solved,
        latency p50 and p90, seconds by tokens, concurrency, what `load` tells, cost a ticket and a
        solved one, and shares of attempts repaired and cut.
    """
    rows = []
    for one in several:
        table = one.table
        row: dict[str, object] = {
            "model": one.name,
            "tickets": table["ticket"].nunique(),
            "attempts": len(table),
        }
        for name, column in (("accuracy", "right"), ("quality", "quality"), ("solved", "solved")):
            value, low, high = shares(one, column)
            row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        seconds, cost = table["latency_s"], table["cost_usd"]
        solved = table["solved"].sum()
        row |= {
            "latency_p50_s": float(seconds.median()),
            "latency_p90_s": float(seconds.quantile(0.9)),
            **latency_by_tokens(one),
            "queue_p50_s": float(one.calls["queue_s"].median()),
            "concurrency": concurrency(one),
            **load(one),
            "cost_usd": float(cost.mean()),
            "cost_solved_usd": float(cost.sum(min_count=len(cost)) / solved) if solved else np.nan,
            "repaired": float(table["repaired"].mean()),
            "cut": float(table["cut"].mean()),
            "unreadable": float((table["category"] == "").mean()),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def _aligned(first: Attempts, second: Attempts, k: int) -> tuple[Floats, Floats]:
    counts = by_ticket(first, "solved"), by_ticket(second, "solved")
    both = counts[0].merge(counts[1], left_index=True, right_index=True, suffixes=("_1", "_2"))
    return (
        passed_all(both["sum_1"].to_numpy(), both["count_1"].to_numpy(), k),
        passed_all(both["sum_2"].to_numpy(), both["count_2"].to_numpy(), k),
    )


def pairs_of(several: Sequence[Attempts]) -> list[tuple[Attempts, Attempts]]:
    """All pairs of models, in order."""
    return list(combinations(several, 2))


def differences(several: Sequence[Attempts], k: int = 1, looks: int = 1) -> pd.DataFrame:
    """Differences in pass^k of all pairs of models, over the tickets of both.

    Intervals are joint by Bonferroni's rule: all of them hold 19 times in 20, those of other k
    included where `looks` says how many k are looked at.

    Returns
    -------
    DataFrame
        Columns first, second, k, tickets, value (second less first), low, high, p, differs.
    """
    pairs = pairs_of(several)
    rows = []
    for first, second in pairs:
        found = difference(*_aligned(first, second, k), 1 - 0.05 / len(pairs) / looks)
        rows.append(
            (first.name, second.name, k, found.tickets, found.value, found.low, found.high,
             found.p, found.differs)
        )  # fmt: skip
    columns = ["first", "second", "k", "tickets", "value", "low", "high", "p", "differs"]
    return pd.DataFrame(rows, columns=columns)


def plan(
    first: Attempts,
    second: Attempts,
    k: int = 1,
    apart: float | None = None,
    power: float = 0.8,
    attempts: Sequence[int] = (1, 2, 4, 8),
) -> pd.DataFrame:
    """Tickets and attempts until two models differ at a desk, by what was recorded of them.

    Parameters
    ----------
    first, second : Attempts
    k : int
    apart : float, optional
        Smallest difference that matters; by default the recorded one, which is itself uncertain.
    power : float
    attempts : sequence of int

    Returns
    -------
    DataFrame
        As of `twin.stats.pass_plan.tickets_needed`.
    """
    one, other = (
        Skill.of(found["sum"].to_numpy(), found["count"].to_numpy())
        for found in (by_ticket(first, "solved"), by_ticket(second, "solved"))
    )
    left, right = _aligned(first, second, k)
    together = together_at(left, right, one, other, k)
    return tickets_needed(one, other, attempts, k, together, apart, power)


def write_attempts(several: Sequence[Attempts], path: str | Path) -> Path:
    """Write attempts as CSV, one a row, each with its sample and the keys of its recording."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [one.table.assign(model=one.name, prompts=one.version) for one in several]
    whole = pd.concat(frames, ignore_index=True)
    whole["articles"] = whole["articles"].map(", ".join)
    first = ["model", "prompts", "sample"]
    ordered = whole[[*first, *(name for name in whole if name not in first)]]
    write_text(path, harmless(ordered).to_csv(index=False), private=True)
    return path
