"""The table calls: what was asked of models, how long that took, where answers are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.assistant.catalogue import Model
from twin.assistant.protocol import OUTCOMES
from twin.records.tables import STEPS, Columns, codes, columns_of

Array = npt.NDArray[Any]


def call_table(
    row: Array, models: Sequence[Model], versions: list[str], replies: Sequence[tuple[str, int]]
) -> Columns:
    """The table calls of a run.

    Parameters
    ----------
    row : structured array
        Of `twin.desk.rows.CALLS`.
    models : sequence of Model
    versions : list of str
        Of the prompts.
    replies : sequence of (str, int)
        Keys of recorded replies, and the number of the sample.
    """
    # Columns of their own: out of rows, values are found more slowly.
    asked, said = (np.ascontiguousarray(row[name]) for name in ("tokens_in", "tokens_out"))
    cost = np.full(len(row), np.nan)
    for k, model in enumerate(models):
        here = np.flatnonzero(row["model"] == k)
        if len(here):
            cost[here] = model.cost_usd(asked.take(here), said.take(here))
    sample, key = _recorded(row["reply"], replies)
    return columns_of(
        "calls",
        {
            "ticket_id": row["ticket"] + np.int32(1),
            "step": codes(row["step"], STEPS),
            "model": codes(row["model"], [m.name for m in models]),
            "prompt_version": codes(row["version"], versions),
            "asked_s": row["asked"],
            "started_s": row["started"],
            "ended_s": row["ended"],
            "quota_wait_s": row["quota"],
            "attempts": row["attempts"],
            "rate_limited": row["limited"],
            "prompt_tokens": row["tokens_in"],
            "completion_tokens": row["tokens_out"],
            "cost_usd": cost,
            "outcome": codes(row["outcome"], OUTCOMES),
            "sample": sample,
            "key": key,
        },
    )


def _recorded(reply: Array, replies: Sequence[tuple[str, int]]) -> tuple[Array, Any]:
    """Samples of calls, and their keys: those that were used, in order."""
    if not replies:
        none = np.full(len(reply), -1, np.int16)
        return none, codes(none, ())
    used = sorted({replies[number] for number in np.unique(reply[reply >= 0])})
    place = {one: number for number, one in enumerate(used)}
    # The last is of what was not recorded: -1.
    code = np.array([*(place.get(one, -1) for one in replies), -1])[reply]
    samples = np.array([*(number for _, number in used), -1])[code]
    # Not by `codes`, which remembers names: these are long, and each run has others.
    return samples, pd.Categorical.from_codes(code, pd.Index([key for key, _ in used], dtype="str"))
