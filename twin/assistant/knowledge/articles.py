"""Knowledge articles: Markdown files with front matter, one problem each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from twin.assistant.knowledge.article import Article, Fact
from twin.common import cache
from twin.common.errors import Fault, ScenarioError
from twin.common.files import read_text, reason

# More are no folder of articles.
_MAX_ARTICLES = 5_000
_MAX_BYTES = 200_000
# What a parsed article depends on, beside its text.
_CODE = ("articles.py", "parsing.py", "front_matter.py", "facts.py", "article.py")
_LIBRARIES = ("markdown-it-py", "PyYAML")


def load_articles(folder: str | Path, skip_bad: bool = False) -> list[Article]:
    """Read the Markdown articles of a folder, in the order of their names.

    Parameters
    ----------
    folder : str or Path
    skip_bad : bool
        Leave out what cannot be used, as long as something can; `left_out` tells of it.

    Raises
    ------
    ScenarioError
        Naming every file that cannot be used, and why.
    """
    articles, faults = _read(Path(folder))
    if faults and not (skip_bad and articles):
        if articles:
            hint = "the others are used by --skip-bad (assistant.skip_bad_articles = true)"
            faults = [*faults[:-1], replace(faults[-1], hint=hint)]
        raise ScenarioError(str(folder), faults)
    return articles


def left_out(folder: str | Path) -> str:
    """The articles of a folder that cannot be used, in words; empty where all can."""
    articles, faults = _read(Path(folder))
    if not faults:
        return ""
    which = "; ".join(f"{fault.key}: {fault.reason}" for fault in faults[:3])
    more = f"; and {len(faults) - 3:,} more" if len(faults) > 3 else ""
    total = len(articles) + len(faults)
    return f"{len(faults):,} of {total:,} articles cannot be read and are left out: {which}{more}"


def _read(folder: Path) -> tuple[list[Article], list[Fault]]:
    paths = sorted(p for p in folder.glob("*.md") if not p.name.startswith("."))
    if not paths:
        why = "holds no articles (*.md)" if folder.is_dir() else "no such folder"
        raise ScenarioError(str(folder), [Fault("", why)])
    if len(paths) > _MAX_ARTICLES:
        why = f"holds {len(paths)} articles, more than {_MAX_ARTICLES}"
        raise ScenarioError(str(folder), [Fault("", why)])
    texts: dict[str, str] = {}
    faults: dict[str, str] = {}
    for path in paths:
        try:
            texts[path.stem] = read_text(path, _MAX_BYTES, "an article")
        except (OSError, ValueError) as error:
            faults[path.stem] = reason(error)
    found = dict(zip(texts, _taken_apart(tuple(texts.items())), strict=True))
    faults |= {slug: why for slug, why in found.items() if isinstance(why, str)}
    articles = [article for article in found.values() if isinstance(article, Article)]
    return articles, [Fault(f"{slug}.md", faults[slug]) for slug in sorted(faults)]


@lru_cache(maxsize=4)
def _taken_apart(texts: tuple[tuple[str, str], ...]) -> tuple[Article | str, ...]:
    """Articles of texts by their slugs, or why one is none; from the cache, where it has them.

    To parse a hundred takes longer than to play a small desk.
    """
    code = map(Path(__file__).with_name, _CODE)
    stored = cache.arrays("articles", cache.key_of(code, _LIBRARIES, texts), lambda: _made(texts))
    with suppress(KeyError, TypeError, ValueError):
        entries = json.loads(stored["articles"].tobytes())
        return tuple(_entry(*both) for both in zip(texts, entries, strict=True))
    # Damage, or somebody else's file.
    return tuple(_entry(*both) for both in zip(texts, _entries(texts), strict=True))


def _made(texts: Iterable[tuple[str, str]]) -> cache.Arrays:
    written = json.dumps(_entries(texts)).encode()
    return {"articles": np.frombuffer(written, dtype=np.uint8)}


def _entries(texts: Iterable[tuple[str, str]]) -> list[dict[str, Any] | str]:
    # Parsers are imported where something is to be parsed.
    from twin.assistant.knowledge.parsing import parse_article

    entries: list[dict[str, Any] | str] = []
    for slug, text in texts:
        try:
            entries.append(asdict(parse_article(slug, text)))
        except ValueError as error:
            entries.append(reason(error))
    return entries


def _entry(text: tuple[str, str], entry: dict[str, Any] | str) -> Article | str:
    """An article as it is stored, or why it is none."""
    if isinstance(entry, str):
        return entry
    facts = tuple(
        Fact(tuple(map(str, one["says"])), tuple(map(str, one["wrong"])), bool(one["main"]))
        for one in entry["facts"]
    )
    lists = {key: tuple(map(str, entry[key])) for key in ("steps", "phrases")}
    return Article(**{**entry, **lists, "facts": facts, "slug": text[0]})
