"""Answers that come as streams: put together as if they had come whole, and timed.

A stream is server-sent events, each ``data:`` and a piece of the answer as JSON, to ``[DONE]``.
A server that sends the answer whole all the same is read as such.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

# Asks for counts of tokens, which streams lack otherwise; some servers send them anyway.
WITH_COUNTS = {"stream_options": {"include_usage": True}}
FIRST_TOKEN = "first_token_time"


def streams(request: Mapping[str, Any]) -> bool:
    """True if an answer can be asked for as a stream: one of a given form comes whole."""
    return "response_format" not in request


async def gather(lines: AsyncIterator[str], begun: float) -> tuple[bytes, float | None]:
    """Read a response line by line.

    Parameters
    ----------
    lines : async iterator of str
    begun : float
        Moment at which the request was sent, s, as of `time.perf_counter`.

    Returns
    -------
    body : bytes
        As of an answer that came whole.
    first_s : float or None
        Seconds from sending to the first token of the answer; None where it did not come as a
        stream.

    Raises
    ------
    ValueError
        If the stream ends before it is whole, or has a line that is no piece of an answer.
    """
    whole: list[str] = []
    pieces: list[str] = []
    first_s: float | None = None
    finish, usage, done = None, None, False
    async for line in lines:
        if not line.startswith("data:"):
            # Comments, names of events, empty lines: or no stream.
            whole.append(line)
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            done = True
            break
        piece = _piece(data)
        if piece.get("error"):
            # As an answer that came whole and says what failed.
            return data.encode(), None
        usage = piece.get("usage") or _inside(piece, "x_groq").get("usage") or usage
        choices = piece.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            continue
        finish = choices[0].get("finish_reason") or finish
        text = _inside(choices[0], "delta").get("content")
        if isinstance(text, str) and text:
            if first_s is None:
                first_s = time.perf_counter() - begun
            pieces.append(text)
    if not done and not pieces and usage is None:
        return "\n".join(whole).encode(), None
    if not done:
        raise ValueError("a stream without its end")
    choice = {"message": {"content": "".join(pieces)}, "finish_reason": finish}
    return json.dumps({"choices": [choice], "usage": usage}).encode(), first_s


def _piece(data: str) -> dict[str, Any]:
    try:
        piece = json.loads(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(piece, dict):
        raise ValueError("not an object")
    return piece


def _inside(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}
