"""Event logs in XES (IEEE 1849), read as a stream.

A reader of our own: pm4py, the usual one, is AGPL, which this package's licence does not allow to
depend on, and builds the whole tree of the document in memory. What is needed of XES is six keys of
events. Expat, Python's own parser, reads in a stream; documents that declare a type are refused, so
that there are no entities: none that unpack to gigabytes, none that read files.
"""

from __future__ import annotations

from typing import IO
from xml.parsers import expat

_ATTRIBUTES = ("string", "date", "int", "float", "boolean", "id")
_CASE = "case"
# Values longer than this are texts, not names.
_LONGEST = 10_000
_MOST_KEYS = 500
# Events by keys.
_MOST_CELLS = 50_000_000


def read(file: IO[bytes]) -> dict[str, list[str]]:
    """Events as columns.

    Parameters
    ----------
    file : binary file

    Returns
    -------
    dict of str to list of str
        Attributes of events by their keys, and "case:" with the keys of traces before them; blank
        where an event has none.

    Raises
    ------
    ValueError
        If it is no such document, or declares a type.

    Examples
    --------
    >>> import io
    >>> log = b'<log><trace><string key="concept:name" value="7"/><event><string '
    >>> log += b'key="concept:name" value="Open"/></event></trace></log>'
    >>> read(io.BytesIO(log))
    {'case:concept:name': ['7'], 'concept:name': ['Open']}
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = _refuse
    parser.buffer_text = True
    try:
        while chunk := file.read(1 << 20):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except LookupError as error:
        raise ValueError(f"not readable as XES: {error}") from None
    except expat.ExpatError as error:
        raise ValueError(f"not readable as XES: line {error.lineno}: {error}") from None
    if not reader.seen:
        raise ValueError("not readable as XES: it has no <log>")
    return reader.whole()


def _refuse(*_: object) -> None:
    raise ValueError("declares a document type, which no event log needs: it is not read")


class _Reader:
    """Attributes of the events, collected while the document passes."""

    def __init__(self) -> None:
        self.columns: dict[str, list[str]] = {}
        self.count = 0
        self.seen = False
        self.trace: dict[str, str] = {}
        self.event: dict[str, str] | None = None
        self.inside: list[str] = []

    def begin(self, name: str, given: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        parent = self.inside[-1] if self.inside else ""
        self.inside.append(name)
        self.seen = self.seen or name == "log"
        if name == "trace":
            self.trace = {}
        elif name == "event":
            self.event = {}
        elif name in _ATTRIBUTES and parent in ("trace", "event"):
            # Attributes of attributes, and those of the log, are left out.
            key, value = given.get("key", ""), given.get("value", "")[:_LONGEST]
            if parent == "trace":
                self.trace[f"{_CASE}:{key}"] = value
            elif self.event is not None:
                self.event[key] = value

    def end(self, name: str) -> None:
        self.inside.pop()
        if name.rpartition(":")[2] != "event" or self.event is None:
            return
        for key, value in (self.trace | self.event).items():
            cells = self.columns.setdefault(key, [])
            # Events before it that had no such key.
            cells.extend([""] * (self.count - len(cells)))
            cells.append(value)
        self.count += 1
        self.event = None
        if len(self.columns) > _MOST_KEYS:
            raise ValueError(f"its events have more than {_MOST_KEYS} keys")
        if self.count * len(self.columns) > _MOST_CELLS:
            many = f"{len(self.columns):,} keys in its first {self.count:,} events"
            raise ValueError(f"{many}: more than is read; export fewer months, or fewer attributes")

    def whole(self) -> dict[str, list[str]]:
        """The columns, each as long as there are events."""
        for cells in self.columns.values():
            cells.extend([""] * (self.count - len(cells)))
        return self.columns
