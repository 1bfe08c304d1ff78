"""A calibrated desk as a scenario file, each number with what it rests on beside it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from twin.common.errors import Fault, ScenarioError
from twin.common.files import write_text
from twin.common.toml import dump
from twin.experiments.checks import check
from twin.history.calibrated import Calibration
from twin.history.desk_history import DeskHistory
from twin.scenario.file import load

_HEADER = re.compile(r"^\[+(?P<name>[^\]]+)\]+$")
_KEY = re.compile(r'^(?P<name>[A-Za-z0-9_-]+|"[^"]*") = ')


def write_calibrated(
    found: Calibration, history: DeskHistory, path: str | Path, replace_old: bool = False
) -> Path:
    """Write a calibrated desk: a scenario file, and a folder of the tables that it reads.

    Parameters
    ----------
    found : Calibration
    history : DeskHistory
        For what is said of it at the head of the file.
    path : str or Path
        The tables go into a folder of its name with ``-data``; the desk as it was in the history,
        whose arrivals and roster are recorded, is ``as-it-was.toml`` there.
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
    """
    path = Path(path)
    folder = refuse_taken(path, replace_old)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir()
        for name, frame in found.files.items():
            frame.to_csv(part / name, index=False)
        if found.as_it_was is not None:
            write_text(part / "as-it-was.toml", f"{_text(found, history, found.as_it_was, '')}\n")
            check(load(part / "as-it-was.toml"))
        if folder.exists():
            shutil.rmtree(folder)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    write_text(path, f"{_text(found, history, found.data, f'{folder.name}/')}\n")
    check(load(path))
    return path


def refuse_taken(path: Path, replace_old: bool) -> Path:
    """Refuse a scenario file that is there, or the folder of its tables; returns that folder.

    Raises
    ------
    ScenarioError
    """
    folder = path.with_name(f"{path.stem}-data")
    for one in (path, folder):
        if one.exists() and not replace_old:
            hint = "name another file, or replace it with --replace"
            raise ScenarioError(str(one), [Fault("", "is there already", hint=hint)])
    return folder


def _text(found: Calibration, history: DeskHistory, data: Mapping[str, object], at: str) -> str:
    head = [f"Question: {data['question']}", "", *summary(found, history)]
    lines = "".join(f"# {line}\n" if line else "#\n" for line in head)
    comments = {one.key: str(one) for one in found.estimates}
    return lines + annotated(dump(_with_folder(dict(data), at)), comments)


def summary(found: Calibration, history: DeskHistory) -> list[str]:
    """Sentences on a calibration: what it rests on, how well it fits, what it cannot tell."""
    tickets, days = len(history.log.tickets), found.days
    return [
        f"Calibrated to {tickets:,} tickets of {len(days)} days, {days[0]} to {days[-1]}.",
        "Beside each number: its estimate, 95 % interval, n and method, or the word assumed.",
        *found.said,
    ]


def annotated(text: str, comments: Mapping[str, str]) -> str:
    r"""TOML with a comment above each key or section that has one.

    Parameters
    ----------
    text : str
        As `twin.common.toml.dump` writes it.
    comments : mapping of str to str
        By dotted key.

    Examples
    --------
    >>> print(annotated("[arrivals]\nrate = 3", {"arrivals.rate": "counted"}))
    [arrivals]
    # counted
    rate = 3
    """
    section, lines = "", []
    for line in text.splitlines():
        header, key = _HEADER.match(line), _KEY.match(line)
        name = ""
        if header is not None:
            name = section = header["name"].replace('"', "")
        elif key is not None:
            name = ".".join(filter(None, [section, key["name"].strip('"')]))
        if name in comments:
            lines.append(f"# {comments[name]}")
        lines.append(line)
    return "\n".join(lines)


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
