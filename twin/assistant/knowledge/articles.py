"""Knowledge articles: Markdown files with front matter, taken apart into summary and steps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from twin.common.errors import Fault, ScenarioError
from twin.common.files import read_text, reason

_MAX_ARTICLES = 5_000
_MAX_BYTES = 200_000
_STEP = re.compile(r"\s*(?:\d+[.)]|[-*])\s+(.+)")
# What stands below this heading helps to find the article and is shown to nobody.
_PHRASES = re.compile(r"^##\s+customers say\s*$(.*?)(?=^#|\Z)", re.I | re.M | re.S)


@dataclass(frozen=True)
class Article:
    """A knowledge article.

    Attributes
    ----------
    slug : str
        File name without `.md`.
    title, category : str
        From the front matter; the category may be empty.
    body : str
        All text after the front matter, without the phrases.
    summary : str
        Text before the first heading: what the article is for.
    steps : tuple of str
        Items of the list under "## Steps", else of the first list, else the paragraphs.
    closing : str
        Text of the sections after the steps, without headings.
    phrases : tuple of str
        Items under "## Customers say": the problem in customers' words. They are for retrieval
        only: neither answers, nor prompts, nor the judge see them.
    """

    slug: str
    title: str
    category: str
    body: str
    summary: str
    steps: tuple[str, ...]
    closing: str
    phrases: tuple[str, ...] = ()


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    head, *lines = text.splitlines()
    if head.strip() != "---" or "---" not in (ends := [line.strip() for line in lines]):
        raise ValueError('must begin with front matter: "---", title: ..., category: ..., "---"')
    end = ends.index("---")
    keys: dict[str, str] = {}
    for line in lines[:end]:
        key, _, value = line.partition(":")
        keys[key.strip().lower()] = value.strip().strip("\"'").strip()
    return keys, "\n".join(lines[end + 1 :]).strip()


def _items(lines: list[str]) -> list[str]:
    """Items of the first list; lines that follow an item belong to it until a blank line."""
    items: list[str] = []
    for line in lines:
        match = _STEP.match(line)
        if match:
            items.append(match[1].strip())
        elif items and line.strip():
            items[-1] += " " + line.strip()
        elif items:
            break
    return items


def _parse(slug: str, text: str) -> Article:
    keys, body = _front_matter(text)
    if not keys.get("title"):
        raise ValueError("has no title in its front matter")
    said = _PHRASES.search(body)
    phrases = tuple(_items(said[1].strip().splitlines())) if said else ()
    body = _PHRASES.sub("", body).strip()
    if not body:
        raise ValueError("has no text after its front matter")
    sections: list[tuple[str, list[str]]] = [("", [])]
    for line in body.splitlines():
        if line.startswith("#"):
            sections.append((line.strip("# ").lower(), []))
        else:
            sections[-1][1].append(line)
    listed = [(name, _items(lines)) for name, lines in sections]
    chosen = next((k for k, (name, steps) in enumerate(listed) if name == "steps" and steps), None)
    if chosen is None:
        chosen = next((k for k, (_, steps) in enumerate(listed) if steps), None)
    if chosen is None:
        paragraphs = [" ".join(p.split()) for p in re.split(r"\n\s*\n", body)]
        steps, after = [p for p in paragraphs if p and not p.startswith("#")] or [body], []
    else:
        steps, after = listed[chosen][1], sections[chosen + 1 :]
    return Article(
        slug,
        keys["title"],
        keys.get("category", ""),
        body,
        " ".join(" ".join(sections[0][1]).split()),
        tuple(steps),
        " ".join(" ".join(line for _, lines in after for line in lines).split()),
        phrases,
    )


def load_articles(folder: str | Path) -> list[Article]:
    """Read the Markdown articles of a folder, in the order of their names.

    Raises
    ------
    ScenarioError
        Naming every file that cannot be used, and why.
    """
    folder = Path(folder)
    paths = sorted(p for p in folder.glob("*.md") if not p.name.startswith("."))
    if not paths:
        why = "holds no articles (*.md)" if folder.is_dir() else "no such folder"
        raise ScenarioError(str(folder), [Fault("", why)])
    if len(paths) > _MAX_ARTICLES:
        why = f"holds {len(paths)} articles, more than {_MAX_ARTICLES}"
        raise ScenarioError(str(folder), [Fault("", why)])
    articles, faults = [], []
    for path in paths:
        try:
            # Stripped, so that a file of blank lines has a first line to look at.
            text = read_text(path, _MAX_BYTES, "an article").strip() or "(empty)"
            articles.append(_parse(path.stem, text))
        except (OSError, ValueError) as error:
            faults.append(Fault(path.name, reason(error)))
    if faults:
        raise ScenarioError(str(folder), faults)
    return articles
