"""From a desk's history to a scenario that the twin plays, with what each number rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from twin.history.calibrated import Calibration
from twin.history.call_desk import calibrate_calls
from twin.history.desk_history import DeskHistory
from twin.history.kinds import as_calibrated
from twin.history.part import part_of
from twin.history.status_desk import calibrate_statuses
from twin.history.stretch_desk import calibrate_stretch, is_stretch
from twin.history.versions import with_versions
from twin.scenario.changes import flat


def calibrate(
    history: DeskHistory,
    progress: Callable[[int, int], None] | None = None,
    *,
    since: str | None = None,
    until: str | None = None,
    kept: Path | None = None,
    workers: int = 1,
    seed: int | None = None,
) -> Calibration:
    r"""Calibrate a desk to its history.

    Where it is known when agents began and ended their work, as on the phone, agents are played:
    who is there is fitted to the waits that were seen. Where only statuses are known, the desk is a
    workflow of measured chances and delays; agents work in a status of it where that predicts
    better than a delay, and else it says nothing of staffing. What the history leaves open of all
    these numbers is in versions, which replications play.

    Parameters
    ----------
    history : DeskHistory
    progress : callable, optional
        Called with the plays done and all of them.
    since, until : str, optional
        Times; only what happened between them is known to the twin. The days after `until` are left
        to be predicted.
    kept : Path, optional
        Folder in which the plays of the search are kept: where it was ended, the same call goes on
        from there, and finds what it would have found.
    workers : int
        Processes that play; what is found is the same whatever their number.
    seed : int, optional
        Of the luck of all plays, of the days that are drawn again, and of the desk that is found.

    Raises
    ------
    ScenarioError
        If the history is too short, or says too little.

    Examples
    --------
    >>> import tempfile, twin
    >>> rows = ["case,activity,timestamp"]
    >>> for k in range(60):
    ...     day = f"2026-03-{1 + k % 28:02d}T{8 + k % 9:02d}"
    ...     rows += [f"{k},New,{day}:00:00", f"{k},Resolved,{day}:{10 + k % 40}:00"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open(f"{folder}/log.csv", "w") as file:
    ...         print(*rows, sep="\n", file=file)
    ...     found = twin.calibrate(twin.read_history(f"{folder}/log.csv", zone="UTC"))
    >>> list(found.data["workflow"]["statuses"])
    ['New', 'Resolved']
    """
    history = part_of(history, since, until)
    if history.tells_work and is_stretch(history):
        found = calibrate_stretch(history, progress, kept, workers, seed)
    elif history.tells_work:
        found = calibrate_calls(history, progress, kept, workers, seed)
        found = with_versions(found, as_calibrated(history, found.data), workers=workers)
    else:
        found = calibrate_statuses(history, seed)
    # What makes figures of the history wrong makes numbers found in it wrong, too.
    given = flat(found.data)
    assumed = [one.key for one in found.estimates if one.assumed and one.key in given]
    evidence = {**found.data.get("evidence", {}), "assumed": assumed}
    traps = tuple(f"Trap in the export, {trap.name}: {trap.said}" for trap in history.traps)
    said = (*found.said, *traps)
    return replace(found, data=found.data | {"evidence": evidence}, said=said)
