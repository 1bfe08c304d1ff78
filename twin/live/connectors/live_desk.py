"""The live desk as a connector asks it: by its API, with keys under which nothing counts twice."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import httpx

from twin.common.errors import TwinError
from twin.live.bodies import FILLED, IMPOSSIBLE, MAX_DESCRIPTION, MAX_TEXT

# A ticket may take as long as the desk waits for all of its model calls, and some time more.
_TIMEOUT_S = 90.0


class DeskBusy(TwinError, RuntimeError):
    """A live desk that cannot take a ticket or a word now; it is asked again."""


class DeskRefused(TwinError, RuntimeError):
    """A ticket or a word that the live desk will not take."""


class LiveDesk:
    """The live desk's API.

    Parameters
    ----------
    url : str
    token : str, optional
    name : str
        Of the help desk: the keys of two help desks differ.
    transport : httpx.BaseTransport, optional
    """

    def __init__(
        self, url: str, name: str, token: str = "", transport: httpx.BaseTransport | None = None
    ) -> None:
        self._name = name
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # No proxy: the desk is on this machine.
        self._client = httpx.Client(
            base_url=url, headers=headers, timeout=_TIMEOUT_S, transport=transport,
            follow_redirects=False, trust_env=False,
        )  # fmt: skip

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def process(self, remote: str, text: str, priority: str) -> dict[str, Any]:
        """Have a ticket categorised and answered; the same one where it was before.

        Raises
        ------
        DeskBusy, DeskRefused
        """
        body = {"description": text, "priority": priority}
        answer = self._post("/process_ticket", body, remote)
        # Also a ticket whose model call failed is there: an agent has it.
        if answer.status_code >= 400 and "ticket_id" not in _object(answer):
            raise _error(answer)
        return self._ticket(int(_object(answer)["ticket_id"]))

    def _ticket(self, number: int) -> dict[str, Any]:
        try:
            answer = self._client.get(f"/tickets/{number}")
        except httpx.HTTPError:
            raise DeskBusy("the live desk does not answer") from None
        if answer.status_code != 200:
            raise _error(answer)
        return _object(answer)

    def reply(self, remote: str, number: int, said: str, text: str) -> dict[str, Any]:
        """Tell the desk a customer's further words; the ticket as it is then.

        Raises
        ------
        DeskBusy, DeskRefused
        """
        body = {"text": text[:MAX_TEXT]}
        answer = self._post(f"/tickets/{number}/reply", body, f"{remote} said {said}")
        if answer.status_code >= 400:
            raise _error(answer)
        return _object(answer)

    def rate(self, remote: str, number: int, text: str, stars: int) -> dict[str, Any]:
        """Tell the desk a customer's rating; the ticket as it is then.

        Raises
        ------
        DeskBusy, DeskRefused
        """
        body = {"description": text, "rating": stars, "ticket_id": number}
        answer = self._post("/submit_feedback", body, f"{remote} rated {stars}")
        if answer.status_code >= 400:
            raise _error(answer)
        return self._ticket(number)

    def _post(self, path: str, body: Mapping[str, Any], what: str) -> httpx.Response:
        key = hashlib.sha256(f"{self._name}\n{what}".encode()).hexdigest()
        try:
            return self._client.post(path, json=body, headers={"Idempotency-Key": key})
        except httpx.HTTPError:
            raise DeskBusy("the live desk does not answer") from None


def clean(text: str) -> str:
    """A text of a help desk, bounded, as the live desk takes it; empty where it says nothing."""
    found = IMPOSSIBLE.sub("", text).strip()[:MAX_DESCRIPTION]
    return found if re.match(FILLED, found) else ""


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = json.loads(answer.content)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _error(answer: httpx.Response) -> TwinError:
    status = answer.status_code
    # At work on it, busy, or without a store: all of that passes.
    if status == 429 or status >= 500 or (status == 409 and "retry-after" in answer.headers):
        return DeskBusy(f"the live desk answers with status {status}")
    return DeskRefused(f"the live desk answers with status {status}")
