"""Attempts as a log of Inspect (inspect.aisi.org.uk), for its viewer and its analyses.

The format is Inspect's own, version 2, as JSON: a sample is a ticket, an epoch an attempt at it.
`inspect_ai` 0.3.285 reads it; nothing of it is needed to write.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

from twin.assistant.recorded.attempts import Attempts
from twin.common.files import write_json
from twin.experiments.model_table import shares

TASK = "support-desk"
# Scores by the column they are read from.
_SCORES = {"category": "right", "quality": "quality", "solved": "solved"}


def write_inspect(attempts: Attempts, path: str | Path) -> Path:
    """Write attempts as a log of Inspect; an older one is replaced.

    Parameters
    ----------
    attempts : Attempts
    path : str or Path
        Its name ends in ``.json``, by which Inspect knows the format.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, inspect_log(attempts), private=True)
    return path


def inspect_log(attempts: Attempts) -> dict[str, Any]:
    """Attempts as the data of an Inspect log."""
    table = attempts.table
    tickets = {text: number for number, text in enumerate(dict.fromkeys(table["ticket"]), 1)}
    samples = [_sample(attempts, tickets, row) for row in table.to_dict("records")]
    keys = "".join([*table["categorize_key"], *table["respond_key"]])
    # The same attempts are the same log, whenever it is written.
    ident = hashlib.sha256(f"{attempts.name} {keys}".encode()).hexdigest()
    moments = sorted(moment for moment in table["recorded"] if moment)
    first, last = (moments[0], moments[-1]) if moments else ("1970-01-01T00:00:00+00:00",) * 2
    usage = _usage(int(table["tokens_in"].sum()), int(table["tokens_out"].sum()))
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": ident[:22],
            "run_id": ident[22:44],
            "task_id": ident[42:64],
            "created": first,
            "task": TASK,
            "dataset": {
                "name": TASK,
                "samples": len(tickets),
                "sample_ids": list(tickets.values()),
                "shuffled": False,
            },
            "model": attempts.model,
            "config": {"epochs": int(table["sample"].max()) + 1},
            "metadata": {"prompt_version": attempts.version},
        },
        "plan": {"name": "plan", "steps": []},
        "results": {
            "total_samples": len(samples),
            "completed_samples": len(samples),
            "scores": [
                _result(attempts, name, column)
                for name, column in _SCORES.items()
                if table[column].notna().any()
            ],
        },
        "stats": {
            "started_at": first,
            "completed_at": last,
            "model_usage": {attempts.model: usage},
        },
        "samples": samples,
    }


def _result(attempts: Attempts, name: str, column: str) -> dict[str, Any]:
    value, low, high = shares(attempts, column)
    metrics = {"mean": value, "low_95": low, "high_95": high}
    return {
        "name": name,
        "scorer": name,
        "metrics": {key: {"name": key, "value": value} for key, value in metrics.items()},
    }


def _usage(tokens_in: int, tokens_out: int) -> dict[str, int]:
    return {
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
    }


def _sample(attempts: Attempts, tickets: dict[str, int], row: dict[Any, Any]) -> dict[str, Any]:
    key = row["respond_key"] or row["categorize_key"]
    messages = [
        {"role": str(one.get("role", "user")), "content": str(one.get("content", ""))}
        for one in attempts.requests.get(key, [])
    ]
    said = {"role": "assistant", "content": row["answer"] or row["category"], "source": "generate"}
    scores = {
        name: {"value": float(row[column]), "answer": row["category"]}
        for name, column in _SCORES.items()
        if not math.isnan(row[column])
    }
    number = tickets[row["ticket"]]
    return {
        "id": number,
        "epoch": int(row["sample"]) + 1,
        "uuid": key[:22],
        "input": row["ticket"],
        "target": row["truth"],
        "messages": [*messages, said],
        "output": {
            "model": attempts.model,
            "choices": [{"message": said, "stop_reason": "max_tokens" if row["cut"] else "stop"}],
            "usage": _usage(int(row["tokens_in"]), int(row["tokens_out"])),
            "time": float(row["latency_s"]),
        },
        "scores": scores,
        "metadata": {
            name: row[name]
            for name in ("category", "articles", "categorize_key", "respond_key", "recorded")
        },
        "model_usage": {attempts.model: _usage(int(row["tokens_in"]), int(row["tokens_out"]))},
        "total_time": float(row["latency_s"]),
    }
