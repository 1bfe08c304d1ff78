"""Answers of models as text that can be shown, kept and sent on: the one place that cleans them.

It is applied where answers are read (off the wire, out of a recording) and to answers in the words
of articles, so that a run, its replay and the live desk see the same.
"""

from __future__ import annotations

import re

# No database and no file in UTF-8 can hold them; JSON can write them as \u0000 and \ud800.
_IMPOSSIBLE = re.compile("[\x00\ud800-\udfff]")
# How models that think first mark their thoughts, where their server does not take them out.
_TAG = re.compile(r"<(/?)think(?:ing)?\s{0,9}>", re.IGNORECASE)


def clean(answer: str) -> str:
    """The answer without thoughts, and with U+FFFD in place of what is no text.

    An answer that was cut within its thoughts is empty.

    Examples
    --------
    >>> clean("<think>Which card?</think>Try another card.")
    'Try another card.'
    >>> clean("<think>The customer wants")
    ''
    """
    return _IMPOSSIBLE.sub("\ufffd", _without_thoughts(answer))


def _without_thoughts(answer: str) -> str:
    kept: list[str] = []
    begin, thinking = 0, False
    for tag in _TAG.finditer(answer):
        if not tag[1]:
            if not thinking:
                kept.append(answer[begin : tag.start()])
            thinking = True
            continue
        if not thinking:
            # Their beginning stood in the prompt, as some templates of prompts have it.
            kept.clear()
        begin, thinking = tag.end(), False
    return "" if thinking else "".join(kept) + answer[begin:]
