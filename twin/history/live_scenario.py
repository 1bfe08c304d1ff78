"""From the live desk's history to a scenario file that the twin plays."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from twin.assistant.learning.feedback import Entry, save_feedback
from twin.assistant.protocol import OK, OUTCOMES, Floats
from twin.assistant.recorded.measured import measure
from twin.common.errors import Fault, ScenarioError
from twin.common.formulas import harmless
from twin.common.text import duration, moment
from twin.common.toml import dump
from twin.experiments.checks import check
from twin.history.customers import customers_of
from twin.history.log import LiveRecord, sample_of, speaker
from twin.scenario.changes import PATH_KEYS
from twin.scenario.clock import DAY_S, HOUR_S
from twin.scenario.file import load
from twin.scenario.model import PRIORITIES, Scenario
from twin.scenario.sections.assistant import answering_model

# Fewer of an agent's handled tickets say too little to replace an assumption.
FEWEST_HANDLED = 10
# The error of a Poisson rate is one over the root of the count: a tenth.
FEWEST_ARRIVALS = 100
WEEK_HOURS = 168
_CONFIDENCES = 101


def write_scenario(history: LiveRecord, path: Path, trace: bool = False) -> list[str]:
    """Write a scenario file, with the data files that it needs beside it.

    Parameters
    ----------
    history : LiveRecord
    path : Path
        Must not be there yet; the data files are called after it.
    trace : bool, optional
        Whether tickets arrive as they did, with their texts, instead of at their rate.

    Returns
    -------
    list of str
        What was measured and what had to be assumed, a sentence each.

    Raises
    ------
    ScenarioError
        If a file is there already, or the history's desk cannot be played.
    """
    names = {name: path.with_name(f"{path.stem}-{name}") for name in _FILES}
    for one in (path, *names.values()):
        if one.exists():
            raise ScenarioError(str(one), [Fault("", "is there already; name a new file")])
    desk = dict(history.desk)
    base = Scenario.model_validate(desk)
    notes = [_summary(history)]
    desk["question"] = "How does the desk do that runs live?"
    desk.pop("name", None)
    written: list[Path] = []
    try:
        desk["arrivals"], times = _arrivals(history, base, names["arrivals.csv"], trace)
        desk |= times
        if not trace and len(history.tickets) < FEWEST_ARRIVALS:
            notes.append(_few_arrivals(history))
        if trace:
            written.append(names["arrivals.csv"])
        desk["tickets"] = _tickets(history, base, trace)
        desk["assistant"] = _assistant(history, base, notes)
        desk["provider"] = {**desk.get("provider", {}), **_provider(history, base)}
        desk["agents"] = _agents(history, desk.get("agents", {}), names, notes, written)
        desk["customers"] = customers_of(history, base, desk, notes)
        if lessons := _lessons(history):
            save_feedback(names["feedback.json"], lessons)
            written.append(names["feedback.json"])
            desk["assistant"]["learning"] = {"feedback": str(names["feedback.json"])}
        head = "".join(f"# {line}\n" for line in [f"Question: {desk['question']}", "", *notes])
        with path.open("x", encoding="utf-8") as file:
            written.append(path)
            file.write(f"{head}{dump(_relative(desk, path.parent))}\n")
        check(load(path))
    except BaseException:
        for one in written:
            one.unlink(missing_ok=True)
        raise
    return notes


_FILES = ("arrivals.csv", "handle.csv", "triage.csv", "feedback.json")


def _summary(history: LiveRecord) -> str:
    response = history.response_s
    quick = f"{np.median(response):.3g} s" if len(response) else "none"
    return (
        f"Measured by twin live-scenario: {len(history.tickets)} tickets from "
        f"{moment(history.began)} to {moment(history.ended)}, median first response {quick}."
    )


def _few_arrivals(history: LiveRecord) -> str:
    count, length = len(history.tickets), duration(round(history.ended - history.began))
    return f"The arrival rate rests on {count} tickets in {length}: set arrivals.rate yourself."


def _relative(value: Any, folder: Path) -> Any:
    """The same with files as seen from a folder."""
    if isinstance(value, dict):
        return {
            key: Path(os.path.relpath(item, folder)).as_posix()
            if key in PATH_KEYS and isinstance(item, str)
            else _relative(item, folder)
            for key, item in value.items()
        }
    return [_relative(item, folder) for item in value] if isinstance(value, list) else value


def _arrivals(
    history: LiveRecord, base: Scenario, file: Path, trace: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The section of arrivals, and the times of the run that go with it."""
    first = datetime.fromtimestamp(history.tickets[0]["received_at"], base.zone)
    if trace:
        _write_trace(history, file)
        midnight = datetime(*first.timetuple()[:3], tzinfo=base.zone).timestamp()
        hours = int((history.tickets[-1]["received_at"] - midnight) // HOUR_S) + 2
        times = {"start": first.date().isoformat(), "horizon": f"{hours}h", "warm_up": "0s"}
        return {"kind": "trace", "trace": str(file)}, times
    if history.ended - history.began < DAY_S:
        return {"rate": _rate(history.rate)}, {"horizon": "1d", "warm_up": "0s"}
    rates = hourly_rates(history, base.zone)
    mean = float(rates.mean())
    weights = [round(float(rate), 4) for rate in rates / mean]
    return {"kind": "hourly", "rate": _rate(mean), "week": {"hours": weights}}, {}


def _rate(per_second: float) -> str:
    return f"{per_second * HOUR_S:.6g}/h"


def hourly_rates(history: LiveRecord, zone: ZoneInfo) -> Floats:
    """Arrival rate by hour of week, shape (168,); tickets a second.

    An hour of the week that the history does not cover takes the rate of that hour on its other
    days, or that of all hours.
    """
    counts, covered = np.zeros(WEEK_HOURS), np.zeros(WEEK_HOURS)
    here = history.began
    while here < history.ended:
        local = datetime.fromtimestamp(here, zone)
        following = here + HOUR_S - (local.minute * 60 + local.second + local.microsecond / 1e6)
        # Rounding may leave it where it was.
        following = min(max(following, here + 1e-3), history.ended)
        covered[local.weekday() * 24 + local.hour] += following - here
        here = following
    for ticket in history.tickets:
        local = datetime.fromtimestamp(ticket["received_at"], zone)
        counts[local.weekday() * 24 + local.hour] += 1
    days, spans = counts.reshape(7, 24).sum(axis=0), covered.reshape(7, 24).sum(axis=0)
    daily = np.where(spans > 0, days / np.maximum(spans, 1e-9), history.rate)
    known = covered > 0
    return np.where(known, counts / np.maximum(covered, 1e-9), np.tile(daily, 7))


def _write_trace(history: LiveRecord, file: Path) -> None:
    usual = Counter(t["category"] for t in history.tickets if t["category"]).most_common(1)
    rows = [
        {
            "timestamp": datetime.fromtimestamp(t["received_at"], UTC).isoformat(),
            "text": t["description"],
            "category": t["category"] or (usual[0][0] if usual else ""),
            "priority": t["priority"],
        }
        for t in history.tickets
    ]
    harmless(pd.DataFrame(rows)).to_csv(file, index=False, mode="x")


def _tickets(history: LiveRecord, base: Scenario, trace: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"corpus": base.tickets.corpus} if base.tickets.corpus else {}
    if trace:
        return found
    categories = Counter(t["category"] for t in history.tickets if t["category"])
    if categories:
        found["category_mix"] = dict(categories.most_common())
    priorities = Counter(t["priority"] for t in history.tickets)
    found["priority_mix"] = {name: priorities[name] for name in PRIORITIES if priorities[name]}
    return found


def _assistant(history: LiveRecord, base: Scenario, notes: list[str]) -> dict[str, Any]:
    """The assistant as a profile of its measured calls."""
    sample = sample_of(history)
    profile = measure(sample)
    mine = [c for c in history.calls if speaker(c) == history.model]
    sure = np.array([c["confidence"] for c in mine if c["confidence"] is not None])
    if len(sure):
        # Right or wrong nobody knows; who is sent to humans for doubt is as measured either way.
        levels = np.quantile(sure, np.linspace(0, 1, min(_CONFIDENCES, len(sure))))
        both = [round(float(level), 4) for level in levels]
        profile["measured"] |= {"confidence_right": both, "confidence_wrong": both}
    failed = sum(c["outcome"] != OUTCOMES[OK] for c in mine)
    profile["error_rate"] = round(failed / len(mine), 4)
    with_rag = sum(t["use_rag"] for t in history.tickets) * 2 >= len(history.tickets)
    spoke = answering_model(mine[-1]["backend"], history.model)
    of = f"{spoke} (backend {mine[-1]['backend']})" if spoke else (
        f"backend {history.model}, no language model"
    )  # fmt: skip
    notes.append(
        f"{len(mine)} calls of {of}, {failed} failed; "
        "how often its category is right and how good its answers are is assumed: see "
        "accuracy and quality of [assistant.profile] in scenarios/README.md."
    )
    kept = base.as_data()["assistant"]
    for name in ("recording", "learning", "profile", "samples"):
        kept.pop(name, None)
    measured = profile["measured"]
    limits = {
        step: measured[step]["max_tokens"] for step in ("categorize", "respond") if step in measured
    }
    measured["date"] = measured["date"].isoformat()
    return {
        **kept,
        "backend": "profile",
        "model": spoke or base.assistant.model,
        "retrieval": with_rag,
        "max_tokens": limits,
        "profile": profile,
    }


def _provider(history: LiveRecord, base: Scenario) -> dict[str, Any]:
    found: dict[str, Any] = {"concurrency": base.provider.concurrency or history.calls_at_once}
    if all(c["backend"] != "groq" for c in history.calls):
        # This machine answered: no plan limits it.
        found["plan"] = "unlimited"
    return found


def _agents(
    history: LiveRecord,
    pools: dict[str, Any],
    names: dict[str, Path],
    notes: list[str],
    written: Any,
) -> dict[str, Any]:
    """The pools with handle times as measured, where enough tickets were handled."""
    changed = {name: dict(pool) for name, pool in pools.items()}
    if not pools:
        return {}
    for what, key, values in (
        ("handle", "handle_time", history.handle_s),
        ("triage", "triage_time", history.triage_s),
    ):
        if len(values) < FEWEST_HANDLED:
            notes.append(
                f"Agents' {what} times are the desk's assumed ones: {len(values)} were measured, "
                f"{FEWEST_HANDLED} are needed."
            )
            continue
        file = names[f"{what}.csv"]
        pd.DataFrame({f"{what}_s": values}).to_csv(file, index=False, mode="x")
        written.append(file)
        column = {"column": f"{what}_s", "unit": "1s"}
        for pool in changed.values():
            pool[key] = {"distribution": "empirical", "file": str(file), **column}
            if what == "handle":
                for other in ("handle_times", "handle_scale", "handle_growth"):
                    pool.pop(other, None)
    return changed


def _lessons(history: LiveRecord) -> list[Entry]:
    """Live feedback from which an assistant can learn: that with a category and its answer."""
    own, names = history.own, list(Entry.__dataclass_fields__)
    return [
        Entry(**{name: rating[name] for name in names})
        for rating in history.ratings[::-1]
        if rating["category"] and rating["answer"] and rating["ticket_id"] in own
    ]
