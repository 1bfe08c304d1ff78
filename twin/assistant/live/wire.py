"""Responses as they come over the wire: answers, faults and rate-limit headers, as our own types.

Of a server's own words only codes and numbers are taken over: they may quote keys and prompts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypeGuard

from twin.assistant import catalogue, errors
from twin.assistant.catalogue import Model
from twin.assistant.errors import AssistantError
from twin.assistant.live.pacing import parse_length

# How the provider says which limit was reached, and for how long.
_LIMIT = re.compile(r"\((RPM|RPD|TPM|TPD)\): Limit (\d+)")
_TRY_AGAIN = re.compile(r"try again in ([\dhms.]+)", re.IGNORECASE)
_COUNTS = {
    "prompt_tokens_details": "cached_tokens",
    "completion_tokens_details": "reasoning_tokens",
}


@dataclass(frozen=True)
class Sent:
    """The response to one HTTP request, checked to be whole.

    Attributes
    ----------
    answer, finish, prompt_tokens, completion_tokens, latency_s, usage, timings
        See `twin.assistant.recorded.recording.Reply`.
    limits : mapping of str to str
        The rate-limit headers; no others.
    """

    answer: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    latency_s: float
    limits: Mapping[str, str]
    usage: dict[str, int] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)


def today() -> date:
    """The day, in UTC."""
    return datetime.now(UTC).date()


def failure(status: int, body: object, headers: Mapping[str, str], model: Model) -> AssistantError:
    """Our error for an HTTP status that is not success.

    Parameters
    ----------
    status : int
    body : object
        As the SDK read it: the inner object of JSON, or text.
    headers : mapping of str to str
    model : Model
        The one that was asked.
    """
    said = body.get("error", body) if isinstance(body, dict) else {}
    said = said if isinstance(said, dict) else {}
    code = said.get("code")
    code = code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,40}", code) else ""
    message = said.get("message")
    message = message if isinstance(message, str) else ""
    wait_s = _retry_after(headers, message)
    if status == 429:
        error: AssistantError = errors.RateLimited(wait_s, _limit_named(message))
    else:
        error = _other_failure(status, code, model)
        error.retry_after_s = wait_s
    error.limits = rate_limits(headers)
    return error


def _other_failure(status: int, code: str, model: Model) -> AssistantError:
    if status in (401, 403):
        return errors.WrongKey(status)
    if code == "model_decommissioned":
        return errors.ModelRetired(model.name, _successor(model))
    if status == 404:
        return errors.UnknownModel(model.name, _successor(model))
    if status == 413 or code == "context_length_exceeded":
        return errors.TooLarge()
    if code == "json_validate_failed":
        return errors.BadAnswer("the model did not manage to write JSON")
    if status == 498:
        return errors.NoCapacity()
    if status == 408:
        return errors.TimedOut()
    if status >= 500 or status == 409:
        return errors.ServerError(status)
    return errors.Refused(status, code)


def _successor(model: Model) -> str | None:
    follower = catalogue.model(model.successor) if model.successor else None
    live = follower.live_successor(today()) if follower else None
    return live.name if live else None


def _retry_after(headers: Mapping[str, str], message: str) -> float | None:
    exact = parse_length(headers.get("retry-after-ms"))
    if exact is not None:
        return exact / 1000
    seconds = parse_length(headers.get("retry-after"))
    if seconds is None and (found := _TRY_AGAIN.search(message)):
        seconds = parse_length(found[1].rstrip("."))
    return seconds


def _limit_named(message: str) -> tuple[str, int] | None:
    found = _LIMIT.search(message)
    return (found[1].lower(), int(found[2])) if found else None


def rate_limits(headers: Mapping[str, str]) -> dict[str, str]:
    """The rate-limit headers, and of them only what looks like a count or a length of time."""
    return {
        name.lower(): value
        for name, value in headers.items()
        if name.lower().startswith("x-ratelimit-") and re.fullmatch(r"[\d.hms]{1,20}", value)
    }


def read_completion(body: str, latency_s: float, limits: Mapping[str, str]) -> Sent:
    """The body of an answer, field by field: the SDK's own models take any type.

    Raises
    ------
    BrokenResponse
        If it is no whole chat completion.
    """
    what = ""
    data: Any = None
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        what = "HTML" if body.lstrip()[:1] == "<" else "not whole JSON"
    if what:
        raise errors.BrokenResponse(what)
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise errors.BrokenResponse("no choices")
    message = choices[0].get("message")
    answer = message.get("content") if isinstance(message, dict) else 0
    finish = choices[0].get("finish_reason")
    answer = "" if answer is None else answer
    if not isinstance(answer, str) or not isinstance(finish, str):
        raise errors.BrokenResponse("wrong types")
    usage = data.get("usage")
    if not isinstance(usage, dict):
        raise errors.BrokenResponse("no usage")
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not (_is_count(prompt) and _is_count(completion)):
        raise errors.BrokenResponse("wrong types")
    counts = {}
    for group, name in _COUNTS.items():
        details = usage.get(group)
        value = details.get(name) if isinstance(details, dict) else None
        if _is_count(value):
            counts[name] = value
    names = ("queue_time", "prompt_time", "completion_time", "total_time")
    timings = {name: float(usage[name]) for name in names if _is_time(usage.get(name))}
    return Sent(answer, finish, prompt, completion, latency_s, limits, counts, timings)


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 1 << 31


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)
