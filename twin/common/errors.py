"""All errors of the twin, in one tree under `TwinError`.

Each also derives from the built-in error named behind it, so that callers may catch either; what is
indented derives from the error above it.

    TwinError
        ScenarioError               ValueError       a file or a setting that cannot be used
            BadCell                                  a cell of an export that cannot be read
            NotUnderstood                            an export in which a needed column is missing
        DamagedFile                 ValueError       a file of results that is not as it was written
        MeasuringError              ValueError       recorded calls of which no profile can be made
        AssistantError              RuntimeError     a model call, or a whole backend, that failed
            NoKey, WrongKey                          the provider's key
            WrongAddress, PlainAddress, Moved        no model is to be asked at the address
            WrongEnvironment                         settings of the machine
            NoWeights                                files of the embedding that cannot be read
            ModelRetired, UnknownModel               the model asked for
            RateLimited, NoCapacity, ServerError     the provider cannot answer now
            TimedOut, Unreachable, BrokenResponse    no whole answer came
            TooLarge, Refused, BadAnswer             an answer, but none to the question
            NoVerdict                                a model as judge did not judge
            BudgetReached, Stopped, UnknownPrice     no further calls are made
            NothingWorks                             call after call failed
            RecordingError                           a recording that cannot be used
                RecordingMiss                        an answer that is not in the recording
        OutOfBounds                 ValueError       a response that is too long, or packed oddly
        BadTime, UnclearTime        ValueError       a time that cannot be read as one moment
        LocalModelError             RuntimeError     a local model that cannot be served
        NothingToRate               ValueError       recordings without an answer to rate
        ReflectionError             ValueError       ratings or tickets too few to change a prompt
        Untested                    RuntimeError     a change of a prompt whose test did not end
        ClusterError                ConnectionError  a Dask cluster that cannot be used
        EngineError                 ValueError       an engine that cannot play a scenario
        TooMuch                     ValueError       a setting that takes too long to wait for
        CopyDied                    RuntimeError     a worker that ended before its task was done
        LostPart                    RuntimeError     a part of a calibration that ends its process
        HttpProblem                                  a request that the live desk's API refuses
        Unreadable, Empty, Wrong    ValueError       the body of a request
        Unprocessable               ValueError       a request that makes no sense on this desk
        NotAllowed                  ValueError       a change of status that may not be
        KeyReused                   ValueError       an idempotency key of another request
        UnusableModel               ValueError       a model that the live desk cannot call
        NoSuchTicket                LookupError      no ticket of that number
        IsMerged, MergedWithItself  ValueError       a ticket that is, or would be, part of another
        NoAnswer                    ValueError       a word on an answer that is not there
        ChangedMeanwhile            RuntimeError     a ticket that is not as the agent saw it
        NoDraft                     RuntimeError     a draft that the assistant cannot write
        Conflict                    RuntimeError     somebody else is at work on the ticket
        Busy                        RuntimeError     too many requests at once
        Failed                      RuntimeError     a call of the live desk's assistant
        StoreError                  RuntimeError     the live desk's store cannot do it now
            StoreFull, StoreUnusable                 no room left; the store cannot be opened
        WrongVersion                RuntimeError     a store made by another version or program
        ServeError                  RuntimeError     the live desk cannot be started, or ended
        ConnectorError              RuntimeError     a request to a help desk that failed
            Forbidden                                one that it refuses, and would again
                WrongToken                           by a token that it does not know
            NotThere                                 a ticket that it does not have
            ChangedThere                             a ticket that somebody changed there
            AskedToWait                              one that it does not take now
            Unclear                                  one without a whole answer
        DeskBusy                    RuntimeError     the live desk cannot take a remote ticket now
        DeskRefused                 RuntimeError     the live desk will not take it
        BadSignature                ValueError       a webhook that the help desk did not sign
        DeskError                   RuntimeError     the page's words for a desk that refused

Interruptions (`Interrupted`, `StudyInterrupted`) are no errors: they derive from KeyboardInterrupt,
so that no handler of errors stops them. `PriceWarning` is a warning.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class TwinError(Exception):
    """An error that the twin raises on purpose; the message says where, and what is allowed."""


class DamagedFile(TwinError, ValueError):
    """A file that the twin wrote and that is not as it was written.

    Parameters
    ----------
    path : path
    why : str
    hint : str, optional
        What to do about it.
    """

    def __init__(self, path: object, why: str, hint: str = "") -> None:
        super().__init__(f"{path} is damaged: {why}" + (f"; {hint}" if hint else ""))


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: where, what was given, what is allowed."""

    key: str
    reason: str
    given: object = None
    hint: str = ""

    def __str__(self) -> str:
        given = "" if self.given is None else f" (given: {_short(self.given)})"
        hint = f"; {self.hint}" if self.hint else ""
        text = f"{self.key or 'file'}: {self.reason}{given}{hint}"
        # A message stays on its line, whatever the file holds.
        return "".join(c if c.isprintable() else "?" for c in text)


class ScenarioError(TwinError, ValueError):
    """A scenario that cannot run; `faults` lists every fault found.

    Attributes
    ----------
    where : str
        The file, or what else the data came from.
    faults : list of Fault
    """

    def __init__(self, where: str, faults: list[Fault]) -> None:
        self.where = where
        self.faults = faults
        super().__init__(where, faults)

    def __str__(self) -> str:
        return "\n".join(f"{self.where}: {fault}" for fault in self.faults)


def _short(value: object) -> str:
    try:
        text = f'"{value}"' if isinstance(value, str) else repr(value)
    except ValueError:
        # Python writes no number of more than some thousands of digits.
        return "a number too long to show"
    if isinstance(value, bool):
        text = str(value).lower()
    # Both ends, since a path is known by its last part.
    return text if len(text) <= 80 else f"{text[:38]}...{text[-38:]}"


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the known word nearest to `word`, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"known: {', '.join(known)}" if known else ""
