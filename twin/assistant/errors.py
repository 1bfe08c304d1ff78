"""Errors of a live model: one family, each with advice on what to do next.

No message holds a key, a header, a prompt or a customer's text, and none repeats words of a server:
servers quote keys and prompts.
"""

from __future__ import annotations

from collections.abc import Mapping

from twin.assistant.protocol import BAD_ANSWER, RATE_LIMITED, REFUSED, SERVER_ERROR, TIMEOUT
from twin.common.errors import TwinError


class AssistantError(TwinError, RuntimeError):
    """A call, or a whole backend, that failed.

    Attributes
    ----------
    outcome : int or None
        How a call that ends in this error is noted (index into `twin.assistant.protocol.OUTCOMES`);
        None where no other call can do better, so that the batch ends.
    again : bool
        Whether the same request may succeed later.
    billed : bool
        Whether the provider may have charged for it.
    retry_after_s : float or None
        When the provider will take calls again; None where it did not say.
    limits : mapping of str to str
        The rate-limit headers that came with it; no others.
    """

    outcome: int | None = None
    again = False
    billed = False
    retry_after_s: float | None = None
    limits: Mapping[str, str] = {}


class NoKey(AssistantError):
    """There is no key."""

    def __init__(self) -> None:
        super().__init__(
            "no key: set GROQ_API_KEY in the environment or in a file .env in the folder you work "
            "in (keys are made at console.groq.com/keys), and GROQ_BASE_URL, if you use it, in the "
            "same place; the backends embedded, profile and replay need none"
        )


class WrongKey(AssistantError):
    """The provider does not accept the key."""

    def __init__(self, status: int) -> None:
        super().__init__(
            f"the provider does not accept the key in GROQ_API_KEY (HTTP {status}): check that it "
            "is whole, not revoked, and may use this model from this network"
        )


class WrongAddress(AssistantError):
    """GROQ_BASE_URL is not an address."""

    def __init__(self) -> None:
        super().__init__(
            "GROQ_BASE_URL is no usable address: it must look like https://api.groq.com or "
            "http://127.0.0.1:8080, with no user or password in it (unset it to use Groq)"
        )


class PlainAddress(AssistantError):
    """GROQ_BASE_URL is of another machine, and not encrypted."""

    def __init__(self) -> None:
        super().__init__(
            "GROQ_BASE_URL begins with http:// and leads to another machine, so that the key and "
            "customers' words could be read on the way: use https://, or set TWIN_PLAIN_HTTP=1 "
            "beside it if that network is yours"
        )


class Moved(AssistantError):
    """The address answers that the provider is elsewhere (HTTP 3xx)."""

    def __init__(self, status: int) -> None:
        super().__init__(
            f"the address only says that the provider is elsewhere (HTTP {status}), where nothing "
            "is sent unasked: set GROQ_BASE_URL to where it is"
        )


class WrongEnvironment(AssistantError):
    """A proxy or certificate file of the environment; not shown, as it may hold a password."""

    def __init__(self) -> None:
        super().__init__(
            "no connection can be made as the environment says: a proxy (HTTP_PROXY, HTTPS_PROXY, "
            "ALL_PROXY, NO_PROXY) must look like http://127.0.0.1:3128, and the files of "
            "certificates (SSL_CERT_FILE, SSL_CERT_DIR) must be there"
        )


class NoWeights(AssistantError):
    """The files of the embedding's package are not there, or cannot be read."""

    def __init__(self, package: str, file: str) -> None:
        super().__init__(
            f"the embedding of texts needs {file} of the package {package}, which is not there or "
            "cannot be read; installing the twin again brings it"
        )


class ModelRetired(AssistantError):
    """The provider no longer runs the model.

    Attributes
    ----------
    successor : str or None
        A model of the catalogue that runs.
    """

    def __init__(self, model: str, successor: str | None, since: str = "") -> None:
        self.successor = successor
        when = f" since {since}" if since else ""
        if successor:
            advice = f'use its successor: assistant.model = "{successor}"'
        else:
            advice = "`twin models` lists those that run"
        super().__init__(
            f'model "{model}" is retired{when} and cannot be called: {advice}; with backend '
            '"profile" it can still be simulated'
        )


class UnknownModel(AssistantError):
    """The provider does not know the model, or the key may not use it."""

    def __init__(self, model: str, successor: str | None = None) -> None:
        hint = f'; the catalogue names "{successor}" as its successor' if successor else ""
        super().__init__(
            f'the provider has no model "{model}" for this key: `twin models` lists what the '
            f"catalogue knows, console.groq.com/docs/models what runs today{hint} "
            "(or GROQ_BASE_URL, if it is set, leads elsewhere)"
        )


class RateLimited(AssistantError):
    """A limit of the plan is used up (HTTP 429).

    Attributes
    ----------
    limit : tuple of (str, int) or None
        Which limit (rpm, rpd, tpm or tpd) and how high it is, where the provider said so.
    """

    outcome = RATE_LIMITED
    again = True

    def __init__(
        self, retry_after_s: float | None = None, limit: tuple[str, int] | None = None
    ) -> None:
        self.retry_after_s = retry_after_s
        self.limit = limit
        which = f" ({limit[0].upper()} {limit[1]:,})" if limit else ""
        when = "" if retry_after_s is None else f", for another {retry_after_s:.0f} s"
        super().__init__(
            f"a limit of the plan{which} is used up{when}: wait and run the same command again "
            "(nothing recorded is asked twice), lower provider.rpm or provider.tpm, or choose a "
            "larger plan"
        )


class ServerError(AssistantError):
    """The provider failed (HTTP 5xx)."""

    outcome = SERVER_ERROR
    again = True

    def __init__(self, status: int) -> None:
        super().__init__(
            f"the provider failed (HTTP {status}): run the same command again later; "
            "groqstatus.com says whether it is down"
        )


class NoCapacity(AssistantError):
    """The provider is full (HTTP 498)."""

    outcome = SERVER_ERROR
    again = True

    def __init__(self) -> None:
        super().__init__(
            "the provider has no capacity left for this tier (HTTP 498): run the same command "
            "again later"
        )


class TimedOut(AssistantError):
    """No answer within the time allowed."""

    outcome = TIMEOUT
    again = True
    billed = True

    def __init__(self) -> None:
        super().__init__("no answer within provider.timeout: raise it, or try again")


class Unreachable(AssistantError):
    """No connection, or one that broke."""

    outcome = SERVER_ERROR
    again = True
    billed = True

    def __init__(self) -> None:
        super().__init__(
            "the provider cannot be reached, or the connection broke: check the network, a proxy, "
            "and GROQ_BASE_URL if it is set"
        )


class BrokenResponse(AssistantError):
    """A response that is not an answer: cut JSON, a page of HTML, no choices, wrong types."""

    outcome = SERVER_ERROR
    again = True
    billed = True

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the provider's answer is broken ({what}): try again; if it stays, something between "
            "here and the provider changes answers (a proxy, a wrong GROQ_BASE_URL)"
        )


class TooLarge(AssistantError):
    """The request is larger than the plan or the model takes (HTTP 413)."""

    outcome = REFUSED

    def __init__(self) -> None:
        super().__init__(
            "the request is larger than the plan or the model takes: fewer articles "
            "(assistant.articles), a smaller assistant.max_tokens, or a larger plan"
        )


class Refused(AssistantError):
    """The provider refuses the request as it stands (another HTTP 4xx)."""

    outcome = REFUSED

    def __init__(self, status: int, code: str = "") -> None:
        said = f", {code}" if code else ""
        super().__init__(
            f"the provider refuses the request (HTTP {status}{said}): check assistant.model and "
            "assistant.max_tokens; the same request will be refused again"
        )


class BadAnswer(AssistantError):
    """The model answered outside the form that was asked for.

    Attributes
    ----------
    what : str
        What is wrong with it, in words that hold nothing of the answer.
    """

    outcome = BAD_ANSWER
    billed = True

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"the model's answer has not the form that was asked for ({what}), also when asked "
            "again: a larger assistant.max_tokens helps where it was cut, else another model"
        )


class NoVerdict(AssistantError):
    """The model that judges answers gave no verdict on some."""

    def __init__(self, model: str, answers: int, words: str) -> None:
        super().__init__(
            f'the judge "{model}" gave no verdict on {answers:,} answers, so nothing can be said '
            f"of them; verdicts so far are recorded: run it again. The last said: {words}"
        )


class BudgetReached(AssistantError):
    """The next call could cost more than is allowed."""

    def __init__(self, limit_usd: float, spent_usd: float) -> None:
        super().__init__(
            f"stopped before --max-cost {limit_usd:g} USD could be exceeded ({spent_usd:.4f} USD "
            "spent): raise it and run the same command again to go on"
        )


class Stopped(AssistantError):
    """Asking was stopped, by Ctrl-C or by another batch that failed for good."""

    def __init__(self) -> None:
        super().__init__("asking was stopped; what was answered before is kept")


class NothingWorks(AssistantError):
    """Call after call fails: going on would only cost time."""

    def __init__(self, failures: int, words: str) -> None:
        super().__init__(f"gave up after {failures} failed calls in a row; the last said: {words}")


class UnknownPrice(AssistantError):
    """A limit in USD cannot be kept, because the model's price is not known."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f'the price of model "{model}" is not in the catalogue, so --max-cost cannot be kept: '
            "leave it out and use --limit, or choose a model of known price (`twin models`)"
        )


class RecordingError(AssistantError):
    """A recording that cannot be read or written."""


class RecordingMiss(RecordingError):
    """A recording does not hold an answer that is needed."""
