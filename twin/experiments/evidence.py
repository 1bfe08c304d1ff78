"""Words of a calibrated desk's history on the changes that a comparison makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from twin.experiments import versions
from twin.measures.inputs import assumed_by
from twin.scenario.changes import flat
from twin.scenario.model import Scenario
from twin.scenario.sections.uncertainty import Evidence

if TYPE_CHECKING:
    from twin.experiments.results import Run

KINDS = tuple(Evidence().said)
# Sections, and keys of a pool, of which a change is of a kind; all other keys of a pool are
# staffing, and all other sections "other".
_SECTIONS = {
    "arrivals": "volume",
    "backlog": "volume",
    "tickets": "volume",
    "assistant": "assistant",
    "provider": "assistant",
}
_WORK = ("handle_", "wrap_up", "review_time", "triage_time", "follow_up_time", "slow_down")
# They change what is played, not the desk.
_NO_CHANGE = {
    "name", "question", "horizon", "warm_up", "seed", "replications", "start", "time_zone",
    "evidence", "targets", "uncertainty",
}  # fmt: skip


def kinds(keys: Iterable[str]) -> tuple[str, ...]:
    """Kinds of change that dotted keys make.

    Examples
    --------
    >>> kinds(["agents.phone.extra_heads", "arrivals.scale", "seed"])
    ('volume', 'staffing')
    """
    found = {_kind(key.split(".")) for key in keys}
    return tuple(kind for kind in KINDS if kind in found)


def _kind(path: list[str]) -> str:
    section = path[0]
    if section in _NO_CHANGE or path[-1] == "cost":
        return ""
    if section == "agents":
        return "handle_time" if len(path) > 2 and path[2].startswith(_WORK) else "staffing"
    return _SECTIONS.get(section, "other")


def evidence_notes(base: Run, runs: Iterable[Run]) -> Iterator[str]:
    """Sentences of the calibration on what runs change against another, word by word."""
    was = base.manifest.get("scenario_as_run")
    said = (was or {}).get("evidence") or {}
    for run in runs if said else ():
        now = run.manifest.get("scenario_as_run")
        if now is None:
            continue
        for kind in kinds(_changed(was or {}, now)):
            if said.get(kind):
                yield f"{run.scenario} changes {kind.replace('_', ' ')}: {said[kind]}"


def of_history(run: Run) -> bool:
    """True for a run of a desk that was calibrated to its history."""
    return bool((run.manifest.get("scenario_as_run") or {}).get("evidence"))


def assumed_figures(runs: Iterable[Run]) -> dict[str, tuple[str, ...]]:
    """Keys of assumed numbers by the figures that rest on them, in any of the runs."""
    found: dict[str, tuple[str, ...]] = {}
    for run in runs:
        data = run.manifest.get("scenario_as_run")
        of_run = assumed_by(Scenario.model_validate(data)) if data else {}
        for name, keys in of_run.items():
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), *keys)))
    return found


def starred(lines: Iterable[str]) -> list[str]:
    """Lines of `Results.unset`, with the star that figures carry which rest on what is assumed."""
    return [f"* {line}" if line.startswith("assumed") else line for line in lines]


def unseen_changes(base: Run, runs: Iterable[Run]) -> Iterator[str]:
    """Sentences on changes that show nothing, as both play a range that is stated for the key."""
    was = base.manifest.get("scenario_as_run")
    for run in runs:
        now = run.manifest.get("scenario_as_run")
        if was is None or now is None:
            continue
        for key in versions.unseen(was, now):
            yield (
                f"{run.scenario} changes {key}, but that is drawn from its range in "
                "[uncertainty.assumed], so the change is not played: change the range, or drop it"
            )


def _changed(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    old, new = flat(was), flat(now)
    return [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
