"""Promises of the pages: commands parse, examples run, links lead somewhere, figures are true."""

import contextlib
import doctest
import functools
import importlib
import io
import pkgutil
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from importlib import metadata
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
import typer
from matplotlib import pyplot
from packaging.requirements import Requirement
from typer.testing import CliRunner

import twin
from twin.assistant.backends import build
from twin.assistant.knowledge.knowledge import load_knowledge
from twin.assistant.knowledge.retrieval_eval import evaluate, read_questions
from twin.assistant.protocol import Luck, Questions
from twin.cli.app import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MEASURED = (ROOT / "tests" / "benchmarks" / "README.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
FOLDERS = ("notebooks", "results", "scenarios", "tests", "twin")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [*ROOT.glob("*.md"), *(p for f in FOLDERS for p in ROOT.glob(f"{f}/**/README.md"))]
}
SCENARIOS = sorted((ROOT / "scenarios").glob("*.toml"))
# Importing `twin.__main__` would start the program.
MODULES = sorted(
    {m.name for m in pkgutil.walk_packages(twin.__path__, "twin.")} - {"twin.__main__"}
)
# A fence, what it holds and, where there is one, the comment that marks it.
BLOCK = re.compile(r"(?:^<!-- (\w+) -->\n)?^ *```(\w*)\n(.*?)^ *```$", re.M | re.S)
COMMANDS = typer.main.get_command(app).commands
# Ask for what is not needed (an older pandas, a browser): so they are installed alone.
BY_HAND = {"log-distance-measures", "axe-playwright-python"}
# What comes with another package and is part of it.
PART_OF = {"pydantic_core": "pydantic", "werkzeug": "flask"}
# Played by the slow test only, or not without a key.
LONG = {"run", "record", "profile", "llm", "study", "compare", "report"}


def blocks(text, language):
    return [textwrap.dedent(body) for _, name, body in BLOCK.findall(text) if name == language]


def marked(name):
    return next(body.strip() for mark, _, body in BLOCK.findall(README) if mark == name)


def shown():
    """Commands of all pages with the output shown below them."""
    for text in PAGES.values():
        for block in blocks(text, "console"):
            for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
                command, _, output = part.partition("\n")
                yield command, output


def advised():
    """Commands of all pages without output: lines for the shell, and those within sentences."""
    for page, text in PAGES.items():
        lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
        prose = " ".join(BLOCK.sub("", text).split())
        for line in [*lines, *re.findall(r"`(twin [^`]+)`", prose)]:
            if line.startswith("twin "):
                yield page, line


SHOWN = list(shown())
ADVISED = sorted(set(advised()))
PYTHON = [
    pytest.param(example, id=f"{page}-{k}")
    for page, text in PAGES.items()
    if page != "results/README.md"
    for k, example in enumerate(blocks(text, "python"))
]


def says(words):
    with contextlib.chdir(ROOT):
        result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return result.stdout


def holds(output, abridged):
    """True if every line shown is one of the output; dots stand for what is left out."""
    lines = {" ".join(line.split()) for line in output.splitlines()}
    for line in abridged.splitlines():
        start, dots, _ = " ".join(line.split()).partition("...")
        there = any(given.startswith(start.rstrip()) for given in lines) if dots else start in lines
        assert there, f"a page shows {line!r}"


def test_each_kind_of_example_is_there():
    assert {shlex.split(c)[1] for c, _ in SHOWN} >= {"check", "run", "compare", "study", "rag"}
    assert {shlex.split(c)[1] for _, c in ADVISED} >= {"init", "serve", "live-scenario", "study"}
    assert len(PYTHON) >= 2


@pytest.mark.parametrize("command", [command for command, _ in SHOWN])
def test_readme_commands_parse(command):
    program, name, *words = shlex.split(command)
    assert program == "twin"
    with contextlib.chdir(ROOT):
        COMMANDS[name].make_context(name, words)
    for word in words:
        assert not word.startswith("scenarios/") or (ROOT / word).exists()


@pytest.mark.parametrize(("page", "command"), ADVISED)
def test_commands_of_all_pages_exist(page, command):
    _, name, *words = shlex.split(command.partition(" > ")[0], comments=True)
    if name in ("COMMAND", "--help"):
        return
    assert name in COMMANDS, page
    # A name alone, or with a word in capitals, stands for many commands; so do old news.
    whole = words and not any(re.match("[A-Z]{2}", word) for word in words)
    if whole and page != "CHANGELOG.md":
        with contextlib.chdir(ROOT):
            COMMANDS[name].make_context(name, words)


def test_no_command_is_left_out():
    text = PAGES["scenarios/README.md"]
    assert [name for name in COMMANDS if f"`twin {name}" not in text] == []


def paths(page, text):
    """Paths of the code that a page names: in the page of the house from its folder."""
    for name in re.findall(r"`([\w./-]+/[\w./-]*)`", text):
        first = name.split("/")[0]
        if first in ("tests", "twin"):
            yield name, ROOT / name
        elif page == "twin/README.md":
            yield name, ROOT / "twin" / name


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])
def test_paths_of_the_pages_exist(page):
    for name, path in paths(page, PAGES[page]):
        assert path.exists(), f"{page} names {name}"


@pytest.mark.parametrize(
    ("command", "output"), [(c, o) for c, o in SHOWN if shlex.split(c)[1] not in LONG]
)
def test_readme_output_is_real(command, output):
    holds(says(shlex.split(command)[1:]), output)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "output"), [(c, o) for c, o in SHOWN if shlex.split(c)[1] in LONG]
)
def test_readme_figures_are_real(command, output, tmp_path):
    figures = re.sub(r"^results: .*\n", "", output, flags=re.M)
    holds(says([*shlex.split(command)[1:], "--out", str(tmp_path)]), figures)


def test_two_commands_on_the_first_screen():
    top = README.split("\n## ")[0]
    assert len(blocks(top, "sh")) == 2
    for name, what in (("run", "twin run scenarios/baseline.toml"), ("test", "pytest")):
        line = marked(name)
        assert "\n" not in line
        assert line in top
        assert line.startswith("python3 -m venv .venv && .venv/bin/pip install")
        assert what in line.split(" && ")[-1]


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150
    assert len(PAGES["twin/README.md"].splitlines()) <= 90


def section(title):
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_every_figure_of_the_first_result_is_explained(tmp_path):
    """Each figure that `twin run` prints is in the output shown, and in a row of the table."""
    cut = ["--replications", "2", "--set", "horizon=2d", "--out", str(tmp_path)]
    printed = says(["run", "scenarios/baseline.toml", *cut])
    figures = re.findall(r"^(\w+)  ", printed.partition("\nfigure ")[2], flags=re.M)
    assert len(figures) > 20
    text = section("How to read the first result")
    (output,) = blocks(text, "console")
    assert re.findall(r"^(\w+)  ", output.partition("\nfigure ")[2], flags=re.M) == figures
    rows = [row.split("|")[1] for row in text.splitlines() if row.startswith("| `")]
    assert re.findall(r"`(\w+)`", "".join(rows)) == figures


def test_your_own_desk_in_four_steps(tmp_path, monkeypatch):
    """The steps of the README, played: with its file, a change of it, and less time."""
    monkeypatch.chdir(tmp_path)
    text = section("Your own desk")
    (file,) = blocks(text, "toml")
    steps = [shlex.split(line)[1:] for line in re.findall(r"`(twin [^`]+)`", text)]
    assert [words[0] for words in steps] == ["init", "check", "run", "compare"]
    for words in steps:
        if words[0] in ("run", "compare"):
            words += ["--replications", "2", "--set", "horizon=2d", "--out", f"{tmp_path}/results"]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        if words[0] == "init":
            Path("my-desk/our-desk.toml").write_text(file, encoding="utf-8")
            busier = 'extends = "our-desk.toml"\n[arrivals]\nscale = 1.5\n'
            Path("my-desk/busier.toml").write_text(busier, encoding="utf-8")
    assert "busier against our-desk" in result.output


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_ci_runs_the_line_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (finds,) = re.findall(r"^line=.*$", script, flags=re.M)
    command = ["bash", "-euo", "pipefail", "-c", f'{finds}; printf %s "$line"']
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == marked("test")
    assert 'bash -euo pipefail -c "$line"' in script


@pytest.mark.parametrize("example", PYTHON)
def test_readme_python(example, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(compile(example, "a page", "exec"), {})
    assert capsys.readouterr().err == ""


def test_results_python(tmp_path, monkeypatch):
    desk = twin.load(ROOT / "scenarios" / "baseline.toml", {"horizon": "1d", "warm_up": "0s"})
    twin.run(desk, replications=2, out=tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    (example,) = blocks(page, "python")
    exec(compile(example, "results/README.md", "exec"), {})


@pytest.mark.parametrize("page", ["README.md", "scenarios/README.md"])
def test_scenarios_of_the_pages(page, tmp_path):
    text = (ROOT / page).read_text(encoding="utf-8")
    examples = [body for body in blocks(text, "toml") if "extends" in body]
    assert examples
    for example in examples:
        base = (ROOT / "scenarios" / "baseline.toml").as_posix()
        path = tmp_path / "example.toml"
        path.write_text(example.replace("baseline.toml", base), encoding="utf-8")
        twin.load(path)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario_files(path):
    says(["check", str(path)])
    comment = re.match(r"(?:#.*\n)+", path.read_text(encoding="utf-8"))
    assert comment, "opens with its question"
    assert "?" in comment[0]
    assert twin.load(path).question.endswith("?")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = PAGES[page]
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        other = (ROOT / page).parent / name if name else ROOT / page
        assert other.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", other.read_text(encoding="utf-8"), flags=re.M)
            slugs = {re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles}
            assert anchor in slugs, target
    assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|usr)/", text)


def test_every_page_is_reached_from_the_readme():
    found, new = set(), {"README.md"}
    while new:
        found |= new
        links = {
            (ROOT / page).parent / target.partition("#")[0]
            for page in new
            for target in re.findall(r"\]\(([^)]+)\)", PAGES[page])
        }
        names = {path.resolve().relative_to(ROOT).as_posix() for path in links if path.exists()}
        new = (names & set(PAGES)) - found
    assert found == set(PAGES)


def test_the_version_is_said_once():
    version = PYPROJECT["tool"]["hatch"]["version"]
    text = (ROOT / version["path"]).read_text(encoding="utf-8")
    found = re.search(version["pattern"], text, flags=re.M)
    assert found
    assert found["version"] == twin.__version__
    assert "version" in PROJECT["dynamic"]
    assert "version" not in PROJECT


def test_what_is_shipped():
    targets = PYPROJECT["tool"]["hatch"]["build"]["targets"]
    assert targets["wheel"]["packages"] == ["twin"]
    assert set(targets["sdist"]["include"]) >= {*FOLDERS, *(p for p in PAGES if "/" not in p)}


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("twin"):
            raise
        # Of an extra that is not installed.
        pytest.skip(f"not installed: {error.name}")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        failed = doctest.testmod(module, extraglobs=shared(name.rpartition(".")[0])).failed
    pyplot.close("all")
    assert not failed, said.getvalue()


@functools.cache
def shared(package):
    """Names from the examples of a package's own docstring, for those of its modules.

    Those of `twin` itself stand alone.
    """
    if package == "twin":
        return {}
    text = importlib.import_module(package).__doc__ or ""
    examples = doctest.DocTestParser().get_doctest(text, {}, package, None, 0)
    doctest.DocTestRunner().run(examples, clear_globs=False)
    return {name: value for name, value in examples.globs.items() if not name.startswith("__")}


def test_the_package_itself():
    assert not doctest.testmod(twin).failed


def test_changelog():
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    assert "## Unreleased" in lines
    entries = lines[lines.index("## Unreleased") + 1 :]
    assert all(not line or line.startswith(("- ", "## ")) for line in entries)
    assert any(line.startswith("- ") for line in entries)


def declared():
    """Names of all distributions that the project or one of its extras asks for."""
    extras = PROJECT.get("optional-dependencies", {})
    named = [*PROJECT["dependencies"], *(line for lines in extras.values() for line in lines)]
    for line in named:
        wanted = Requirement(line)
        if wanted.name == PROJECT["name"]:
            assert wanted.extras <= set(extras), f"no such extra: {line}"
        else:
            yield wanted.name.lower().replace("_", "-")


def test_what_is_imported_is_declared():
    known = set(declared())
    sources = metadata.packages_distributions()
    for path in (ROOT / "twin").rglob("*.py"):
        names = set(re.findall(r"^ *(?:from|import) (\w+)", path.read_text("utf-8"), flags=re.M))
        for name in names - {"twin", *sys.stdlib_module_names}:
            # Not installed: nothing says which distribution it is.
            found = {d.lower().replace("_", "-") for d in sources.get(name, ())}
            assert not found or (found | {PART_OF.get(name)}) & (known | BY_HAND), (
                f"{path.name} imports {name}"
            )


def test_measured_accuracy():
    """The figure among the measurements, on the third of the corpus that nothing learned from."""
    desk = twin.load(ROOT / "scenarios" / "baseline.toml")
    demand = twin.draw(desk)
    corpus = demand.corpus
    rows = np.flatnonzero(~corpus.train)
    luck = Luck.neutral(len(rows))
    truth = corpus.category[rows]
    asked = Questions("categorize", demand.categories, demand.texts, rows, None, truth, rows, luck)
    said = build(desk, demand.categories, corpus).answer(asked)
    right = int((said.category == truth).sum())
    assert f"{right} of {len(rows)}" in MEASURED
    sure = said.confidence >= desk.assistant.confidence_threshold
    assert f"{(said.category == truth)[sure].mean():.1%}".replace("%", " %") in MEASURED


@pytest.mark.parametrize(
    ("questions", "folder"),
    [
        ("scenarios/corpus/questions.csv", "scenarios/knowledge"),
        ("tests/data/faq/questions.csv", "tests/data/faq/knowledge"),
    ],
)
def test_measured_retrieval(questions, folder):
    """Each recall among the measurements: of the shipped desk, and of an FAQ nobody tuned on."""
    articles = load_knowledge(ROOT / folder)
    found = evaluate(read_questions(ROOT / questions), articles, ks=(1, 3, 5))
    for (retrieval, _), rows in found.groupby(["retrieval", "questions"]):
        if retrieval.startswith(("default", "words only")) and rows["questions"].iloc[0] != "high":
            recalls = rows[rows["figure"].str.startswith("recall")]
            told = [f"{row.figure} {row.value:.2f}" for row in recalls.itertuples()]
            assert ", ".join(told) in MEASURED
