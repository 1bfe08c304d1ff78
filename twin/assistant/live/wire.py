"""Responses as they come over the wire: answers, faults and rate-limit headers, as our own types.

Of a server's own words only codes and numbers are taken over: they may quote keys and prompts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from twin.assistant import catalogue, errors, prompts
from twin.assistant.answer_text import clean
from twin.assistant.catalogue import Model
from twin.assistant.errors import AssistantError
from twin.assistant.live.pacing import DAY_S, LENGTH, parse_length
from twin.assistant.recorded.recording import MOST_S

# How the provider says which limit was reached, by what, and for how long.
_LIMIT = re.compile(
    r"\((RPM|RPD|TPM|TPD)\): Limit (\d{1,15})\b(?:, Used \d{1,15})?(?:, Requested (\d{1,15})\b)?"
)
_TRY_AGAIN = re.compile(rf"try again in ({LENGTH.pattern}|\d[\d.]*)", re.IGNORECASE)
_COUNTS = {
    "prompt_tokens_details": "cached_tokens",
    "completion_tokens_details": "reasoning_tokens",
}
# Statuses that servers mean by words, where an error comes as HTTP 200.
_STATUS_OF = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "too_many_requests": 429,
    "insufficient_quota": 429,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "model_not_found": 404,
    "not_found_error": 404,
    "request_too_large": 413,
    "context_length_exceeded": 413,
    "capacity_exceeded": 498,
    "model_decommissioned": 400,
    "json_validate_failed": 400,
    "invalid_request": 400,
    "invalid_request_error": 400,
    "badrequesterror": 400,
    "internal_error": 500,
    "internal_server_error": 500,
    "internalservererror": 500,
    "api_error": 500,
    "server_error": 500,
    "service_unavailable": 503,
    "overloaded_error": 503,
    "unavailable_error": 503,
    "timeout": 408,
}
_STATUSES = {f"{number}" for number in range(400, 600)}
# A longer pause than a week's is a mistake, such as a moment in place of a length.
MOST_PAUSE_S = 7 * DAY_S
# Longer than any model may write; what a server sends beyond is no answer.
_MOST_CHARACTERS = 1_000_000


@dataclass(frozen=True)
class Sent:
    """The response to one HTTP request, checked to be whole.

    Attributes
    ----------
    answer, finish, prompt_tokens, completion_tokens, latency_s, usage, timings
        See `twin.assistant.recorded.recording.Reply`.
    limits : mapping of str to str
        The rate-limit headers; no others.
    counted : bool
        False where the provider did not count the tokens, so that they are estimated.
    at_once : int
        Calls under way when it was sent, itself included; 0: not told.
    """

    answer: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    latency_s: float
    limits: Mapping[str, str]
    usage: dict[str, int] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    counted: bool = True
    at_once: int = 0


def today() -> date:
    """The day, in UTC."""
    return datetime.now(UTC).date()


def failure(status: int, body: object, headers: Mapping[str, str], model: Model) -> AssistantError:
    """Our error for an HTTP status that is not success.

    Parameters
    ----------
    status : int
    body : object
        As JSON, or text.
    headers : mapping of str to str
    model : Model
        The one that was asked.
    """
    said = _error_of(body)
    code = _code(said, "code")
    message = said.get("message")
    message = message if isinstance(message, str) else ""
    wait_s = _retry_after(headers, message)
    limit, requested = _limit_named(message)
    if limit is not None and limit[0].startswith("t") and requested > limit[1]:
        # Of whatever status: waiting does not help.
        error: AssistantError = errors.TooLarge()
    elif status == 429:
        error = errors.RateLimited(wait_s, limit)
    else:
        error = _other_failure(status, code, model)
        error.retry_after_s = wait_s
    error.limits = rate_limits(headers)
    return error


def _error_of(body: object) -> dict[str, Any]:
    said = body.get("error", body) if isinstance(body, dict) else {}
    return said if isinstance(said, dict) else {}


def _code(said: Mapping[str, Any], name: str) -> str:
    code = said.get(name)
    code = code.lower() if isinstance(code, str) else ""
    return code if re.fullmatch(r"[a-z_]{1,40}", code) else ""


def _status_said(said: Mapping[str, Any]) -> int | None:
    """The HTTP status that an error means, by number or by word; None if it does not say."""
    for name in ("code", "status", "status_code"):
        number = said.get(name)
        number = int(number) if isinstance(number, str) and number in _STATUSES else number
        if type(number) is int and 400 <= number <= 599:
            return number
    words = (_code(said, name) for name in ("code", "type", "status"))
    return next((_STATUS_OF[word] for word in words if word in _STATUS_OF), None)


def _error_within(data: object, headers: Mapping[str, str], model: Model) -> AssistantError | None:
    """The error that came as HTTP 200, as some servers and gateways send them; mostly None."""
    choices = data.get("choices") if isinstance(data, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    of_choice = first.get("error") if isinstance(first, dict) else None
    if isinstance(data, dict) and (data.get("error") or (data.get("object") == "error")):
        said = _error_of(data)
    elif of_choice or (isinstance(first, dict) and first.get("finish_reason") == "error"):
        said = of_choice if isinstance(of_choice, dict) else {}
    elif isinstance(data, dict) and choices is None and _status_said(data) is not None:
        said = data
    else:
        return None
    status = _status_said(said)
    if status is None:
        return errors.BrokenResponse("an error that does not say of what kind")
    return failure(status, {"error": said}, headers, model)


def _other_failure(status: int, code: str, model: Model) -> AssistantError:
    if status in (401, 403):
        return errors.WrongKey(status)
    if code == "model_decommissioned":
        return errors.ModelRetired(model.name, _successor(model))
    if 300 <= status < 400:
        return errors.Moved(status)
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
    told = headers.get("retry-after")
    seconds = parse_length(headers.get("retry-after-ms"))
    if seconds is not None:
        seconds /= 1000
    else:
        seconds = parse_length(told)
    if seconds is None:
        seconds = _until(told, headers.get("date"))
    if seconds is None and (found := _TRY_AGAIN.search(message)):
        seconds = parse_length(found[1].rstrip("."))
    return None if seconds is None else min(seconds, MOST_PAUSE_S)


def _until(moment: str | None, now: str | None) -> float | None:
    """Seconds until a moment as HTTP writes it, by the server's own clock where it tells it."""
    until = _moment(moment)
    if until is None:
        return None
    return max((until - (_moment(now) or datetime.now(UTC))).total_seconds(), 0.0)


def _moment(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _limit_named(message: str) -> tuple[tuple[str, int] | None, int]:
    """The limit that was reached, by name and size, and how much was asked for (0: not said)."""
    found = _LIMIT.search(message)
    if found is None:
        return None, 0
    return (found[1].lower(), int(found[2])), int(found[3] or 0)


def rate_limits(headers: Mapping[str, str]) -> dict[str, str]:
    """The rate-limit headers, and of them only what looks like a count or a length of time."""
    return {
        name.lower(): value
        for name, value in headers.items()
        if name.lower().startswith("x-ratelimit-")
        and re.fullmatch(r"[\d.dhmsun\u00b5]{1,20}", value)
    }


def read_json(body: bytes) -> Any:
    """The JSON of a body; JSON is UTF-8, whatever a header says.

    Raises
    ------
    ValueError
        If it is none; also where a number has thousands of digits.
    """
    try:
        return json.loads(body.decode("utf-8-sig", "replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_completion(
    body: bytes,
    latency_s: float,
    headers: Mapping[str, str],
    messages: list[prompts.Message],
    model: Model,
) -> Sent:
    """The body of an answer, field by field: the SDK's own models take any type.

    Parameters
    ----------
    body : bytes
    latency_s : float
    headers : mapping of str to str
    messages : list of dict
        What was asked: its tokens are estimated where the provider did not count them.
    model : Model
        The one that was asked.

    Raises
    ------
    BrokenResponse
        If it is no whole chat completion.
    AssistantError
        The error that it holds, of the kind that fits.
    """
    what = ""
    data: Any = None
    try:
        data = read_json(body)
    except ValueError:
        what = "HTML" if body.lstrip()[:1] == b"<" else "not whole JSON"
    if what:
        raise errors.BrokenResponse(what)
    failed = _error_within(data, headers, model)
    if failed is not None:
        raise failed
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise errors.BrokenResponse("no choices")
    message = choices[0].get("message")
    answer = _text(message.get("content")) if isinstance(message, dict) else None
    finish = choices[0].get("finish_reason")
    if answer is None or not isinstance(finish, str | None):
        raise errors.BrokenResponse("wrong types")
    if len(answer) > _MOST_CHARACTERS:
        raise errors.BrokenResponse("an answer longer than a model may write")
    usage = data.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    most = model.context
    prompt = _count(usage.get("prompt_tokens"), most)
    completion = _count(usage.get("completion_tokens"), most)
    counted = prompt is not None and completion is not None
    counts = {}
    for group, name in _COUNTS.items():
        details = usage.get(group)
        value = _count(details.get(name), most) if isinstance(details, dict) else None
        if value is not None:
            counts[name] = value
    names = ("queue_time", "prompt_time", "completion_time", "total_time")
    timings = {name: float(usage[name]) for name in names if _is_time(usage.get(name))}
    return Sent(
        answer=clean(answer),
        finish=clean(finish or "")[:40],
        prompt_tokens=prompts.count_tokens(messages) if prompt is None else prompt,
        completion_tokens=prompts.count_tokens(answer) if completion is None else completion,
        latency_s=latency_s,
        limits=rate_limits(headers),
        usage=counts if counted else counts | {"estimated": 1},
        timings=timings,
        counted=counted,
    )


def _text(content: object) -> str | None:
    """Content of a message: text, or a list of parts of which those of text count."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        return None
    texts = [part.get("text") for part in content if part.get("type") in ("text", "output_text")]
    return "".join(texts) if all(isinstance(text, str) for text in texts) else None


def _count(value: object, most: int) -> int | None:
    """A count of tokens; None if it is none, or more than the model can hold."""
    whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    return int(value) if whole and 0 <= value <= most else None  # type: ignore[operator,call-overload]


def _is_time(value: object) -> bool:
    # Compared before it becomes a float: a whole number may have hundreds of digits.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_S
