"""Tickets and feedback as JSON files, in the shapes of the design: in and out of the store.

A file is read whole and checked before anything is stored; it is written whole or not at all.
A file that is read twice is stored once.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twin.assistant.learning.feedback import Entry, load_feedback, save_feedback
from twin.common.errors import Fault, ScenarioError
from twin.common.files import read_json, reason, write_json
from twin.common.tables import is_blank
from twin.live.bodies import MAX_DESCRIPTION, MAX_TEXT
from twin.live.kept import as_entry
from twin.live.store import Store
from twin.records.tables import RESOLVED_STATUSES, STATUSES

_TICKET = {"ticket_id": int, "description": str, "category": str, "response": str, "status": str}


def _refuse(path: Path, why: str, place: str = "") -> ScenarioError:
    return ScenarioError(str(path), [Fault(place, why)])


def _check_new(path: Path, replace: bool) -> None:
    if path.exists() and not replace:
        raise _refuse(path, "is there already; name a new file, or replace it with --replace")


def _keys(items: Sequence[str]) -> list[str]:
    """A key for each item: the same file gives the same keys, equal items different ones."""
    seen: Counter[str] = Counter()
    keys = []
    for item in items:
        seen[item] += 1
        whole = f"{item}\n{seen[item]}".encode("utf-8", "replace")
        keys.append(f"import:{hashlib.sha256(whole).hexdigest()}")
    return keys


def export_feedback(store: Store, path: Path, replace: bool = False) -> int:
    """Write all feedback, oldest first; returns how many entries.

    Raises
    ------
    ScenarioError
        If the file is there already and is not to be replaced.
    """
    _check_new(path, replace)
    rows = store.feedback()[::-1]
    save_feedback(path, [as_entry(row) for row in rows])
    return len(rows)


def import_feedback(store: Store, path: Path) -> tuple[int, int]:
    """Store the entries of a file; returns how many were new and how many were there.

    Raises
    ------
    ScenarioError
        Naming the place of a damage; nothing is stored then.
    """
    entries = load_feedback(path)
    for number, entry in enumerate(entries, start=1):
        for name, value in asdict(entry).items():
            _check_text(path, f"entry {number}", name, value)
    keys = _keys([_content(entry) for entry in entries])
    now = time.time()
    common = {"origin": "import", "at": now}
    new = store.add_all_feedback(
        [
            {"key": key, **common, **asdict(entry), "answered_model": entry.model}
            for key, entry in zip(keys, entries, strict=True)
        ]
    )
    return new, len(entries) - new


def _content(entry: Entry) -> str:
    values = asdict(entry)
    # Files from before backends were written keep their keys.
    if not entry.backend:
        del values["backend"]
    return json.dumps(values, sort_keys=True)


def _check_text(path: Path, place: str, name: str, value: Any) -> None:
    if not isinstance(value, str):
        return
    longest = MAX_DESCRIPTION if name == "description" else MAX_TEXT
    if len(value) > longest:
        raise _refuse(path, f"{name} has more than {longest} characters", place)
    if "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise _refuse(path, f"{name} holds characters that are not text", place)


def export_tickets(store: Store, path: Path, replace: bool = False) -> int:
    """Write all tickets, oldest first, for nobody but the file's owner; returns how many.

    Raises
    ------
    ScenarioError
        If the file is there already and is not to be replaced.
    """
    _check_new(path, replace)
    rows = store.tickets()[::-1]
    shown = [
        {
            "ticket_id": row["id"],
            "description": row["description"],
            "category": row["category"] or "",
            "response": row["response"] or "",
            "status": row["status"],
        }
        for row in rows
    ]
    write_json(path, shown, sync=True, private=True)
    return len(rows)


def import_tickets(store: Store, path: Path) -> tuple[int, int]:
    """Store the tickets of a file, under new numbers; returns how many were new and were there.

    Raises
    ------
    ScenarioError
        Naming the place of a damage; nothing is stored then.
    """
    items = _read_tickets(path)
    keys = _keys([json.dumps(item, sort_keys=True) for item in items])
    now = time.time()
    new = store.receive_all(
        [_as_row(key, item, now) for key, item in zip(keys, items, strict=True)]
    )
    return new, len(items) - new


def _as_row(key: str, item: dict[str, Any], now: float) -> dict[str, Any]:
    answered = now if item["response"] else None
    return {
        "key": key,
        "origin": "import",
        "received_at": now,
        "description": item["description"],
        "priority": "normal",
        "model": "",
        "use_rag": False,
        "status": item["status"],
        "category": item["category"] or None,
        "response": item["response"] or None,
        "responded_at": answered,
        "answered_at": answered,
        "resolved_at": now if item["status"] in RESOLVED_STATUSES else None,
    }


def _read_tickets(path: Path) -> list[dict[str, Any]]:
    try:
        data = read_json(path, "a file of tickets")
    except (OSError, ValueError) as error:
        raise _refuse(path, reason(error)) from None
    if not isinstance(data, list):
        raise _refuse(path, "must hold a list of tickets")
    for number, item in enumerate(data, start=1):
        _check_ticket(path, f"ticket {number}", item)
    return data


def _check_ticket(path: Path, place: str, item: Any) -> None:
    if not isinstance(item, dict) or set(item) != set(_TICKET):
        raise _refuse(path, f"must be an object of {', '.join(_TICKET)}", place)
    for name, kind in _TICKET.items():
        if kind is str and item[name] is None:
            item[name] = ""
        if not isinstance(item[name], kind) or isinstance(item[name], bool):
            words = "a whole number" if kind is int else "text"
            raise _refuse(path, f"{name} must be {words}", place)
        _check_text(path, place, name, item[name])
    if is_blank(item["description"]):
        raise _refuse(path, "description must not be empty", place)
    if item["status"] not in STATUSES:
        raise _refuse(path, f"status must be one of {', '.join(STATUSES)}", place)
