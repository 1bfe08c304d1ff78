"""Text of HTML that others wrote: its words, as plain text or as simple Markdown, and no markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

# What stands in these is for machines, or not shown.
_UNSHOWN = frozenset({"script", "style", "template", "noscript", "svg", "iframe", "object", "head"})
_BLOCKS = frozenset(
    {"p", "div", "section", "article", "br", "hr", "tr", "table", "blockquote", "pre", "dl", "dt",
     "dd", "figure", "figcaption", "header", "footer", "main", "aside", "form", "body", "html"}
)  # fmt: skip
_HEADINGS = {f"h{k}": k for k in range(1, 7)}
_TAG = re.compile(
    r"</?(?:p|br|div|span|html|body|table|tr|td|a|ul|ol|li|b|i|u|em|strong|img|font|h[1-6]|pre|"
    r"blockquote|script|style|meta|head|hr)\b[^<>]*>|&(?:nbsp|amp|lt|gt|quot|#\d+);",
    re.I,
)
# A line of Markdown that would be a heading, a rule, or code.
_STRUCTURE = re.compile(r"#{1,6}(?=\s|$)|(?:[-=*_]\s*){3,}$|```|~~~|>")
_ANGLE = re.compile(r"<(?=[A-Za-z/!?])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")


class _Reader(HTMLParser):
    """Blocks of text of a page.

    Attributes
    ----------
    title : str
        Of its head.
    blocks : list of (str, str)
        Kind of each block ("#" times its level, "-" or "1." after blanks, or nothing) and its
        words, on one line.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.blocks: list[tuple[str, str]] = []
        self._words: list[str] = []
        self._kind = ""
        self._lists: list[str] = []
        self._hidden: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a block, where the element is one."""
        if tag == "title":
            self._in_title = True
        if tag == "body":
            # The end of a head may be left out.
            self._hidden.clear()
        if tag in _UNSHOWN:
            self._hidden.append(tag)
        elif tag in _HEADINGS:
            self._end()
            self._kind = "#" * _HEADINGS[tag]
        elif tag in ("ul", "ol"):
            self._end()
            self._lists.append("-" if tag == "ul" else "1.")
        elif tag == "li":
            self._end()
            depth = max(len(self._lists) - 1, 0)
            self._kind = "   " * min(depth, 8) + (self._lists[-1] if self._lists else "-")
        elif tag in ("td", "th"):
            self._words.append(" ")
        elif tag in _BLOCKS:
            self._break()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element without content, as <br/>; one that hides its content hides nothing."""
        if tag not in _UNSHOWN:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """End a block."""
        if tag == "title":
            self._in_title = False
        if tag in _UNSHOWN:
            if tag in self._hidden:
                del self._hidden[self._hidden.index(tag) :]
        elif tag in _HEADINGS or tag == "li":
            self._end()
        elif tag in ("ul", "ol"):
            self._end()
            if self._lists:
                self._lists.pop()
        elif tag in _BLOCKS:
            self._break()

    def handle_data(self, data: str) -> None:
        """Take words, where they are shown."""
        if self._in_title:
            self.title = " ".join(f"{self.title} {data}".split())
        elif not self._hidden:
            self._words.append(data)

    def close(self) -> None:
        """End the last block."""
        super().close()
        self._end()

    def _break(self) -> None:
        # Paragraphs of an item belong to it.
        if self._kind and self._kind[0] != "#":
            self._words.append(" ")
        else:
            self._end()

    def _end(self) -> None:
        text = " ".join("".join(self._words).split())
        if text:
            self.blocks.append((self._kind, text))
        self._words, self._kind = [], ""


def _read(text: str) -> _Reader:
    reader = _Reader()
    reader.feed(_CONTROL.sub("", text))
    reader.close()
    return reader


def is_html(text: str) -> bool:
    """True if a text holds elements or signs of HTML.

    Examples
    --------
    >>> is_html("<p>It fails"), is_html("a &amp; b"), is_html("if a < b and b > c")
    (True, True, False)
    """
    return _TAG.search(text) is not None


def plain(text: str) -> str:
    r"""Words of a text, a line a block, whether or not it is HTML; control characters are gone.

    Examples
    --------
    >>> plain("<p>It <b>fails</b>.</p><script>alert(1)</script><p>Help &amp; advice?")
    'It fails.\nHelp & advice?'
    >>> plain("if a < b")
    'if a < b'
    """
    if is_html(text):
        return "\n".join(words for _, words in _read(text).blocks)
    lines = (" ".join(line.split()) for line in _CONTROL.sub("", text).splitlines())
    return "\n".join(line for line in lines if line)


def as_markdown(text: str) -> tuple[str, str]:
    """Title and Markdown of a page of HTML: headings, paragraphs and lists, nothing else.

    Its words cannot become markup. A heading of the first level is the title where the page has no
    other.

    Examples
    --------
    >>> title, body = as_markdown("<h1>Reset</h1><ol><li>Open <a href='x'>it</a><li>Wait</ol>")
    >>> title
    'Reset'
    >>> print(body)
    1. Open it
    1. Wait
    """
    reader = _read(text)
    title, blocks = reader.title, reader.blocks
    if blocks and blocks[0][0] == "#" and title in ("", blocks[0][1]):
        title, blocks = blocks[0][1], blocks[1:]
    parts: list[str] = []
    for k, (kind, words) in enumerate(blocks):
        item = bool(kind) and kind[0] != "#"
        listed = item and k > 0 and bool(blocks[k - 1][0]) and blocks[k - 1][0][0] != "#"
        if parts and not listed:
            parts.append("")
        if kind[:1] == "#":
            kind = "#" * max(len(kind), 2)
        parts.append(f"{kind} {unmarked(words)}" if kind else unmarked(words))
    return title, "\n".join(parts)


def unmarked(line: str) -> str:
    """A line in which nothing is markup of its own, for Markdown; numbers of steps stay.

    Examples
    --------
    >>> unmarked("# no heading"), unmarked("see <script>"), unmarked("1. Open it")
    ('no heading', 'see < script>', '1. Open it')
    """
    line = " ".join(line.split())
    while found := _STRUCTURE.match(line):
        line = line[found.end() :].strip()
    return _ANGLE.sub("< ", line)
