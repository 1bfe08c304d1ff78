"""A calibrated desk as a scenario file, each number with what it rests on beside it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from twin.common.errors import Fault, ScenarioError
from twin.common.files import (
    clear_parts,
    make_writable,
    put_back,
    remove_folder,
    whole_folder,
    write_sealed,
    write_text,
)
from twin.common.formulas import harmless
from twin.common.tables import one_line
from twin.common.toml import dump
from twin.experiments.checks import check
from twin.experiments.versions import value_at
from twin.history.calibrated import Calibration
from twin.history.desk_history import DeskHistory
from twin.history.whole_days import Days
from twin.scenario.file import load
from twin.scenario.units import format_duration, parse_duration, parse_rate

_EVIDENCE = "What changes to this desk rest on; twin compare repeats it where it makes one."
_AS_IT_WAS, _VERSIONS = "as-it-was.toml", "versions.json"
# The scenario beside its tables, while these are made.
_PLAIN = "forecast.toml"
_KEY = re.compile(r'^([A-Za-z0-9_-]+|"(?:\\.|[^"\\])*") = ')


def write_calibrated(
    found: Calibration, history: DeskHistory, path: str | Path, replace_old: bool = False
) -> Path:
    r"""Write a calibrated desk: a scenario file, and a folder of the tables that it reads.

    Parameters
    ----------
    found : Calibration
    history : DeskHistory
        For what is said of it at the head of the file.
    path : str or Path
        The tables go into a folder of its name with ``-data``, or ``-data-2`` where the scenario
        that is replaced reads the first one; the desk as it was in the history, whose arrivals and
        roster are recorded, is ``as-it-was.toml`` there.
    replace_old : bool
        Whether files of those names may be replaced.

    Returns
    -------
    Path
        Of the scenario file.

    Raises
    ------
    ScenarioError
        If something is there already, or the desk is not valid.
    OSError
        If it cannot be written.

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
    ...     history = twin.read_history(f"{folder}/log.csv", zone="UTC")
    ...     found = twin.calibrate(history)
    ...     path = twin.write_calibrated(found, history, f"{folder}/my-desk.toml")
    ...     desk = twin.load(path)
    >>> sorted(desk.workflow.statuses)
    ['New', 'Resolved']
    """
    path = Path(path)
    refuse_taken(path, replace_old)
    folder, others = _folders(path)
    for one in (path, folder, *others):
        clear_parts(one)
    # The old scenario reads its own tables until the new one, whole, takes its place.
    remove_folder(folder)
    data = found.data
    with whole_folder(folder) as part:
        for name, frame in found.files.items():
            harmless(frame).to_csv(part / name, index=False)
        if found.as_it_was is not None:
            write_text(part / _AS_IT_WAS, f"{_text(found, history, found.as_it_was, '')}\n")
            check(load(part / _AS_IT_WAS))
        if found.versions:
            write_versions(found, part)
            data = data | {"uncertainty": {"file": _VERSIONS}}
        write_text(part / _PLAIN, dump(dict(data)))
        check(load(part / _PLAIN))
        (part / _PLAIN).unlink()
    try:
        write_text(path, f"{_text(found, history, data, f'{folder.name}/')}\n")
    finally:
        for one in (folder, *others):
            if not _reads(path, one):
                remove_folder(one)
    return path


def _folders(path: Path) -> tuple[Path, list[Path]]:
    """The folder for new tables, which the scenario that is there does not read; and the others."""
    names = [path.with_name(f"{path.stem}-data{end}") for end in ("", "-2")]
    free = next(one for one in names if not _reads(path, one))
    return free, [one for one in names if one != free]


def _reads(path: Path, folder: Path) -> bool:
    """True if a scenario file is there that reads tables of a folder beside it."""
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError):
        return False
    return re.search(rf"""["'/]{re.escape(folder.name)}/""", text) is not None


def write_versions(found: Calibration, folder: Path) -> None:
    """Write the versions of a calibrated desk into the folder of its tables."""
    plain = folder / _PLAIN
    write_text(plain, dump(dict(found.data)))
    data = load(plain).as_data()
    plain.unlink()
    numbers = [
        {"key": one.key, "calibrated": was, "versions": [_times(was, own) for own in one.values]}
        for one in found.versions
        if (was := value_at(data, one.key)) is not None
    ]
    write_sealed(folder / _VERSIONS, {"days": list(map(str, found.days)), "numbers": numbers})


def _times(value: Any, factor: Any) -> Any:
    """A number, a rate or a duration times a factor; a list by its elements."""
    if isinstance(value, list):
        return [_times(own, by) for own, by in zip(value, factor, strict=True)]
    by = float(factor)
    if not isinstance(value, str):
        # Chances of a row must add up.
        return float(f"{value * by:.9g}")
    if "/" in value:
        return f"{parse_rate(value) * by:.9g}/s"
    return format_duration(float(f"{parse_duration(value) * by:.7g}"))


def refuse_taken(path: Path, replace_old: bool) -> None:
    """Refuse a scenario file that is there, or a folder of its tables.

    Raises
    ------
    ScenarioError
    OSError
        If nothing can be written into the folder in which it is to lie.
    """
    if path.is_dir():
        raise ScenarioError(str(path), [Fault("", "is a folder; name a file")])
    new, others = _folders(path)
    for one in (new, *others):
        put_back(one)
        ours = any((one / name).is_file() for name in (_AS_IT_WAS, _VERSIONS))
        if one.exists() and not ours:
            reason = "is there already, and is no folder of a calibration; name another file"
            raise ScenarioError(str(one), [Fault("", reason)])
    for one in (path, new, *others):
        if one.exists() and not replace_old:
            hint = "name another file, or replace it with --replace"
            raise ScenarioError(str(one), [Fault("", "is there already", hint=hint)])
    make_writable(path.parent)


def _text(found: Calibration, history: DeskHistory, data: Mapping[str, object], at: str) -> str:
    head = [f"Question: {data['question']}", "", *summary(found, history)]
    lines = "".join(f"# {one_line(line)}\n" if line else "#\n" for line in head)
    comments = {one.key: one_line(str(one)) for one in found.estimates}
    comments["evidence"] = _EVIDENCE
    return lines + annotated(dump(_with_folder(dict(data), at)), comments)


def summary(found: Calibration, history: DeskHistory) -> list[str]:
    """Sentences on a calibration: what it rests on, how well it fits, what it cannot tell."""
    days = found.days
    at = history.log.tickets["arrived_s"].to_numpy(dtype=np.float64)
    came = Days.of(history).counts(at, history.desk.midnight)
    tickets = int(came.some([day in found.days for day in came.days]).totals.sum())
    when = f"{len(days)} days, {days[0]} to {days[-1]}" if len(days) > 1 else f"{days[0]}"
    return [
        f"Calibrated to {tickets:,} tickets of {when}.",
        "Above what was estimated: its value, 95 % interval, n and method, or the word assumed.",
        *found.said,
    ]


def annotated(text: str, comments: Mapping[str, str]) -> str:
    r"""TOML with a comment above each key or section that has one, and behind rows of lists.

    Parameters
    ----------
    text : str
        As `twin.common.toml.dump` writes it.
    comments : mapping of str to str
        By dotted key; the first row of a list is ``KEY[0]``.

    Examples
    --------
    >>> print(annotated("[arrivals]\nrate = 3", {"arrivals.rate": "counted"}))
    [arrivals]
    # counted
    rate = 3
    """
    section, name, row, lines = "", "", 0, []
    tables: dict[str, int] = {}
    for line in text.split("\n"):
        if line.startswith("    "):
            # A row of the list that the key above holds; the comment of a row stands behind it.
            row_name = f"{name}[{row}]"
            row += 1
            lines.append(f"{line}  # {comments[row_name]}" if row_name in comments else line)
            continue
        name, row = "", 0
        if line.startswith("["):
            name = section = _path(tomllib.loads(line))
            if line.startswith("[["):
                # A table of a list of tables.
                tables[section] = tables.get(section, -1) + 1
                name = f"{section}[{tables[section]}]"
        elif (key := _KEY.match(line)) is not None:
            inner = _path(tomllib.loads(f"{key[0]}0"))
            name = f"{section}.{inner}" if section else inner
        if name in comments:
            lines.append(f"# {comments[name]}")
        lines.append(line)
    return "\n".join(lines)


def _path(data: object) -> str:
    """Dotted path of the one key in nested tables."""
    names = []
    while isinstance(data, dict | list) and data:
        if isinstance(data, list):
            data = data[0]
        else:
            name, data = next(iter(data.items()))
            names.append(name)
    return ".".join(names)


def _with_folder(data: object, at: str) -> dict[str, object]:
    """The same with its tables as seen from another folder."""

    def walk(value: object, key: str = "") -> object:
        if isinstance(value, dict):
            return {name: walk(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner) for inner in value]
        named = key in ("file", "roster", "trace") and isinstance(value, str)
        return f"{at}{value}" if named else value

    found = walk(data)
    assert isinstance(found, dict)
    return found
