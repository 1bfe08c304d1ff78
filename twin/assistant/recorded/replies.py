"""Replies: what models answered, one JSON object a line, by the hash of what was asked.

The key covers all that can change an answer (model, messages, parameters, schema, seed, sample
number, prompt version) and nothing else: no timeout, address or key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twin.assistant.errors import RecordingError

# Beyond what any call has: eleven days, and what a column of the table calls can hold.
_MOST_S, _MOST_TOKENS = 1e6, (1 << 31) - 1


def request_key(request: Mapping[str, Any], sample: int, prompt_version: str) -> str:
    """SHA-256 of a request, as 64 hexadecimal digits.

    Parameters
    ----------
    request : mapping
        What is sent: model, messages, temperature, token limit, schema, seed, and so on.
    sample : int
        Which of several answers to it.
    prompt_version : str
    """
    whole = {"prompt_version": prompt_version, "request": request, "sample": sample}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def json_said(answer: str) -> Any:
    """What a model said in JSON, also where it fenced it as code.

    Raises
    ------
    ValueError
        If it is not JSON.
    """
    text = answer.strip()
    if text.startswith("```"):
        text = text.strip("`").removeprefix("json")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


@dataclass(frozen=True)
class Reply:
    """A recorded answer: a line of a recording.

    Attributes
    ----------
    key : str
        See `request_key`.
    step, model, prompt_version, sample
        What was asked; `request` holds all of it.
    answer : str
        The model's words.
    finish : str
        Why the model stopped: "stop", or "length" where the token limit cut it.
    repaired : bool
        Whether a first answer was outside the form, so that the model was asked once more; tokens
        and latency are those of both.
    prompt_tokens, completion_tokens : int
    usage, timings : dict
        Other counts and the times that the provider reports, such as queue_time (seconds).
    latency_s : float
        Measured, from sending to the whole answer, without waiting for quota.
    cost_usd : float or None
        By the catalogue's price of that day; None where it is unknown.
    limits : dict of str to str
        The rate-limit headers of the answer.
    recorded : str
        UTC.
    sdk : str
    """

    key: str
    step: str
    model: str
    prompt_version: str
    sample: int
    request: dict[str, Any]
    answer: str
    finish: str
    repaired: bool
    prompt_tokens: int
    completion_tokens: int
    latency_s: float
    cost_usd: float | None = None
    usage: dict[str, int] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    recorded: str = ""
    sdk: str = ""

    def to_line(self) -> bytes:
        """The line of a recording, with its end."""
        text = json.dumps(vars(self), sort_keys=True, ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", "replace") + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Reply:
        """A reply from a line.

        Raises
        ------
        ValueError
            If it is not one.
        """
        try:
            data = json.loads(line)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(data, dict):
            raise ValueError("not an object")
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        try:
            reply = cls(**known)
        except TypeError:
            raise ValueError("a field is missing") from None
        if not (isinstance(reply.key, str) and len(reply.key) == 64):
            raise ValueError("no key")
        if not (isinstance(reply.answer, str) and isinstance(reply.latency_s, int | float)):
            raise ValueError("no answer or no latency")
        if not 0 <= reply.latency_s <= _MOST_S:
            raise ValueError("no latency that a call can have")
        tokens = (reply.prompt_tokens, reply.completion_tokens)
        if not all(type(n) is int and 0 <= n <= _MOST_TOKENS for n in tokens):
            raise ValueError("no token counts")
        return reply


def read_lines(path: Path) -> tuple[dict[str, Reply], int, bool]:
    """All replies of a file by key (the first of a key counts).

    Returns
    -------
    replies : dict of str to Reply
    end : int
        Length of what is whole, in bytes.
    torn : bool
        Whether a last line without its end follows, which a killed process leaves.

    Raises
    ------
    RecordingError
        If the file cannot be read, or a line before the last is no reply.
    """
    replies: dict[str, Reply] = {}
    end = number = 0
    # A pipe or a device may never end.
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise RecordingError(f"{path}: not a regular file")
    try:
        with path.open("rb") as file:
            for line in file:
                number += 1
                if not line.endswith(b"\n"):
                    return replies, end, True
                end += len(line)
                if line.strip():
                    reply = Reply.from_line(line)
                    replies.setdefault(reply.key, reply)
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except ValueError:
        raise RecordingError(
            f"{path}, line {number}: not a line of a recording; remove it, or name another file"
        ) from None
    return replies, end, False
