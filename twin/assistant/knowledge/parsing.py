"""Text of an article's file, taken apart into summary, steps and what customers say.

Markdown is read by a CommonMark parser and front matter by a YAML parser, so that an article means
here what it means to whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from twin.assistant.knowledge.article import Article
from twin.assistant.knowledge.front_matter import front_matter

# Articles that are kept: those of a folder.
_KEPT = 5_000
# What stands below this heading helps to find the article and is shown to nobody.
_PHRASES, _STEPS = "customers say", "steps"
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_OPEN = "<!--"
_MARKDOWN = MarkdownIt("commonmark")


@dataclass(frozen=True)
class _Block:
    """A block of Markdown at the top level: its tokens and its lines."""

    tokens: list[Token]
    start: int
    end: int

    @property
    def kind(self) -> str:
        return str(self.tokens[0].type)

    @property
    def level(self) -> int:
        """Level of a heading, 1 is the highest; 0 of all else."""
        return int(self.tokens[0].tag[1:]) if self.kind == "heading_open" else 0

    @property
    def heading(self) -> str:
        """Text of a heading as it is compared: "## **Steps:**" is "steps"."""
        return _inline(self.tokens).strip("#*_: ").lower()

    @property
    def comment(self) -> bool:
        return self.kind == "html_block" and not _seen(self.tokens[0].content).strip()


def _blocks(body: str) -> list[_Block]:
    """The blocks of a text."""
    found: list[_Block] = []
    tokens: list[Token] = []
    for token in _MARKDOWN.parse(body):
        if token.type == "html_block" and _OPEN in _seen(token.content):
            raise ValueError("a comment (<!--) is never closed")
        tokens.append(token)
        if token.level == 0 and token.nesting <= 0:
            start, end = tokens[0].map or (0, 0)
            found.append(_Block(tokens, start, end))
            tokens = []
    return found


def _seen(text: str) -> str:
    """A text without its comments."""
    return _COMMENT.sub("", text)


def _has_html(token: Token) -> bool:
    """True if a token holds HTML, not code that shows some."""
    return token.type.startswith("html_") or any(map(_has_html, token.children or ()))


def _inline(tokens: Sequence[Token]) -> str:
    """Words of tokens on one line: text as it is written, and code."""
    parts = []
    for token in tokens:
        if token.type == "inline":
            parts.append(_seen(token.content) if _has_html(token) else token.content)
        elif token.type in ("fence", "code_block"):
            parts.append(token.content)
        elif token.type == "html_block":
            parts.append(_seen(token.content))
    return " ".join(" ".join(parts).split())


def _items(block: _Block) -> list[str]:
    """Items of a list; what is nested in an item belongs to it."""
    items: list[list[Token]] = []
    for token in block.tokens:
        if token.type == "list_item_open" and token.level == 1:
            items.append([])
        elif items:
            items[-1].append(token)
    return [text for item in items if (text := _inline(item))]


def _is_list(block: _Block) -> bool:
    return block.kind in ("ordered_list_open", "bullet_list_open")


@dataclass
class _List:
    """A list of a section, and where its last block stands."""

    items: list[str]
    last: int
    # The number that would go on; None after bullets.
    following: int | None


def _lists(section: Sequence[_Block], whole: bool) -> list[_List]:
    """The lists of a section: all of them as one where it is `whole`, else where numbers go on.

    To CommonMark, code or a picture that is not indented ends a list, and the next number begins
    another one. It belongs to the step above; a line such as "On a phone:" to the step below.
    """
    found: list[_List] = []
    for at, block in enumerate(section):
        items = _items(block) if _is_list(block) else []
        if not items:
            continue
        first = block.tokens[0].attrs.get("start", 1)
        number = int(first) if block.kind == "ordered_list_open" else None
        following = None if number is None else number + len(items)
        if found and (whole or (number is not None and number == found[-1].following)):
            last = found[-1]
            between = (_inline(other.tokens) for other in section[last.last + 1 : at])
            for text in filter(None, between):
                if text.endswith(":"):
                    items[0] = f"{text} {items[0]}"
                else:
                    last.items[-1] += f" {text}"
            last.items += items
            last.last, last.following = at, following
        else:
            found.append(_List(items, at, following))
    return found


def _sections(blocks: Sequence[_Block]) -> Iterator[tuple[str, list[_Block]]]:
    """Headings with the blocks below each; "" is the part above the first one."""
    name, below = "", list[_Block]()
    for block in blocks:
        if block.level:
            yield name, below
            name, below = block.heading, []
        else:
            below.append(block)
    yield name, below


def _apart(blocks: Sequence[_Block]) -> tuple[list[_Block], list[_Block]]:
    """The blocks that are shown, and those below the headings of phrases; without comments."""
    shown: list[_Block] = []
    hidden: list[_Block] = []
    within = 0
    for block in blocks:
        if block.comment:
            continue
        if block.level and (not within or block.level <= within):
            within = block.level if block.heading == _PHRASES else 0
        (hidden if within else shown).append(block)
    return shown, hidden


def _phrases(hidden: Sequence[_Block]) -> tuple[str, ...]:
    """Items of all lists; without a list its paragraphs."""
    below = [block for block in hidden if not block.level]
    items = [item for block in below if _is_list(block) for item in _items(block)]
    return tuple(items or filter(None, (_inline(block.tokens) for block in below)))


def _source(blocks: Sequence[_Block], lines: Sequence[str]) -> str:
    """Blocks as they are written, on one line."""
    return " ".join(_text(blocks, lines).split())


def _text(blocks: Sequence[_Block], lines: Sequence[str]) -> str:
    """Blocks as they are written, without comments."""
    parts = []
    for block in blocks:
        written = "\n".join(lines[block.start : block.end])
        parts.append(_seen(written) if any(map(_has_html, block.tokens)) else written)
    return "\n".join(parts)


@lru_cache(maxsize=_KEPT)
def parse_article(slug: str, text: str) -> Article:
    """An article from the text of its file.

    Raises
    ------
    ValueError
        If it has no front matter with a title, or no text after it.
    """
    matter, written = front_matter(text)
    if not matter.title:
        raise ValueError("has no title in its front matter")
    lines = written.split("\n")
    blocks = _blocks(written)
    shown, hidden = _apart(blocks)
    if not shown:
        raise ValueError("has no text after its front matter")
    sections = list(_sections(shown))
    listed = [(name, _lists(below, name == _STEPS)) for name, below in sections]
    chosen = next((k for k, (name, lists) in enumerate(listed) if name == _STEPS and lists), None)
    if chosen is None:
        chosen = next((k for k, (_, lists) in enumerate(listed) if lists), None)
    if chosen is None:
        said = [_source([block], lines) for block in shown if not block.level]
        steps, other = [text for text in said if text] or [_source(shown, lines)], []
    else:
        first = listed[chosen][1][0]
        # Nothing is left out: the judge knows what the prompt shows.
        steps, other = first.items, [below for _, below in sections[1:]]
        if chosen:
            other[chosen - 1] = sections[chosen][1][first.last + 1 :]
    return Article(
        slug,
        matter.title,
        matter.category,
        _body(blocks, shown, lines),
        _source(sections[0][1], lines),
        tuple(steps),
        " ".join(filter(None, (_source(below, lines) for below in other))),
        _phrases(hidden),
        matter.facts,
    )


def _body(blocks: Sequence[_Block], shown: Sequence[_Block], lines: Sequence[str]) -> str:
    """All that is shown, as it is written; what stands between blocks goes with the one before."""
    starts = [block.start for block in blocks[1:]] + [len(lines)]
    parts = [*lines[: blocks[0].start]]
    for block, following in zip(blocks, starts, strict=True):
        if block in shown:
            parts += [_text([block], lines), *lines[block.end : following]]
    return "\n".join(parts).strip()
