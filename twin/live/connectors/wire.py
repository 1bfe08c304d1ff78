"""Requests to a help desk: bounded, patient where asked to wait, and named where they fail.

httpx is used for all three tools, not their clients. Of those, as read in November 2026: zenpy
waits for as long as a Retry-After says, logs what it sends, and shows its arguments, the token
among them, in an error; atlassian-python-api gives None for an answer that is broken, as if it were
empty; rt logs what it sends. None of them bounds an answer; zenpy and rt are under the GPL.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from twin.common.errors import TwinError

# An answer of more is not read: pages of the tools have a few megabytes.
MOST_BYTES = 64 * 1024 * 1024
TIMEOUT_S = 30.0
# Of one request, before it fails; and the longest wait that a server may ask for.
TRIES = 5
LONGEST_WAIT_S = 900.0
_FIRST_WAIT_S = 1.0
# Where a server asks to wait and does not say how long.
_SOME_S = 10.0


class ConnectorError(TwinError, RuntimeError):
    """A request to a help desk that failed; the message holds neither tokens nor texts."""


class Forbidden(ConnectorError):
    """A request that the help desk refuses, and would again: rights, address, or contents."""


class WrongToken(Forbidden):
    """A token that the help desk does not know: nothing else will go, either."""


class NotThere(ConnectorError):
    """A ticket that the help desk does not have, or no longer."""


class ChangedThere(ConnectorError):
    """A ticket that somebody changed in the help desk since it was read."""


class AskedToWait(ConnectorError):
    """A request that the help desk did not take now; `wait_s` is the time that it asks for."""

    def __init__(self, words: str, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__(words)


class Unclear(ConnectorError):
    """A request without a whole answer: it may have been carried out, or not."""


class Pace:
    """A least time between requests.

    Parameters
    ----------
    every_s : float
    """

    def __init__(self, every_s: float) -> None:
        self._every_s, self._next = every_s, 0.0

    def wait_s(self, now: float) -> float:
        """Time to wait before the next request, which is then counted as made."""
        wait = max(self._next - now, 0.0)
        self._next = now + wait + self._every_s
        return wait


class Wire:
    """A help desk's API.

    Parameters
    ----------
    url : str
        Without a slash at its end.
    headers : mapping of str to str
        With the token.
    transport : httpx.BaseTransport, optional
    sleep, clock : callable, optional
        For tests, whose waits take no time.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self.url = url
        self.sleep, self.clock = sleep, clock
        # A redirect could lead to another host with the token: none is followed.
        self._client = httpx.Client(
            headers={"Accept": "application/json", **headers}, timeout=TIMEOUT_S,
            follow_redirects=False, transport=transport,
        )  # fmt: skip

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Read, again and again for a while where the help desk is busy or ends in the midst.

        Raises
        ------
        ConnectorError
        """
        wait_s = _FIRST_WAIT_S
        for _ in range(TRIES - 1):
            try:
                return self._object("GET", path, query=query)
            except AskedToWait as busy:
                self.sleep(busy.wait_s)
            except Unclear:
                self.sleep(wait_s)
                wait_s *= 2
        return self._object("GET", path, query=query)

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """Write, once: whether to try again is for whoever knows if it was done.

        Raises
        ------
        ConnectorError
        """
        return self._request(method, path, body=body)

    def _object(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        found = self._request(method, path, **more)
        if not isinstance(found, dict):
            raise Unclear(f"{path}: the answer is no JSON object")
        return found

    def _request(
        self, method: str, path: str, query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        try:
            with self._client.stream(method, self.url + path, params=query, json=body) as answer:
                parts, size = [], 0
                for part in answer.iter_bytes():
                    size += len(part)
                    if size > MOST_BYTES:
                        raise Unclear(f"{path}: an answer of more than {MOST_BYTES >> 20} MB")
                    parts.append(part)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise Unclear(f"{path}: {_reason(error)}") from None
        self._check(path, answer)
        try:
            return json.loads(b"".join(parts))
        except (ValueError, RecursionError):
            raise Unclear(f"{path}: the answer is no JSON") from None

    def _check(self, path: str, answer: httpx.Response) -> None:
        status = answer.status_code
        if 200 <= status < 300:
            return
        words = f"{path}: status {status}"
        if status == 429 or (status == 503 and "retry-after" in answer.headers):
            raise AskedToWait(words, self._asked_s(answer.headers.get("retry-after", "")))
        if status >= 500 or status == 408:
            raise Unclear(words)
        if status in (404, 410):
            raise NotThere(words)
        if status == 409:
            raise ChangedThere(words)
        if 300 <= status < 400:
            raise Forbidden(f"{words}: it redirects; give the address that it redirects to")
        if status == 401:
            raise WrongToken(f"{words}: the token is wrong, or has ended")
        if status == 403:
            raise Forbidden(f"{words}: the token lacks a right")
        raise Forbidden(words)

    def _asked_s(self, text: str) -> float:
        """Time that a Retry-After asks for: seconds, or a moment; some seconds where it is none."""
        try:
            wait_s = float(text)
        except ValueError:
            try:
                wait_s = parsedate_to_datetime(text).timestamp() - self.clock()
            except (ValueError, TypeError, OverflowError):
                wait_s = math.nan
        if math.isnan(wait_s):
            wait_s = _SOME_S
        return wait_s if 0.0 < wait_s < LONGEST_WAIT_S else min(max(wait_s, 1.0), LONGEST_WAIT_S)


def _reason(error: Exception) -> str:
    """Words for a request without a whole answer; those of httpx may hold a part of it."""
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return "the answer ended early"
