"""A sheet whose columns are understood: one field of `twin.history.fields` each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.errors import ScenarioError, nearest
from twin.common.tables import shown_cell
from twin.history import cells
from twin.history.cells import Floats
from twin.history.fields import FIELDS, PRIVATE
from twin.history.gathered import Choices, Understood
from twin.history.nested import PARENT
from twin.history.sheet import BadCell, Columns, Place, Sheet, fault, simple

KNOWN, GUESSED, GIVEN = "known", "guessed by its name", "given"
_LEAST_TIMES = 0.9
# Kinds of fields whose cells are numbers in the end.
_MEASURED = ("time", "duration", "number")
_OF_CUSTOMERS = frozenset(map(simple, PRIVATE))
_OF_TEXTS = frozenset(simple(one) for f in FIELDS.values() if f.kind == "text" for one in f.names)
# Different cells of a column that may be unreadable.
_MOST_UNREADABLE = 200


class NotUnderstood(ScenarioError):
    """A sheet without a column of a field that is needed.

    Attributes
    ----------
    field : str
    """

    def __init__(self, sheet: Sheet, field: str, likely: str = "") -> None:
        self.field = field
        hint = likely or f'name it, as --map {field}="Its name"'
        whole = fault(
            sheet.file,
            f"no column is understood as {FIELDS[field].meaning}",
            f"{hint}; it has: {', '.join(sheet.names[:40])}",
        )
        super().__init__(whole.where, whole.faults)


@dataclass(frozen=True)
class Names:
    """Columns of a tool, by field.

    Attributes
    ----------
    seen : mapping of str to tuple of str
        Names that stand in the tool's documentation, a schema or a real file.
    guessed : mapping of str to tuple of str
        Names from memory: accepted, and told as guesses.
    units : mapping of str to float
        Seconds in the unit of a field's numbers; 1 where it is not named.
    """

    seen: Mapping[str, Sequence[str]] = field(default_factory=dict)
    guessed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    units: Mapping[str, float] = field(default_factory=dict)

    def count(self, sheet: Sheet) -> int:
        """Number of fields that a sheet has a column of."""
        both = [*self.seen.items(), *self.guessed.items()]
        found = {key for key, names in both if any(map(sheet.find, names))}
        return len(found)


class Taken:
    """Columns of a sheet, read by their fields."""

    def __init__(
        self, sheet: Sheet, choices: Choices, names: Names, wanted: Iterable[str],
        needed: Sequence[str] = (), generic: bool = True,
    ) -> None:  # fmt: skip
        """Find the columns.

        Parameters
        ----------
        sheet : Sheet
        choices : Choices
        names : Names
            Of the tool.
        wanted : iterable of str
            Fields.
        needed : sequence of str
            Those without which nothing can be read.
        generic : bool
            Whether a field that the tool does not name may be known by the names that people use.
        """
        self.sheet, self.choices, self.units = sheet, choices, names.units
        self.columns: dict[str, str] = {}
        self.how: dict[str, str] = {}
        self.local = False
        wanted = list(wanted)
        for one in wanted:
            self._given(one)
        for how, table in ((KNOWN, names.seen), (GUESSED, names.guessed)):
            for one in wanted:
                self._find(one, table.get(one, ()), how)
        for one in wanted if generic else ():
            self._find(one, FIELDS[one].names, GUESSED)
        if generic and "answered" in wanted:
            self._find_blank("answered")
        if choices.confirm is not None and GUESSED in self.how.values():
            for one, column in choices.confirm(self.rows(), sheet.names).items():
                self.columns.pop(one, None)
                if column:
                    self.columns[one], self.how[one] = column, GIVEN
        for one in needed:
            if one not in self.columns:
                raise NotUnderstood(sheet, one)

    def _given(self, one: str) -> None:
        given = self.choices.columns.get(one)
        if not given:
            return
        column = self.sheet.find(given)
        if column is not None:
            self.columns[one], self.how[one] = column, GIVEN

    def _find(self, one: str, names: Sequence[str], how: str) -> None:
        if one in self.columns or self.choices.columns.get(one) == "":
            return
        for name in names:
            column = self.sheet.find(name)
            free = column is not None and column not in self.columns.values()
            if column is not None and free and self._fits(one, column, how):
                self.columns[one], self.how[one] = column, how
                return

    def _find_blank(self, one: str) -> None:
        """Take a column that holds nothing: nobody answered a call, or none of the first ones."""
        if one in self.columns or self.choices.columns.get(one) == "":
            return
        found = filter(None, map(self.sheet.find, FIELDS[one].names))
        for column in found:
            free = column not in self.columns.values()
            if free and cells.texts(self.sheet.sample[column]).isna().all():
                self.columns[one], self.how[one] = column, GUESSED
                return

    def _fits(self, one: str, column: str, how: str) -> bool:
        """True unless the first cells say that a guess is wrong."""
        plain = cells.texts(self.sheet.sample[column]).dropna().head(50)
        if how == KNOWN or FIELDS[one].kind not in ("time", "duration", "number"):
            return FIELDS[one].kind != "id" or how == KNOWN or len(plain) > 0
        if not len(plain):
            return False
        numbers = pd.to_numeric(plain, errors="coerce")
        if FIELDS[one].kind == "time":
            return looks_like_times(self.sheet, column)
        if FIELDS[one].kind == "duration":
            return bool((numbers.notna() | plain.str.match(r"^-?\d.*")).mean() >= _LEAST_TIMES
                        and not plain.str.match(r"^\d{1,4}[-/.]\d\d?[-/.]\d").any())  # fmt: skip
        return bool(numbers.notna().mean() >= _LEAST_TIMES)

    def __contains__(self, one: object) -> bool:
        return one in self.columns

    @cached_property
    def _loaded(self) -> Columns:
        return self.sheet.load(list(dict.fromkeys(self.columns.values())))

    @cached_property
    def _readable(self) -> tuple[Columns, Sequence[int]]:
        """Columns of the rows that can be read, and their numbers where some cannot."""
        bad, loaded = self.sheet.bad, self._loaded
        if not self.choices.skip_bad:
            return loaded, ()
        rows = bad.kept or range(1, len(next(iter(loaded.values()))) + 1)
        out: dict[int, str] = {}
        measured = [one for one in self.columns if FIELDS[one].kind in _MEASURED]
        for one in measured:
            where = Place(self.sheet.file, self.columns[one], rows)

            def read(part: pd.Series[Any], one: str = one, where: Place = where) -> object:
                return self._read(one, part, where)

            for row, why in unreadable(loaded[where.column], read).items():
                out.setdefault(row, f'column "{where.column}": {why}')
        kept, numbers = self._without(loaded, rows, out)
        out.clear()
        for one in [one for one in measured if FIELDS[one].kind != "time"]:
            where = Place(self.sheet.file, self.columns[one], numbers)
            column = kept[where.column]
            for row in np.flatnonzero(self._read(one, column, where)[0] < 0).tolist():
                cell = shown_cell(column.iloc[row])
                out.setdefault(row, f'column "{where.column}": {cell} is below zero')
        return self._without(kept, numbers, out)

    def _without(
        self, columns: Columns, rows: Sequence[int], out: Mapping[int, str]
    ) -> tuple[Columns, Sequence[int]]:
        """Columns and the numbers of their rows without some, 0 first, which are written down."""
        if not out:
            return columns, rows
        for row, why in out.items():
            self.sheet.bad.why.setdefault(rows[row], why)
        stay = np.setdiff1d(np.arange(len(rows)), [*out])
        kept = {name: column.iloc[stay].reset_index(drop=True) for name, column in columns.items()}
        return kept, [rows[row] for row in stay.tolist()]

    def leave_out(self, out: npt.NDArray[np.bool_], why: str) -> None:
        """Leave out rows, as those that cannot be read."""
        there = dict.fromkeys(np.flatnonzero(out).tolist(), why)
        self._readable = self._without(*self._readable, there)

    @property
    def _data(self) -> Columns:
        return self._readable[0]

    @cached_property
    def _days_first(self) -> bool | None:
        if self.choices.days_first is not None:
            return self.choices.days_first
        moments = [self._loaded[c] for f, c in self.columns.items() if FIELDS[f].kind == "time"]
        return cells.day_first(moments, Place(self.sheet.file, ""))

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(next(iter(self._data.values())))

    def place(self, one: str) -> Place:
        """The place of a field, for messages."""
        return Place(self.sheet.file, self.columns[one], self._readable[1])

    def _read(self, one: str, column: pd.Series[Any], where: Place) -> tuple[Floats, bool]:
        """Cells of a field as numbers or seconds, and whether moments named no offset."""
        if FIELDS[one].kind == "duration":
            return cells.durations(column, self._unit(one), where), False
        if FIELDS[one].kind == "number":
            return cells.numbers(column, where), False
        return cells.times(column, self.choices.zone, where, self._days_first)

    def _unit(self, one: str) -> float:
        """Seconds in the unit of a field's numbers."""
        unit = self.units.get(one) if self.how[one] != GIVEN else None
        if unit is not None:
            return unit
        # The name of the column says its unit, as "Resolution time in hours".
        column = self.columns[one].lower()
        words = ((3600.0, ("hour", "(h", " h)")), (60.0, ("minute", "min)", "(min", "_min")),
                 (86_400.0, ("days", "(d)")), (0.001, ("millis", "(ms", "_ms")))  # fmt: skip
        return next((s for s, parts in words if any(p in column for p in parts)), 1.0)

    def _measured(self, one: str) -> Floats:
        if one not in self:
            return np.full(self.count, np.nan)
        found, local = self._read(one, self._data[self.columns[one]], self.place(one))
        self.local = self.local or local
        return found

    def time(self, one: str) -> Floats:
        """A field as seconds since 1970; missing where there is no such column."""
        return self._measured(one)

    def duration(self, one: str) -> Floats:
        """A field as seconds; missing where there is no such column."""
        return self._measured(one)

    def number(self, one: str) -> Floats:
        """A field as numbers; missing where there is no such column."""
        return self._measured(one)

    def word(self, one: str) -> pd.Series[Any]:
        """A field as texts; missing where there is no such column."""
        if one not in self:
            return pd.Series([None] * self.count, dtype="str")
        found = cells.texts(self._data[self.columns[one]]).reset_index(drop=True)
        return cells.names(found) if FIELDS[one].kind in ("word", "person") else found

    def rows(self) -> list[Understood]:
        """Columns with their meanings, and those left out with the reason."""
        by_column = {column: one for one, column in self.columns.items()}
        found = []
        for name in self.sheet.names:
            one = by_column.get(name)
            if one is not None:
                found.append(Understood(self.sheet.name, name, one, self.how[one]))
            elif name != PARENT:
                found.append(Understood(self.sheet.name, name, "", self._why_not(name)))
        return found

    def _why_not(self, name: str) -> str:
        if name in self.sheet.sample and cells.nothing(self.sheet.sample[name]):
            return "holds nothing in the first rows"
        if simple(name) in _OF_CUSTOMERS:
            return "of a customer: not kept"
        return "texts: kept with --texts" if simple(name) in _OF_TEXTS else "not known"


def unreadable(column: pd.Series[Any], read: Callable[[pd.Series[Any]], object]) -> dict[int, str]:
    """Rows of the cells that a reader of columns refuses, 0 first, each with the reason.

    Raises
    ------
    BadCell
        If more than some different ones are refused: then the column holds something else.
    """
    codes, forms = pd.factorize(column)
    each = pd.Series(forms, dtype=column.dtype)
    found: dict[int, str] = {}
    while True:
        try:
            read(each)
        except BadCell as error:
            if len(found) == _MOST_UNREADABLE:
                raise
            form = int(each.index[error.row])
            found[form] = error.why
            each = each.drop(form)
        else:
            return {int(row): found[codes[row]] for row in np.flatnonzero(np.isin(codes, [*found]))}


def looks_like_times(sheet: Sheet, column: str) -> bool:
    """True if the first cells of a column may be moments: dates, or large numbers."""
    plain = cells.texts(sheet.sample[column]).dropna().head(50)
    numbers = pd.to_numeric(plain, errors="coerce")
    # 0 and 1 are flags.
    moments = (numbers > 20_000) | plain.str.match(r".*\d.*[-/.: ].*\d")
    known = moments[numbers.isna() | (numbers > 20_000)]
    return bool(len(plain) and known.sum() >= _LEAST_TIMES * len(plain))


def check_given(choices: Choices, sheets: Sequence[Sheet]) -> None:
    """Refuse fields and columns of `--map` that there are not.

    Raises
    ------
    ScenarioError
    """
    for one, column in choices.columns.items():
        if one not in FIELDS:
            raise fault("--map", f'no field "{one}"', nearest(one, FIELDS))
        if column and not any(sheet.find(column) for sheet in sheets):
            names = [name for sheet in sheets for name in sheet.names]
            raise fault("--map", f'{one}: no column "{column}"', nearest(column, names))
