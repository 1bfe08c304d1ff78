"""Masks over what names a customer in a text: mail addresses, links, long numbers, names.

Names with a capital are found where they are said to be names (a greeting, a signature, "my name
is"); one in the middle of a sentence is not.
"""

from __future__ import annotations

import re

MAIL, LINK, NUMBER, NAME = "(mail address)", "(link)", "(number)", "(name)"

_MAIL = re.compile(r"[^\s@<>,;()]{1,64}@[^\s@<>,;()]{1,190}\.[A-Za-z]{2,}")
_LINK = re.compile(r"\b(?:https?://|www\.)[^\s<>\"')\]]+", re.I)
# Five digits and more, however they are parted; and codes that mix letters and digits.
_NUMBER = re.compile(r"(?<![^\W_])[+(]?\d(?:[ \-./()]{0,2}\d){4,}(?!\w)")
_CODE = re.compile(r"\b(?=[A-Za-z-]*\d[A-Za-z-]*\d[A-Za-z-]*\d)[A-Za-z0-9][A-Za-z0-9-]{4,}\b")
# With a capital; words of a sentence that goes on would be masked, too.
_WORD = r"[A-ZÀ-ÖØ-Þ][\w'’.-]*"
_PERSON = rf"{_WORD}(?:[ \t]+(?:(?:and|und|et|e|y|&)[ \t]+)?{_WORD}){{0,5}}"
_GREETING = re.compile(
    r"(?m)^([ \t]*(?i:hi|hello|hey|dear|good (?:morning|afternoon|evening)|hallo|guten tag|"
    r"liebe[rs]?|sehr geehrte[rs]?|bonjour|cher|chère|ciao|buongiorno|gentile|hola|estimad[oa])"
    rf"[ \t,]+)(?:{_PERSON}(?=[ \t]*(?:[,!.:–-]|$))|[^\W\d_]+(?=[ \t]*(?:,|$)))"
)
_SIGNED = re.compile(
    r"(?m)^([ \t]*(?i:(?:(?:best|kind|warm|many|with best)[ \t]+)?(?:regards|wishes|thanks)|"
    r"thank you|cheers|sincerely|yours(?: \w+)?|mit freundlichen grü(?:ß|ss)en|"
    r"viele grü(?:ß|ss)e|gru(?:ß|ss)|cordialement|cordiali saluti|saludos)"
    r"[ \t]*[,.!-]*[ \t]*\n)[ \t]*"
    rf"{_PERSON}(?=(?:[ \t,|-]*\((?:mail address|number|link)\))*[ \t]*$)"
)
_CALLED = re.compile(
    r"(?i:\b(my name is|my name's|this is|i am called|ich hei(?:ß|ss)e|mein name ist|"
    r"je m'appelle|mi chiamo|me llamo))[ \t]+[A-ZÀ-Ý][\w'’-]+(?:[ \t]+[A-ZÀ-Ý][\w'’-]+){0,2}"
)


def masked(text: str) -> str:
    r"""Return a text with masks over mail addresses, links, long numbers and names.

    Examples
    --------
    >>> masked("Hi Anna,\nmy order 4711-0815-42 is late, mail jo@example.org\nRegards,\nJo Smith")
    'Hi (name),\nmy order (number) is late, mail (mail address)\nRegards,\n(name)'
    >>> masked("Error 404 after 3 days, see https://example.org/x?user=jo")
    'Error 404 after 3 days, see (link)'
    """
    for pattern, mask in ((_LINK, LINK), (_MAIL, MAIL), (_NUMBER, NUMBER), (_CODE, NUMBER)):
        text = pattern.sub(mask, text)
    text = _GREETING.sub(rf"\1{NAME}", text)
    text = _SIGNED.sub(rf"\1{NAME}", text)
    return _CALLED.sub(rf"\1 {NAME}", text)
