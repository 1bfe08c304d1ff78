"""Tables that people bring, CSV or Parquet: columns by their names, one rule for blanks, own lines.

One rule for all of them (corpus, trace, questions, measured values):

- A column is known by its name, whatever its case, the blanks around it or a byte order mark. One
  that nearly has the name of a column that is not there is a fault: it is never left out unseen.
- A cell is blank where it is null or shows nothing. A blank is a fault where a row must have a
  value, else the value is not known. A CSV row of blanks alone is no row.
- Cells are texts as they stand; of Parquet's numbers, whole ones are written without a fraction, so
  that a null in the column does not make "1.0" of 1.
- Faults name the line of the file (CSV) or the row (Parquet).
- What the twin writes as CSV is harmless in a spreadsheet, whatever customers called themselves: a
  cell that would be a formula there has an apostrophe before its sign (see
  `twin.common.formulas`), which is gone when it is read.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.common.errors import Fault, ScenarioError
from twin.common.files import read_bytes, reason, regular_file
from twin.common.formulas import unguarded

if TYPE_CHECKING:
    import pyarrow as pa

# A larger file is no table of a desk; it would not fit in memory as texts.
_MAX_BYTES = 4_000_000_000
# Signs that show nothing and are no blanks to Python: zero width, byte order mark.
_UNSEEN = "\u200b\u200c\u200d\u2060\ufeff"
_BLANKS = "".join(c for c in map(chr, range(0x3001)) if c.isspace()) + _UNSEEN
# "priorty", "categories" and "text_" are near; "tag" and "type" are not near "text".
_NEAR = 0.77
# Read behind the last line of a file: where it is not a row of its own, a quote was never closed.
_END = "\0end"
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def is_blank(value: object) -> bool:
    """True if a value shows nothing: null, not a number, or a text of blanks.

    Examples
    --------
    >>> is_blank(None), is_blank(float("nan")), is_blank(" "), is_blank(0)
    (True, True, True, False)
    """
    if isinstance(value, str):
        return not value.strip(_BLANKS)
    # Only what is missing (NaN, NaT, NA) is not itself; NA is neither true nor false.
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


def as_text(value: object) -> str:
    """A cell as text; what is blank is empty.

    Examples
    --------
    >>> as_text(1.0), as_text(1.5), as_text(None), as_text(" gap ")
    ('1', '1.5', '', ' gap ')
    """
    if is_blank(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def trimmed(text: str) -> str:
    """The text without blanks at its ends."""
    return text.strip(_BLANKS)


def is_number(text: object) -> bool:
    """True if a cell is a number, or a text that is one."""
    if isinstance(text, str):
        return _NUMBER.fullmatch(trimmed(text)) is not None
    return isinstance(text, int | float | Decimal) and not isinstance(text, bool)


def as_number(cell: object) -> float:
    """A cell as a number; not a number (NaN) where it is none.

    Examples
    --------
    >>> as_number(" 5.5"), as_number(2), as_number("five")
    (5.5, 2.0, nan)
    """
    if not is_number(cell):
        return math.nan
    return float(trimmed(cell) if isinstance(cell, str) else cell)  # type: ignore[arg-type]


def shown_cell(cell: object) -> str:
    """A cell for a message."""
    text = str(cell)
    return f'"{text}"' if len(text) <= 60 else f'"{text[:59]}…"'


def one_line(text: str) -> str:
    r"""A text without ends of lines and signs that are not shown, as a name or a comment is.

    Examples
    --------
    >>> one_line("Log in\r\n or\tout\x1b[31m ")
    'Log in or out[31m'
    """
    if text.isprintable() and "  " not in text:
        return text.strip()
    return " ".join("".join(c if c.isprintable() or c.isspace() else "" for c in text).split())


def same_form(name: str) -> str:
    """A form that names share which differ only by blanks or by their Unicode normalisation."""
    seen = "".join(c for c in unicodedata.normalize("NFKC", name) if c not in _UNSEEN)
    return " ".join(seen.split())


def twins(names: Iterable[str]) -> tuple[str, str] | None:
    """Two different names that look alike (see `same_form`), if there are such."""
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(same_form(name), name)
        if other != name:
            return other, name
    return None


@dataclass(frozen=True)
class Table:
    """Cells of a table, by column.

    Attributes
    ----------
    where : str
        The file.
    columns : dict of str to list
        Those asked for that are there; texts of CSV, Python values of Parquet.
    lines : sequence of int
        Of each row the line where it begins (CSV) or its number (Parquet).
    unit : str
        "line" or "row".
    rows_too : bool
        Whether a line is named with its row: who looks for it counts the rows of an export.
    """

    where: str
    columns: dict[str, list[Any]]
    lines: Sequence[int]
    unit: str
    rows_too: bool = False

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __len__(self) -> int:
        return len(self.lines)

    def texts(self, name: str) -> list[str]:
        """A column as texts; blank cells are empty, and so are all where it is not there."""
        if name not in self.columns:
            return [""] * len(self)
        return [as_text(cell) for cell in self.columns[name]]

    def place(self, row: int) -> str:
        """Where a row stands, as "line 3"."""
        both = self.rows_too and self.unit == "line"
        return f"{self.unit} {self.lines[row]}{f', row {row + 1}' if both else ''}"

    def fail(self, reason: str, hint: str = "") -> ScenarioError:
        """A fault of this table."""
        return ScenarioError(self.where, [Fault("", reason, hint=hint)])

    def need(self, name: str) -> list[str]:
        """A column as texts, none of them blank.

        Raises
        ------
        ScenarioError
            Naming the first row that has none.
        """
        texts = self.texts(name)
        if "" in texts:
            raise self.fail(f"{self.place(texts.index(''))} has no {name}")
        return texts

    def one_of(self, name: str, allowed: Sequence[str], default: str) -> list[str]:
        """A column of words out of a few; a blank is the default.

        Raises
        ------
        ScenarioError
            Naming the first row with another word.
        """
        words = [trimmed(text) or default for text in self.texts(name)]
        for row, word in enumerate(words):
            if word not in allowed and word != default:
                unknown = f'{self.place(row)}: unknown {name} "{word}"'
                raise self.fail(unknown, f"allowed: {', '.join(allowed)}")
        return words

    def names(self, name: str) -> list[str]:
        """A column of names, none of them blank, and none that differ only by how they are written.

        Raises
        ------
        ScenarioError
            Naming the rows.
        """
        found = self.need(name)
        if pair := twins(dict.fromkeys(found)):
            places = [self.place(found.index(one)) for one in pair]
            reason = f"{name} {said_twice(*pair)} ({' and '.join(places)})"
            raise self.fail(reason, "write it in one way")
        return found


def said_twice(one: str, other: str) -> str:
    """Words for two names that look alike."""
    by = "blanks" if "".join(one.split()) == "".join(other.split()) else "their Unicode form"
    return f'"{one}" is also written "{other}": they differ only by {by}'


def read_table(
    path: str | Path, needed: Sequence[str], known: Sequence[str] = (), rows: str = "rows"
) -> Table:
    """Read a table, CSV or, by its name, Parquet.

    Parameters
    ----------
    path : str or Path
    needed : sequence of str
        Columns that must be there.
    known : sequence of str
        Columns that are read where they are there; all others are left alone.
    rows : str
        What its rows are, for the message where there are none.

    Raises
    ------
    ScenarioError
        Naming the file and what is wrong with it.
    """
    path = Path(path)
    parquet = path.suffix.lower() == ".parquet"
    try:
        regular_file(path)
        table = _read_parquet(path, needed, known) if parquet else _read_csv(path, needed, known)
    except ScenarioError:
        raise
    except FileNotFoundError:
        raise ScenarioError(str(path), [Fault("", "no such file")]) from None
    except OSError as error:
        raise ScenarioError(str(path), [Fault("", reason(error))]) from None
    except ValueError as error:
        kind = "Parquet" if parquet else "CSV"
        fault = Fault("", f"not a readable {kind} file: {error}")
        raise ScenarioError(str(path), [fault]) from None
    if not len(table):
        raise table.fail(f"holds no {rows}")
    return table


def _read_csv(path: Path, needed: Sequence[str], known: Sequence[str]) -> Table:
    data = read_bytes(path, _MAX_BYTES, "a table")
    try:
        # Excel and others put a byte order mark in front.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"not UTF-8 text (line {line}, byte {error.start})") from None
    lines, records = [], []
    reader = csv.reader(chain(io.StringIO(text, newline=""), [_END]))
    begun = 1
    try:
        for cells in reader:
            records.append(cells)
            lines.append(begun)
            begun = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"line {begun}: {error}") from None
    if records[-1] != [_END]:
        raise ValueError(f"line {lines[-1]}: a quote that is never closed")
    rows = [k for k, cells in enumerate(records[:-1]) if not all(map(is_blank, cells))]
    if not rows:
        raise ValueError("it is empty")
    head = records[rows[0]]
    long = next((k for k in rows if len(records[k]) > len(head)), None)
    # Spreadsheets write empty cells behind the last column.
    if long is not None:
        for k in rows:
            while len(records[k]) > len(head) and is_blank(records[k][-1]):
                records[k].pop()
        long = next((k for k in rows if len(records[k]) > len(head)), None)
    if long is not None:
        counts = f"line {lines[long]} has {len(records[long])}, the first has {len(head)}"
        raise ValueError(f"its rows have more cells than its first line has names: {counts}")
    places = _columns(str(path), head, needed, known)
    body = rows[1:]
    columns = {
        name: [unguarded(records[k][at]) if at < len(records[k]) else "" for k in body]
        for name, at in places.items()
    }
    return Table(str(path), columns, [lines[k] for k in body], "line")


def _read_parquet(path: Path, needed: Sequence[str], known: Sequence[str]) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not a data set, whose folders' names would be columns.
        with pq.ParquetFile(path) as file:
            # A nested value has no name of its own.
            names = list(file.schema_arrow.names)
            places = _columns(str(path), names, needed, known)
            taken = [names[at] for at in places.values()]
            found = file.read(columns=taken)
        columns = {name: _cells(name, found.column(names[at])) for name, at in places.items()}
        return Table(str(path), columns, range(1, found.num_rows + 1), "row")
    except (pa.ArrowException, KeyError, TypeError, OverflowError, MemoryError) as error:
        # Its damage has many names, and none of them says more.
        raise ValueError(str(error).partition("\n")[0] or type(error).__name__) from None


def _cells(name: str, column: pa.ChunkedArray) -> list[Any]:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise ValueError(f"column {name} holds {kind}, neither texts nor numbers")
    cells: list[Any] = column.to_pylist()
    return cells


def _simple(name: object) -> str:
    """A column's name as it is compared."""
    return same_form(str(name)).casefold()


def _columns(
    where: str, head: Sequence[str], needed: Sequence[str], known: Sequence[str]
) -> dict[str, int]:
    """Place of each column that is asked for and there."""
    wanted = [*needed, *known]
    places: dict[str, int] = {}
    faults = []
    for at, name in enumerate(head):
        own = next((w for w in wanted if _simple(w) == _simple(name)), None)
        if own is None:
            continue
        if own in places:
            reason = f'two columns are called {own}: "{head[places[own]]}" and "{name}"'
            faults.append(Fault("", reason))
        places.setdefault(own, at)
    taken = set(places.values())
    others = [name for at, name in enumerate(head) if at not in taken]
    near = {w: _near(w, others) for w in wanted if w not in places}
    missing = [w for w in needed if w not in places]
    if missing:
        like = next((f'is "{near[w]}" the {w}? ' for w in missing if near[w]), "")
        hint = f"{like}it has: {', '.join(map(str, head))}"
        if len(head) == 1 and (sign := next((c for c in ";\t|" if c in str(head[0])), "")):
            hint += (
                f'; its cells are parted by "{sign if sign != chr(9) else "tab"}", not by commas'
            )
        faults.append(Fault("", f"no column {' or '.join(missing)}", hint=hint))
    faults += [
        Fault("", f'column "{near[w]}" looks like "{w}"', hint=f"call it {w}, or something else")
        for w in known
        if w not in places and near[w]
    ]
    if faults:
        raise ScenarioError(where, faults)
    return places


def _near(wanted: str, names: Sequence[str]) -> str:
    """A name that is nearly the wanted one, or ends in it; empty where there is none."""
    aim = re.sub(r"[\W_]", "", _simple(wanted))
    for name in names:
        words = re.split(r"[\W_]+", _simple(name))
        compact = "".join(words)
        if compact == aim or (aim.isalpha() and words[-1:] == [aim]):
            return str(name)
        if difflib.SequenceMatcher(None, compact, aim).ratio() >= _NEAR:
            return str(name)
    return ""
