"""The list of help desks that can be connected."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from twin.common.errors import Fault, ScenarioError
from twin.live.connectors.accounts import Account
from twin.live.connectors.help_desk import HelpDesk, Rules, Source
from twin.live.connectors.jira import Jira
from twin.live.connectors.rt import RequestTracker
from twin.live.connectors.wire import Wire
from twin.live.connectors.zendesk import TAGS, Zendesk

SOURCES = ("zendesk", "jira", "rt")
HELP_DESKS = ("zendesk", "rt")
_HEADERS: dict[str, Callable[[Account], dict[str, str]]] = {
    "zendesk": Zendesk.headers,
    "jira": Jira.headers,
    "rt": RequestTracker.headers,
}


def wire_of(
    account: Account, transport: httpx.BaseTransport | None = None,
    sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.time,
) -> Wire:  # fmt: skip
    """The wire of an account."""
    return Wire(account.url, _HEADERS[account.tool](account), transport, sleep, clock)


def source(account: Account, wire: Wire, rules: Rules | None = None) -> Source:
    """The help desk of an account, to be pulled from."""
    return Jira(wire) if account.tool == "jira" else help_desk(account, wire, rules)


def help_desk(account: Account, wire: Wire, rules: Rules | None = None) -> HelpDesk:
    """The help desk of an account, to be answered.

    Raises
    ------
    ScenarioError
        If the rules do not fit the tool.
    """
    rules = rules or Rules()
    faults = [
        Fault(name, "must be a name without quotes", value)
        for name, value in vars(rules).items() if set(value) & set("'\"\\\n")
    ]  # fmt: skip
    if faults:
        raise ScenarioError(account.tool, faults)
    if account.tool == "rt":
        return RequestTracker(wire, rules)
    field = rules.category_field
    if field and field != TAGS and not (field.isascii() and field.isdigit()):
        reason = f'must be the number of a custom field, or "{TAGS}"'
        raise ScenarioError("zendesk", [Fault("category_field", reason, field)])
    return Zendesk(wire, rules)
