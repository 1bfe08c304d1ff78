"""Remarks on a comparison: what differs, or does not, by assumption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twin.common.text import EMBEDDED
from twin.experiments.results import Run


def same_by_assumption(base: Run, others: Sequence[Run]) -> list[str]:
    """Notes on models that say the same by assumption, and on other assumptions of customers."""

    def says(run: Run) -> tuple[Any, Any]:
        assistant = run.manifest.get("scenario_as_run", {}).get("assistant", {})
        return assistant.get("backend", "embedded"), assistant.get("model")

    def section(run: Run, name: str) -> dict[str, Any]:
        return dict(run.manifest.get("scenario_as_run", {}).get(name, {}))

    notes = []
    same = [run for run in others if says(run)[0] == says(base)[0] == "embedded"]
    if any(says(run) != says(base) for run in same):
        notes.append(f"{EMBEDDED[0].lower()}{EMBEDDED[1:]}")
    for run in others:
        assumed = [section(one, "assistant").get("profile", {}) for one in (base, run)]
        drawn = says(run)[0] == says(base)[0] == "profile" and says(run) != says(base)
        if drawn and assumed[0] == assumed[1]:
            notes.append(
                f"{run.scenario}: both models have the same assumed accuracy and quality "
                "(assistant.profile), so only latency, tokens and price can differ"
            )
        was, now = section(base, "customers"), section(run, "customers")
        other = sorted(key for key in {*was, *now} if was.get(key) != now.get(key))
        if other:
            keys = ", ".join(f"customers.{key}" for key in other)
            notes.append(
                f"{run.scenario}: customers are assumed to be others here ({keys}): what follows "
                "from that is no effect of the desk"
            )
    return notes
