"""The list of readers, and the one that fits what is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twin.common.errors import nearest
from twin.history.gathered import Choices, Gathered
from twin.history.readers.freshdesk import Freshdesk
from twin.history.readers.generic import Calls, Events, Store, Tickets
from twin.history.readers.hubspot import HubSpot
from twin.history.readers.intercom import Intercom
from twin.history.readers.jira import Jira
from twin.history.readers.protocol import Reader
from twin.history.readers.rt import RequestTracker
from twin.history.readers.servicenow import ServiceNow
from twin.history.readers.shapes import OF_CALLS, OF_TICKETS
from twin.history.readers.taken import (
    Names,
    NotUnderstood,
    Taken,
    check_given,
    looks_like_times,
)
from twin.history.readers.zendesk import Zendesk
from twin.history.readers.zoho import Zoho
from twin.history.sheet import Sheet, fault

READERS: tuple[Reader, ...] = (
    Store(), Zendesk(), Freshdesk(), Jira(), ServiceNow(), Intercom(), HubSpot(), Zoho(),
    RequestTracker(), Events(), Calls(), Tickets(),
)  # fmt: skip
_LEAST = 0.5
_TITLES = {"calls": Calls().title, "tickets": Tickets().title}
# More columns that may be meant are not named.
_MOST_NAMED = 3


def choose(sheets: Sequence[Sheet], tool: str = "") -> Reader:
    """The reader whose columns the sheets have, or the named one.

    Raises
    ------
    ScenarioError
        If no reader has that name.
    """
    names = {reader.name: reader for reader in READERS}
    if tool:
        if tool not in names:
            raise fault("--tool", f'no reader "{tool}"', nearest(tool, names))
        return names[tool]
    scores = {reader.name: reader.score(sheets) for reader in READERS}
    generic = {"events", "calls", "tickets"}
    tools = {name: score for name, score in scores.items() if name not in generic}
    top = max(tools, key=lambda name: tools[name])
    if tools[top] >= _LEAST:
        return names[top]
    return names[max(generic, key=lambda name: scores[name])]


def gather(sheets: Sequence[Sheet], choices: Choices, tool: str = "") -> tuple[str, Gathered]:
    """Name of the reader, and what it gathers from the sheets."""
    check_given(choices, sheets)
    reader = choose(sheets, tool)
    try:
        return reader.name, reader.read(sheets, choices)
    except NotUnderstood as error:
        sheet = next(one for one in sheets if one.file == error.where)
        if likely := _likely(sheet, choices, error.field if tool else ""):
            raise NotUnderstood(sheet, error.field, likely) from None
        raise


def _likely(sheet: Sheet, choices: Choices, field: str) -> str:
    """Options that would let a sheet be understood, by the columns that it has."""
    shapes = {"tickets": (OF_TICKETS, "created"), "calls": (OF_CALLS, "queued")}
    found = {name: Taken(sheet, replace(choices, confirm=None), Names(), fields)
             for name, (fields, _) in shapes.items()}  # fmt: skip
    tool = max(found, key=lambda name: len(found[name].columns))
    needed = field or shapes[tool][1]
    taken = set(found[tool].columns.values())
    times = [name for name in sheet.names if name not in taken and looks_like_times(sheet, name)]
    said = "" if field else f"it looks like {_TITLES[tool]}: --tool {tool}"
    if needed in found[tool]:
        return said
    if not times:
        return ""
    which = " or ".join(f'--map {needed}="{name}"' for name in times[:_MOST_NAMED])
    return f"{said} {which}" if said else f"perhaps {which}"
