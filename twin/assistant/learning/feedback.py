"""The feedback store as a JSON file: read, checked, written whole."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.common.errors import Fault, ScenarioError

_MAX_BYTES = 200_000_000


@dataclass(frozen=True)
class Entry:
    """One piece of feedback.

    `category`, `answer` and `prompt_version` are kept where they are known; to learn from an entry
    its category and answer are needed.
    """

    description: str
    model: str
    rating: int
    feedback: str
    category: str = ""
    answer: str = ""
    prompt_version: str = ""

    def as_dictionary(self) -> dict[str, Any]:
        """In the shape of feedback.json, with what else is known."""
        shape: dict[str, Any] = {
            "description": self.description,
            "model": self.model,
            "rating": self.rating,
            "feedback": self.feedback,
        }
        more = {"category": self.category, "answer": self.answer}
        more["prompt_version"] = self.prompt_version
        return shape | {key: value for key, value in more.items() if value}


def load_feedback(path: str | Path) -> list[Entry]:
    """Read a feedback file.

    Raises
    ------
    ScenarioError
        Naming the file and the place of the damage; no text of it is shown.
    """
    path = Path(path)

    def fail(reason: str, key: str = "") -> ScenarioError:
        return ScenarioError(str(path), [Fault(key, reason)])

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise fail("larger than 200 MB")
        data = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise fail(f"not valid JSON at line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise fail(f"not UTF-8 text (byte {error.start})") from None
    except RecursionError:
        raise fail("nested too deeply") from None
    except OSError as error:
        raise fail(error.strerror or "cannot be read") from None
    if not isinstance(data, list):
        raise fail("must hold a list of entries")
    return [_entry(item, f"entry {k}", fail) for k, item in enumerate(data, start=1)]


def _entry(item: Any, place: str, fail: Any) -> Entry:
    if not isinstance(item, dict):
        raise fail("must be an object with description, model, rating, feedback", place)
    values: dict[str, Any] = {}
    for key in Entry.__dataclass_fields__:
        value = item.get(key, "")
        if key == "rating":
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or not 1 <= value <= 5:
                raise fail("rating must be a whole number from 1 to 5", place)
        elif not isinstance(value, str):
            raise fail(f"{key} must be text", place)
        values[key] = value
    if not values["description"].strip():
        raise fail("description must not be empty", place)
    return Entry(**values)


def save_feedback(path: str | Path, entries: Sequence[Entry]) -> None:
    """Write a feedback file: whole or not at all."""
    path = Path(path)
    text = json.dumps([e.as_dictionary() for e in entries], ensure_ascii=False, indent=2) + "\n"
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with new.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
