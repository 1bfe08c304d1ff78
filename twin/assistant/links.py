"""Links in answers: only those of the knowledge base are sent on.

A ticket may talk a model into a link, an address or a number of its own choice; what a customer
gets comes in the desk's name. So links and mail addresses of hosts that no article names are taken
out of what a model wrote.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from twin.assistant.knowledge.article import Article
from twin.assistant.knowledge.knowledge import Knowledge

REMOVED = "[link removed]"

_END = r"[^\s<>\"'`)\]}|\\^]"
# Endings that programs make a link of without being asked; any other name needs a path.
_TOPS = (
    "com|net|org|info|biz|io|co|app|dev|shop|store|site|online|link|click|live|me|xyz|top|tk|ru|cn|"
    "de|uk|eu|fr|nl|it|es|pl|us|in|br|ai|ly|gl|example|test|invalid|onion|zip|mov"
)
_NAME = r"(?:[^\W_](?:[\w-]{0,62})\.){1,8}"
_LINK = re.compile(
    rf"(?:[a-z][a-z0-9+.-]{{1,20}}://|(?:mailto|tel|sms|javascript|data|file):){_END}{{1,2000}}"
    rf"|[\w.+-]{{1,64}}@{_NAME}[^\W\d_]{{2,24}}"
    rf"|(?<![\w@])(?:www\.{_END}{{1,2000}}|{_NAME}(?:(?:{_TOPS})(?![\w-])(?:[/?#:]{_END}{{0,2000}})?"
    rf"|[^\W\d_]{{2,24}}/{_END}{{1,2000}}))",
    re.IGNORECASE,
)
_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*://|mailto:)?(?:[^/?#@]*@)?([^/?#:]+)", re.IGNORECASE)
# Seen by nobody, and kept apart from a name by no reader: ZERO WIDTH SPACE and its like.
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
# Signs without which there is no link.
_MAY_HOLD = re.compile("[.:@\u3002\uff0e\uff61\uff1a\uff20]")


def _host(link: str) -> str:
    found = _HOST.match(link.strip(".,;:!?"))
    return found[1].lower().removeprefix("www.").strip(".") if found else ""


def hosts_of(texts: Iterable[str]) -> frozenset[str]:
    """Hosts of all links and mail addresses in texts."""
    return frozenset(_host(link) for text in texts for link in _LINK.findall(_shown(text)))


@lru_cache(maxsize=8)
def own_hosts(knowledge: Knowledge | None) -> frozenset[str]:
    """Hosts that the articles of a knowledge base name."""
    if knowledge is None:
        return frozenset()
    return hosts_of(text for article in knowledge.articles.values() for text in _of(article))


def _of(article: Article) -> tuple[str, str]:
    return article.title, article.body


def _shown(text: str) -> str:
    """A text as a mail program reads it: full-width letters and dots are plain ones."""
    return unicodedata.normalize("NFKC", _UNSEEN.sub("", text)).replace("\u3002", ".")


def without_foreign(answer: str, own: frozenset[str]) -> str:
    """An answer with each link of another host replaced; one without such is as it was.

    Examples
    --------
    >>> without_foreign("Log in at https://evil.example/login, please.", frozenset())
    'Log in at [link removed], please.'
    >>> without_foreign("See www.larkfield.example/help.", frozenset({"larkfield.example"}))
    'See www.larkfield.example/help.'
    """
    if not _MAY_HOLD.search(answer):
        return answer
    shown = _shown(answer)

    def kept(found: re.Match[str]) -> str:
        link = found[0]
        end = len(link.rstrip(".,;:!?"))
        return link if _host(link) in own else REMOVED + link[end:]

    said = _LINK.sub(kept, shown)
    return answer if said == shown else said
