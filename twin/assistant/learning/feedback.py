"""The feedback store as a JSON file: read, checked, written whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.common.errors import Fault, ScenarioError
from twin.common.files import read_json, reason, write_json
from twin.common.tables import is_blank
from twin.scenario.sections.assistant import answering_model


@dataclass(frozen=True)
class Entry:
    """One piece of feedback.

    Backend and model are those that answered; both are empty where a person did, and the backend
    also in files that do not tell it. `category`, `answer` and `prompt_version` are kept where they
    are known; to learn from an entry its category and answer are needed.
    """

    description: str
    model: str
    rating: int
    feedback: str
    category: str = ""
    answer: str = ""
    prompt_version: str = ""
    backend: str = ""

    def is_by(self, backend: str, model: str) -> bool:
        """True for an answer of an assistant, or where the file does not tell what answered."""
        if not self.backend:
            return True
        return answering_model(self.backend, self.model) == answering_model(backend, model)

    def as_dictionary(self) -> dict[str, Any]:
        """In the shape of feedback.json, with what else is known."""
        shape: dict[str, Any] = {
            "description": self.description,
            "model": self.model,
            "rating": self.rating,
            "feedback": self.feedback,
        }
        more = {"category": self.category, "answer": self.answer}
        more |= {"prompt_version": self.prompt_version, "backend": self.backend}
        return shape | {key: value for key, value in more.items() if value}


def load_feedback(path: str | Path) -> list[Entry]:
    """Read a feedback file.

    Raises
    ------
    ScenarioError
        Naming the file and the place of the damage; no text of it is shown.
    """
    path = Path(path)

    def fail(why: str, key: str = "") -> ScenarioError:
        return ScenarioError(str(path), [Fault(key, why)])

    try:
        data = read_json(path, "a feedback file")
    except (OSError, ValueError) as error:
        raise fail(reason(error)) from None
    if not isinstance(data, list):
        raise fail("must hold a list of entries")
    return [_entry(item, f"entry {k}", fail) for k, item in enumerate(data, start=1)]


def _entry(item: Any, place: str, fail: Any) -> Entry:
    if not isinstance(item, dict):
        raise fail("must be an object with description, model, rating, feedback", place)
    values: dict[str, Any] = {}
    for key in Entry.__dataclass_fields__:
        value: Any = item.get(key)
        if key == "rating":
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or not 1 <= value <= 5:
                raise fail("rating must be a whole number from 1 to 5", place)
        elif value is not None and not isinstance(value, str):
            raise fail(f"{key} must be text", place)
        # Null is a blank, as in tables.
        values[key] = "" if value is None else value
    if is_blank(values["description"]):
        raise fail("description must not be empty", place)
    return Entry(**values)


def save_feedback(path: str | Path, entries: Sequence[Entry]) -> None:
    """Write a feedback file: whole or not at all, and for nobody but its owner."""
    shown = [entry.as_dictionary() for entry in entries]
    write_json(Path(path), shown, sync=True, private=True)
