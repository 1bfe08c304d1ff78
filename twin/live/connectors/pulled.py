"""A help desk's history, pulled in parts: what is on the disk is whole, whatever ends the pulling.

Each part is a file with the objects that came and the place behind them, written whole or not at
all. So data and place cannot part: the next pull goes on behind the last file. Where an object
comes twice the newest counts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twin.common.errors import DamagedFile, Fault, ScenarioError
from twin.common.files import clear_parts, read_json, reason, to_json, write_text
from twin.history.desk_history import MAPPING, DeskHistory, open_history, refuse_taken
from twin.history.imported import read_history
from twin.history.mapping_file import read_mapping
from twin.live.connectors.help_desk import Exported, Place, Source, iso
from twin.live.connectors.wire import Unclear

_ABOUT, _LOCK = "about.json", "lock"
_PARTS = "part-*.json"
# Objects in whose files an export of the tool has them.
_FILES = {"tickets": "tickets.json", "events": "events.json", "issues": "issues.json"}


@dataclass(frozen=True)
class About:
    """Settings of a pull, which stay for all that goes on from it.

    Attributes
    ----------
    desk : str
        Tool and host.
    since : str
        ISO 8601.
    texts : bool
    """

    desk: str
    since: str
    texts: bool


class Pulled:
    """A folder of parts.

    Parameters
    ----------
    folder : Path
        Made where it is not there. Only its owner may read its files.
    about : About

    Raises
    ------
    ScenarioError
        If it is of another help desk, or begins at another moment.
    """

    def __init__(self, folder: Path, about: About) -> None:
        self._folder = folder
        self.about = about
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in folder.glob(".*part"):
            clear_parts(folder / part.name[1:].rsplit(".", 2)[0])
        file = folder / _ABOUT
        if not file.exists():
            write_text(file, to_json(asdict(about)), sync=True, private=True)
        known = _read(file)
        faults = [
            Fault(f"--{name}", "the parts pulled so far are of another", str(value),
                  f"it was {known.get(name)}; give another --out")
            for name, value in asdict(about).items() if known.get(name) != value
        ]  # fmt: skip
        if faults:
            raise ScenarioError(str(folder), faults)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from pulling into the folder meanwhile.

        Raises
        ------
        ScenarioError
        """
        # A lock of SQLite ends with the process, however that ends, on every system.
        held = sqlite3.connect(self._folder / _LOCK, timeout=0, isolation_level=None)
        try:
            try:
                held.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                fault = Fault("", "another pull is at work here")
                raise ScenarioError(str(self._folder), [fault]) from None
            yield
        finally:
            held.close()

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(_PARTS))

    def place(self) -> Place:
        """The place behind all that was pulled."""
        files = self._files()
        return dict(_read(files[-1])["place"]) if files else {}

    def keep(self, items: list[dict[str, Any]], place: Place) -> None:
        """Keep a part; it is on the disk before this returns."""
        files = self._files()
        number = int(files[-1].stem.rpartition("-")[2]) + 1 if files else 1
        text = to_json({"place": place, "items": items})
        write_text(self._folder / f"part-{number:08d}.json", text, sync=True, private=True)

    def exported(self) -> Exported:
        """All objects, the newest of each."""
        found = Exported()
        for file in self._files():
            for item in _read(file)["items"]:
                found.add(item)
        return found


def _read(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path, "a part of a pull")
    except (OSError, ValueError) as error:
        raise DamagedFile(path, reason(error), "remove its folder and pull again") from None
    if not isinstance(found, dict):
        raise DamagedFile(path, "is no JSON object", "remove its folder and pull again")
    return found


def folder_of(out: Path) -> Path:
    """Folder of the parts of a history: beside it."""
    return out.with_name(f"{out.name}.pulled")


def pull(
    source: Source, about: About, since: float, out: Path, tool: str, zone: str | None = None,
    told: Callable[[int], None] = lambda count: None,
) -> DeskHistory:  # fmt: skip
    """Pull what is new of a help desk, and make the history of all that was pulled so far.

    Parameters
    ----------
    source : Source
    about : About
    since : float
        Seconds since 1970.
    out : Path
        Folder of the history; it is replaced.
    tool : str
        Name of the reader.
    zone : str, optional
        Time zone of the desk.
    told : callable, optional
        Gets the number of objects pulled after each part.

    Raises
    ------
    ScenarioError, DamagedFile, ConnectorError
    """
    parts = folder_of(out)
    if not parts.exists():
        refuse_taken(out, False)
    pulled = Pulled(parts, about)
    with pulled.alone():
        fetch(pulled, source, since, told)
        return _history(pulled.exported(), out, tool, zone, about)


def fetch(
    pulled: Pulled, source: Source, since: float, told: Callable[[int], None] = lambda count: None
) -> None:  # fmt: skip
    """Keep all that is new of a help desk, part by part."""
    place, known, count, done = pulled.place(), pulled.exported(), 0, False
    while not done:
        page = source.export(place, since, pulled.about.texts)
        # What came before, as it was, comes again where an export begins a little earlier.
        items = [item for item in page.items if known.add(item)]
        if items or page.place != place:
            pulled.keep(items, page.place)
        elif not page.done:
            raise Unclear("the help desk's export does not get on")
        place, count, done = page.place, count + len(items), page.done
        told(count)


def _history(
    found: Exported, out: Path, tool: str, zone: str | None, about: About
) -> DeskHistory:  # fmt: skip
    if not any(kind in found.kinds for kind in ("tickets", "issues")):
        fault = Fault("--since", "no tickets were created or changed from then on", about.since)
        raise ScenarioError(about.desk, [fault])
    # Not its columns: they are of one file, and an export has several.
    old = read_mapping(out / MAPPING) if (out / MAPPING).is_file() else {}
    with TemporaryDirectory(prefix="twin-pull-") as folder:
        files = []
        for kind, items in sorted(found.kinds.items()):
            file = Path(folder) / _FILES[kind]
            write_text(file, to_json(list(items.values())), private=True)
            files.append(file)
        history = read_history(
            *files, tool=tool, zone=zone or old.get("zone"), texts=about.texts,
            statuses=old.get("statuses"), priorities=old.get("priorities"),
        )  # fmt: skip
    history.save(out, True)
    return open_history(out)


def about_pull(desk: str, since: float, texts: bool) -> About:
    """Settings of a pull of a help desk."""
    return About(desk, iso(since), texts)
