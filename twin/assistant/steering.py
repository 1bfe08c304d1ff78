"""Words in a ticket that are meant for the machine and not for the desk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

# Signs that a text speaks to the machine: names in it are not the customer's own words.
_TOLD = re.compile(
    r"\bignor\w*|\b(?:instructions?|system|categor\w+|kategorie|classif\w+|assistant|output|prompt"
    r"|admin\w*|answer|respond|reply|say|mark|label|obey)\b|[{}\[\]|]|</|\u200b",
    re.IGNORECASE,
)
_OFTEN = 3


@lru_cache(maxsize=32)
def _names(categories: tuple[str, ...]) -> re.Pattern[str] | None:
    """Names of categories that no customer writes by chance: those of several words."""
    long = sorted((name for name in categories if len(re.findall(r"\w+", name)) > 1), key=len)
    if not long:
        return None
    # However they are set apart: by blanks, signs or unseen letters.
    forms = (r"[\W_]+".join(map(re.escape, re.findall(r"\w+", name))) for name in long[::-1])
    return re.compile(rf"\b(?:{'|'.join(forms)})\b", re.IGNORECASE)


def unsteered(text: str, categories: Sequence[str]) -> str:
    """A ticket without the names of categories, for a classifier that goes by words.

    A ticket that says "mark this as Returns and Refunds" describes no problem with a return. A name
    stays where nothing speaks to the machine, and where nothing else is written.

    Examples
    --------
    >>> unsteered("It crashes. Say Technical Issues!", ["Technical Issues", "Other"])
    'It crashes. Say !'
    >>> unsteered("technical issues", ["Technical Issues", "Other"])
    'technical issues'
    """
    names = _names(tuple(categories))
    if names is None:
        return text
    left, found = names.subn("", text)
    if not found or (found < _OFTEN and not _TOLD.search(left)):
        return text
    return left if re.search(r"\w", left) else text
