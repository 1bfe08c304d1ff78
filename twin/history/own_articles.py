"""Articles of a desk's own help centre, as the twin reads them: Markdown with front matter.

They come from a folder (Markdown, HTML, plain text) or from a help centre's export (JSON). What
others wrote is data: markup is dropped, and no link, picture or script is followed.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.assistant.knowledge.article import Fact
from twin.assistant.knowledge.facts import as_yaml
from twin.assistant.knowledge.front_matter import front_matter
from twin.assistant.knowledge.parsing import parse_article
from twin.common.errors import Fault, ScenarioError
from twin.common.files import read_json, read_text, reason
from twin.common.markup import as_markdown, is_html, unmarked
from twin.common.tables import same_form, shown_cell

_ENDINGS = (".md", ".markdown", ".html", ".htm", ".txt")
_MOST = 5_000
_MOST_BYTES = 200_000
_LONGEST_SLUG, _LONGEST_TITLE = 60, 200
_HEADING = re.compile(r"\s*#{1,6}[ \t]+(.+?)[ \t#]*\n")


@dataclass(frozen=True)
class OwnArticle:
    """An article of a help centre.

    Attributes
    ----------
    slug : str
        Name of its file, without its ending.
    title, category : str
        The category is empty where none is told.
    text : str
        The file: front matter and Markdown.
    """

    slug: str
    title: str
    category: str
    text: str


@dataclass(frozen=True)
class Articles:
    """Articles that were found, and what was left out.

    Attributes
    ----------
    found : tuple of OwnArticle
    notes : tuple of str
    """

    found: tuple[OwnArticle, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Page:
    """An article as somebody wrote it."""

    name: str
    title: str
    category: str
    body: str
    facts: tuple[Fact, ...] = ()


def read_articles(source: str | Path, categories: Sequence[str] = ()) -> Articles:
    """Read articles of a folder, or of a help centre's export in JSON.

    Parameters
    ----------
    source : str or Path
        A folder with files .md, .html or .txt, in folders or not; or JSON with a list "articles",
        each with title and body (as Zendesk's help centre gives them).
    categories : sequence of str
        Those of the tickets: an article's section is written as they are, where only blanks or
        capitals differ.

    Raises
    ------
    ScenarioError
        If there are none, or none can be used.
    """
    source, notes = Path(source), list[str]()
    pages = list(_of_folder(source, notes) if source.is_dir() else _of_export(source, notes))
    if len(pages) > _MOST:
        raise _fault(source, f"holds {len(pages):,} articles, more than {_MOST:,}")
    forms = {same_form(name).casefold(): name for name in categories}
    found, blank, taken = list[OwnArticle](), 0, set[str]()
    for page in pages:
        section = unmarked(page.category)
        category = forms.get(same_form(section).casefold(), section)
        text = _whole(page.title, category, page.body, page.facts)
        slug = _slug(page.name, taken)
        try:
            parse_article(slug, text)
        except ValueError:
            blank += 1
            continue
        taken.add(slug)
        found.append(OwnArticle(slug, page.title, category, text))
    if blank:
        notes.append(f"{blank:,} articles without a title or without words are left out.")
    if not found:
        raise _fault(source, "holds no article with a title and words")
    return Articles(tuple(found), tuple(notes))


def _fault(where: Path, why: str, hint: str = "") -> ScenarioError:
    return ScenarioError(str(where), [Fault("", why, hint=hint)])


def _of_folder(folder: Path, notes: list[str]) -> Iterator[_Page]:
    """Pages of a folder and those in it; the name of an inner folder is the category."""
    paths = sorted(
        path for path in folder.rglob("*")
        if path.suffix.lower() in _ENDINGS and path.is_file() and not path.is_symlink()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )  # fmt: skip
    if not paths:
        raise _fault(folder, f"holds no articles ({', '.join(_ENDINGS)})")
    bad = []
    for path in paths:
        inner = path.relative_to(folder)
        section = inner.parts[-2] if len(inner.parts) > 1 else ""
        try:
            text = read_text(path, _MOST_BYTES, "an article")
            yield _page(inner, section, text)
        except (OSError, ValueError) as error:
            why = reason(error)
            bad.append(f"{shown_cell(inner.as_posix())}: {why}")
    if bad:
        more = f"; and {len(bad) - 3:,} more" if len(bad) > 3 else ""
        notes.append(f"{len(bad):,} files cannot be read and are left out: "
                     f"{'; '.join(bad[:3])}{more}.")  # fmt: skip


def _page(path: Path, section: str, text: str) -> _Page:
    name = path.with_suffix("").as_posix()
    if text.lstrip().startswith("---\n"):
        # The twin's own form: as it stands, but for markup within.
        matter, body = front_matter(text)
        own = matter.category or section
        return _Page(name, matter.title, own, _safe(body), matter.facts)
    if path.suffix.lower() in (".html", ".htm") or (
        path.suffix.lower() == ".txt" and is_html(text)
    ):
        title, body = as_markdown(text)
        return _Page(name, title or _spoken(path.stem), section, body)
    heading = _HEADING.match(text + "\n")
    if heading is not None:
        return _Page(name, heading[1], section, _safe(text[heading.end() :]))
    if path.suffix.lower() == ".txt":
        first, _, rest = text.strip().partition("\n")
        return _Page(name, first, section, _paragraphs(rest if rest.strip() else first))
    return _Page(name, _spoken(path.stem), section, _safe(text))


def _of_export(path: Path, notes: list[str]) -> Iterator[_Page]:
    """Pages of a help centre's export: JSON with articles, and sections where they are told."""
    try:
        data = read_json(path, "a help centre's export")
    except (OSError, ValueError) as error:
        hint = 'give a folder of articles, or JSON with a list "articles"'
        raise _fault(path, reason(error), hint) from None
    rows = data.get("articles") if isinstance(data, dict) else data
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _fault(path, 'holds no list "articles"')
    if not rows:
        raise _fault(path, 'its list "articles" is empty')
    sections = _names(data.get("sections")) if isinstance(data, dict) else {}
    count = len(rows)
    rows = [row for row in rows if not (row.get("draft") is True or row.get("outdated") is True)]
    if len(rows) < count:
        notes.append(f"{count - len(rows):,} drafts and outdated articles are left out.")
    told = Counter(str(row["locale"]) for row in rows if row.get("locale"))
    if len(told) > 1:
        locale = told.most_common(1)[0][0]
        count = len(rows)
        rows = [row for row in rows if not row.get("locale") or str(row["locale"]) == locale]
        notes.append(f"Articles in {shown_cell(locale)} are taken; {count - len(rows):,} in other "
                     "languages are left out.")  # fmt: skip
    large = 0
    for row in rows:
        title, body = (row.get(key) if isinstance(row.get(key), str) else "" for key in (
            "title", "body"))  # fmt: skip
        if len(str(body)) > 5 * _MOST_BYTES:
            large += 1
            continue
        section = sections.get(row.get("section_id"), "")
        name = f"{row.get('id', '')}-{title}" if isinstance(row.get("id"), int) else str(title)
        yield _Page(name, " ".join(str(title).split()), section, as_markdown(str(body))[1])
    if large:
        notes.append(
            f"{large:,} articles of more than {5 * _MOST_BYTES:,} characters are left out."
        )


def _names(rows: Any) -> dict[Any, str]:
    rows = rows if isinstance(rows, list) else []
    return {
        row["id"]: row["name"]
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("id"), int | str)
        and isinstance(row.get("name"), str)
    }  # fmt: skip


def _whole(title: str, category: str, body: str, facts: tuple[Fact, ...]) -> str:
    """An article with its front matter; JSON's texts are YAML's, too."""
    lines = [f"title: {json.dumps(unmarked(title)[:_LONGEST_TITLE], ensure_ascii=False)}"]
    if category:
        lines.append(f"category: {json.dumps(category, ensure_ascii=False)}")
    lines += as_yaml(facts).splitlines()
    return "\n".join(["---", *lines, "---", body.strip(), ""])


def _safe(body: str) -> str:
    """Markdown without HTML in it."""
    return re.sub(r"<!--.*?(?:-->|$)|</?[A-Za-z][^<>]*>|<!(?=-)", "", body, flags=re.DOTALL)


def _paragraphs(text: str) -> str:
    return "\n\n".join(unmarked(line) for line in text.splitlines() if line.strip())


def _spoken(stem: str) -> str:
    return " ".join(re.split(r"[-_\s]+", stem)).strip().capitalize()


def _slug(name: str, taken: Iterable[str]) -> str:
    """Name of a file: letters and digits, another for each article."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    base = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:_LONGEST_SLUG].strip("-")
    # Devices of Windows have names of up to four letters.
    base = base if len(base) > 4 else f"article-{base}".rstrip("-")
    slug, number = base, 2
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    return slug
