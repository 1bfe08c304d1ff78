"""The folder of a desk's own corpus: texts, articles, and how they were made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from twin.assistant.held_back import HeldBack, held_back
from twin.assistant.knowledge.knowledge import Knowledge, load_knowledge
from twin.common.errors import DamagedFile, Fault, ScenarioError
from twin.common.files import read_sealed, whole_folder, write_sealed, write_text
from twin.common.formulas import harmless, unguarded
from twin.demand.corpus import Corpus, load_corpus
from twin.history.own_articles import Articles
from twin.history.own_corpus import OwnCorpus

_MANIFEST, _TICKETS, _CATEGORIES, _ARTICLES = (
    "corpus.json", "tickets.csv", "categories.csv", "articles",
)  # fmt: skip


@dataclass(frozen=True)
class CorpusFolder:
    """A corpus as `twin corpus` wrote it.

    Attributes
    ----------
    path : Path
    by : str
        Column that told the categories.
    rest : str
        Category of all that belong to none of the others.
    split : str
        Day on which what is held back begins.
    """

    path: Path
    by: str
    rest: str
    split: str

    @property
    def tickets(self) -> Path:
        """The file of texts."""
        return self.path / _TICKETS

    @property
    def articles(self) -> Path | None:
        """The folder of articles; None without any."""
        folder = self.path / _ARTICLES
        return folder if folder.is_dir() else None

    def corpus(self) -> Corpus:
        """Its texts."""
        return load_corpus(str(self.tickets))

    def knowledge(self) -> Knowledge | None:
        """Its articles; None without any."""
        return None if self.articles is None else load_knowledge(self.articles)

    def categories(self) -> pd.DataFrame:
        """Category of each ticket, by the desk's own number: columns key and category."""
        table = pd.read_csv(self.path / _CATEGORIES, dtype="str", keep_default_na=False)
        return table.map(unguarded)

    def held_back(self, k: int = 3, floor: float = 0.2) -> HeldBack:
        """Quality of backend `embedded` on the later texts; see `twin.assistant.held_back`."""
        return held_back(self.corpus(), self.knowledge(), self.rest, k, floor)


def holds_corpus(path: Path) -> bool:
    """True if a folder is one that `write_corpus` wrote."""
    return (path / _MANIFEST).is_file()


def open_corpus(path: str | Path) -> CorpusFolder:
    """Open a folder that `twin corpus` wrote.

    Raises
    ------
    ScenarioError
        If it is none.
    DamagedFile
        If a file of it is missing, or its manifest is not as it was written.
    """
    path = Path(path)
    if not holds_corpus(path):
        hint = "make one with twin corpus HISTORY --out FOLDER"
        raise ScenarioError(str(path), [Fault("", "holds no corpus of a history", hint=hint)])
    for name in (_TICKETS, _CATEGORIES):
        if not (path / name).is_file():
            raise DamagedFile(path, f"{name} is missing")
    try:
        told = read_sealed(path / _MANIFEST, "the manifest of a corpus")
        return CorpusFolder(path, *(str(told[key]) for key in ("by", "rest", "split")))
    except (KeyError, ValueError) as error:
        raise DamagedFile(path / _MANIFEST, f"not the manifest of a corpus: {error}") from None


def refuse_taken(folder: Path, replace_old: bool) -> None:
    """Refuse a folder that is there, unless it is a corpus that is to be replaced.

    Raises
    ------
    ScenarioError
    """
    if not folder.exists():
        return
    if not holds_corpus(folder):
        reason = "is there already, and is no corpus; name a new folder"
        raise ScenarioError(str(folder), [Fault("", reason)])
    if not replace_old:
        reason = "is there already; name a new folder, or replace it with --replace"
        raise ScenarioError(str(folder), [Fault("", reason)])


def write_corpus(
    found: OwnCorpus, articles: Articles | None, folder: str | Path, replace_old: bool = False
) -> CorpusFolder:
    """Write a corpus into a folder, whole or not at all.

    Files with customers' texts may be read by their owner alone.

    Raises
    ------
    ScenarioError
        If the folder is there already.
    OSError
        If it cannot be written.
    """
    folder = Path(folder)
    refuse_taken(folder, replace_old)
    with whole_folder(folder, 0o700) as part:
        for name, frame in ((_TICKETS, found.tickets), (_CATEGORIES, found.categories)):
            table = harmless(frame).to_csv(index=False, lineterminator="\n")
            write_text(part / name, table, private=True)
        if articles is not None:
            (part / _ARTICLES).mkdir()
            for article in articles.found:
                write_text(part / _ARTICLES / f"{article.slug}.md", article.text)
        write_sealed(part / _MANIFEST, {
            "version": 1, "by": found.by, "rest": found.rest, "split": found.split.isoformat(),
            "notes": [*found.notes, *(articles.notes if articles is not None else ())],
        })  # fmt: skip
    return open_corpus(folder)
