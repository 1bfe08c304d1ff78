"""Guesses of what a desk's own statuses stand for, by their names and by what follows them."""

from __future__ import annotations

import re
from typing import NamedTuple

# In order: the first that fits counts. Words of ServiceNow, Jira, Zendesk, Freshdesk, Zoho, HubSpot
# and of two public logs; the rest is assumed.
_WORDS: tuple[tuple[str, str], ...] = (
    (r"re-?open", "Reopened"),
    (r"(await|wait|pend|hold|need|request).*(vendor|third|3rd|supplier|partner|problem|change|"
     r"internal|dev|eng|part)", "On hold"),
    (r"(await|wait|pend|hold|need|request).*(user|customer|client|caller|requester|requestor|"
     r"contact|info|evidence|reply|response|you|us\b)", "Waiting for customer"),
    (r"on.?hold|hold\b|suspend|paused|deferred|blocked", "On hold"),
    (r"review|approv|sign.?off", "Pending Review"),
    (r"wait|pending|await", "Waiting for customer"),
    (r"closed?\b|done|complete|cancel|withdrawn|reject|invalid|duplicate|spam|verified|deleted",
     "Closed"),
    (r"resol|solved?\b|fixed|answered", "Resolved"),
    (r"escalat|hand(ed)?.?over|reassign|re-assign|transfer|forward|anomaly|specialist|2nd|second",
     "Escalated"),
    (r"progress|active|working|take.?in.?charge|in.?charge|started|open(ed)? by|investigat|diagnos|"
     r"schedul", "In Progress"),
    (r"assign|triage|categor|classif|serious|prioriti|qualif", "Categorized"),
    (r"new|open|creat|insert|submit|regist|logged|received|backlog|to.?do", "Open"),
)  # fmt: skip


class Guess(NamedTuple):
    """The twin's status that a desk's own stands for.

    Attributes
    ----------
    core : str
    reason : str
    assumed : bool
        Whether neither its name nor what follows it tells.
    """

    core: str
    reason: str
    assumed: bool = False


def guess(name: str, final: bool, given: str | None = None) -> Guess:
    """Guess what a status stands for.

    Parameters
    ----------
    name : str
    final : bool
        Whether tickets hardly ever leave it.
    given : str, optional
        The twin's status that somebody says it stands for.

    Examples
    --------
    >>> guess("Awaiting User Info", final=False).core, guess("Closed", final=False).core
    ('Waiting for customer', 'Resolved')
    """
    words = re.sub(r"[_\-.]+", " ", name.lower())
    core = given or next((core for pattern, core in _WORDS if re.search(pattern, words)), None)
    said = "given" if given else "its name"
    if final:
        # A ticket that rests there is over, whatever the word.
        known = core in ("Closed", "Resolved", "Abandoned")
        return Guess(core, said) if core and known else Guess("Closed", "nothing follows it")
    if core in ("Closed", "Abandoned"):
        # These are final for the twin, and from here tickets go on.
        return Guess("Resolved", f"{said}, though tickets come back from it")
    if core is None:
        return Guess("In Progress", "its name does not say what it stands for", True)
    return Guess(core, said)
