"""Nested objects of JSON as flat tables: an object a row, a list of objects a table of its own."""

from __future__ import annotations

from typing import Any

# Objects within objects are columns "a.b.c"; what lies deeper is left out.
_DEEPEST = 6
_MOST_COLUMNS = 5000
# Number of the row in the table above, in a table of lists.
PARENT = "(parent)"

Tables = dict[str, dict[str, list[Any]]]


def flattened(data: Any, name: str) -> Tables:
    """Tables of JSON data.

    Parameters
    ----------
    data : list of dict, or dict
        Each list of objects in a dict of the top is a table called after its key; else the dict is
        one row.
    name : str
        Of the table where the data are a list.

    Raises
    ------
    ValueError
        If it holds no objects.

    Examples
    --------
    >>> flattened({"issues": [{"key": "A-1", "log": [{"at": 1}, {"at": 2}]}]}, "file")["issues.log"]
    {'(parent)': [0, 0], 'at': [1, 2]}
    """
    lists: dict[str, list[Any]] = {}
    if isinstance(data, dict):
        lists = {
            key: [item for item in value if isinstance(item, dict)]
            for key, value in data.items()
            if isinstance(value, list) and any(isinstance(item, dict) for item in value)
        }
        data = [data]
    items = [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []
    if not lists:
        lists = {name: items}
    if not any(lists.values()):
        raise ValueError("holds no objects: no export of tickets")
    tables: dict[str, list[dict[str, Any]]] = {}
    for key, rows in lists.items():
        for row in rows:
            _add(tables, key, row, None)
    return {key: _columns(key, rows) for key, rows in tables.items()}


def _add(
    tables: dict[str, list[dict[str, Any]]], name: str, item: dict[str, Any], parent: int | None
) -> None:
    rows = tables.setdefault(name, [])
    row: dict[str, Any] = {} if parent is None else {PARENT: parent}
    own = len(rows)
    rows.append(row)
    _fill(tables, name, row, own, item, "", 0)


def _fill(
    tables: dict[str, list[dict[str, Any]]], name: str, row: dict[str, Any], own: int,
    item: dict[str, Any], prefix: str, depth: int,
) -> None:  # fmt: skip
    for key, value in item.items():
        full = f"{prefix}{key}"
        if isinstance(value, dict):
            if depth < _DEEPEST:
                _fill(tables, name, row, own, value, f"{full}.", depth + 1)
        elif isinstance(value, list):
            objects = [one for one in value if isinstance(one, dict)]
            for one in objects if depth < _DEEPEST and name.count(".") < _DEEPEST else ():
                _add(tables, f"{name}.{full}", one, own)
            if not objects:
                row[full] = ",".join(str(one) for one in value if one is not None) or None
        else:
            row[full] = value


def _columns(name: str, rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    names = list(dict.fromkeys(key for row in rows for key in row))
    if len(names) > _MOST_COLUMNS:
        raise ValueError(f"{name}: its objects have {len(names):,} keys")
    return {key: [row.get(key) for row in rows] for key in names}
