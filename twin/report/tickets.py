"""A few tickets as the customers wrote them, with their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twin.common.html import Html, tag
from twin.report.pictures import stories

if TYPE_CHECKING:
    from twin.report.source import Source

_LONGEST = 700


def examples(source: Source) -> list[Html]:
    """Texts of the tickets in the figure of single tickets; empty without texts."""
    if source.first != 0:
        return []
    texts = source.texts()
    columns = ["ticket_id", "arrived_s", "status", "resolved_s", "resolved_by", "transfers",
               "reopens"]  # fmt: skip
    told = stories(source, source.table("tickets", columns, replication=0))
    parts: list[Html] = []
    for number, story in zip(told["ticket_id"], told["story"], strict=True):
        entry = texts.get(int(number))
        if entry is None or not entry["description"]:
            continue
        parts.append(tag("h3", f"#{number}: {story}"))
        category = entry["category"] or "none"
        parts.append(tag("p", f"Categorized as: {category}. {entry['status']}.", class_="small"))
        parts.append(tag("pre", _cut(str(entry["description"])), class_="text"))
        if entry["response"]:
            answer = tag("pre", _cut(str(entry["response"])), class_="text")
            parts.append(tag("details", tag("summary", "the assistant's answer"), answer))
    return parts


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()} …"
