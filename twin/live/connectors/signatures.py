"""Signatures of webhooks, as Zendesk makes them: HMAC-SHA256 of the timestamp and the body."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import OrderedDict

from twin.common.errors import TwinError
from twin.live.connectors.help_desk import seconds

SIGNATURE = "X-Zendesk-Webhook-Signature"
TIMESTAMP = "X-Zendesk-Webhook-Signature-Timestamp"
# An older request, or one from the future, may be one that somebody else sends again (assumed).
FRESH_S = 300.0
_MOST_KEPT = 10_000


class BadSignature(TwinError, ValueError):
    """A webhook's request that the help desk did not sign, or not now."""


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a request."""
    made = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(made).decode()


class Signatures:
    """Signatures that were seen: each counts once.

    Parameters
    ----------
    secret : str
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._seen: OrderedDict[str, float] = OrderedDict()

    def check(self, given: str, timestamp: str, body: bytes, now: float) -> None:
        """See that a request is the help desk's own, and new.

        Raises
        ------
        BadSignature
        """
        right = signature(self._secret, timestamp, body)
        if not self._secret or not hmac.compare_digest(right.encode(), given.encode()):
            raise BadSignature("the signature is wrong")
        if abs(now - seconds(timestamp)) > FRESH_S:
            raise BadSignature("the request is old")
        while self._seen and next(iter(self._seen.values())) < now - 2 * FRESH_S:
            self._seen.popitem(last=False)
        if right in self._seen or len(self._seen) >= _MOST_KEPT:
            raise BadSignature("the request came before")
        self._seen[right] = now

    def forget(self, given: str) -> None:
        """Let a request that was checked, but could not be served, come again."""
        self._seen.pop(given, None)
