"""The list of readers, and the one that fits what is read."""

from __future__ import annotations

from collections.abc import Sequence

from twin.common.errors import nearest
from twin.history.gathered import Choices, Gathered
from twin.history.readers.freshdesk import Freshdesk
from twin.history.readers.generic import Calls, Events, Store, Tickets
from twin.history.readers.hubspot import HubSpot
from twin.history.readers.intercom import Intercom
from twin.history.readers.jira import Jira
from twin.history.readers.protocol import Reader
from twin.history.readers.servicenow import ServiceNow
from twin.history.readers.taken import check_given
from twin.history.readers.zendesk import Zendesk
from twin.history.readers.zoho import Zoho
from twin.history.sheet import Sheet, fault

READERS: tuple[Reader, ...] = (
    Store(), Zendesk(), Freshdesk(), Jira(), ServiceNow(), Intercom(), HubSpot(), Zoho(),
    Events(), Calls(), Tickets(),
)  # fmt: skip
_LEAST = 0.5


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
    return reader.name, reader.read(sheets, choices)
