"""The protocol of all help desks, and the neutral forms that connectors give and take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, Literal, Protocol, TypeVar

from twin.live.connectors.wire import ChangedThere
from twin.scenario.model import Priority

# A position in a help desk's stream of changes: plain JSON, which only its connector reads.
Place = Mapping[str, Any]
# Of a ticket in the help desk. Gone: deleted, or spam.
Stage = Literal["new", "open", "closed", "gone"]
Item = TypeVar("Item")
# Longest text that is taken from a ticket, and sent to it.
MOST_CHARACTERS = 8_000


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Items of a stream, and the place behind them; `done` where nothing follows for now."""

    items: Sequence[Item]
    place: Place
    done: bool


@dataclass(frozen=True)
class Remote:
    """A ticket as its help desk has it now.

    Attributes
    ----------
    id : str
    created, updated : float
        Seconds since 1970.
    stage : Stage
    priority : Priority or None
        None where nobody set one.
    rating : int or None
        Stars, 1 to 5.
    """

    id: str
    created: float
    updated: float
    stage: Stage
    priority: Priority | None = None
    rating: int | None = None


@dataclass(frozen=True)
class Said:
    """A message of a ticket's thread; `marker` is that of the twin's own ones."""

    id: str
    at: float
    by: Literal["customer", "desk"]
    text: str
    public: bool = True
    marker: str = ""


@dataclass(frozen=True)
class Writing:
    """A message to be written to a ticket, with all that goes along with it.

    Attributes
    ----------
    text : str
    public : bool
        True if the customer gets it.
    marker : str
        By which it is found again.
    category : str
    priority : Priority or None
        Set only where nobody has set one.
    waits : bool
        True if the ticket waits for its customer once this is written.
    seen : float or None
        When the ticket had changed last, as the writer saw it: it must not have changed since.
    """

    text: str
    public: bool
    marker: str
    category: str = ""
    priority: Priority | None = None
    waits: bool = False
    seen: float | None = None

    def check(self, updated: float) -> None:
        """See that nobody changed the ticket since it was seen.

        Raises
        ------
        ChangedThere
        """
        if self.seen is not None and updated != self.seen:
            raise ChangedThere("somebody changed the ticket meanwhile")


@dataclass(frozen=True)
class Rules:
    """Settings of a connection.

    Attributes
    ----------
    category_field, rating_field : str
        Fields of the help desk; empty: not used.
    queue : str
        Only tickets of it (RT).
    """

    category_field: str = ""
    rating_field: str = ""
    queue: str = ""


class Source(Protocol):
    """A help desk whose history can be pulled."""

    def export(self, place: Place, since: float, texts: bool) -> Page[dict[str, Any]]:
        """The next part of the history: objects of the tool, with their "kind"."""


class HelpDesk(Source, Protocol):
    """A help desk whose tickets can be answered."""

    def changed(self, place: Place, since: float) -> Page[Remote]:
        """Tickets that were created or changed behind a place; some may come again."""

    def ticket(self, ticket: str) -> Remote:
        """A ticket as it is now."""

    def opening(self, ticket: str) -> str:
        """Subject and text of the customer, as it was filed."""

    def thread(self, ticket: str) -> Sequence[Said]:
        """All messages of a ticket, the customer's first one at the head."""

    def write(self, ticket: str, writing: Writing) -> None:
        """Write a message, once.

        Where it ends with `Unclear`, the message may be there, and has its marker then; with any
        other error it is not.
        """


@dataclass
class Exported:
    """Objects of a tool's export by kind and number, the newest of each."""

    kinds: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def add(self, item: dict[str, Any]) -> bool:
        """Take an object; one of the same number gives way. True if it says anything new."""
        kept = dict(item)
        kind = self.kinds.setdefault(kept.pop("kind"), {})
        number = str(kept["id"])
        known = kind.get(number)
        kind[number] = kept
        return known != kept


def seconds(text: Any) -> float:
    """A moment of ISO 8601 as seconds since 1970; 0 where it is none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return 0.0
    return found.replace(tzinfo=found.tzinfo or UTC).timestamp()


def iso(moment: float) -> str:
    """Seconds since 1970 as a moment of ISO 8601 in whole seconds."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def picked(item: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The wanted fields of an object: nothing else of a customer goes to the disk."""
    return {name: item[name] for name in names if item.get(name) is not None}
