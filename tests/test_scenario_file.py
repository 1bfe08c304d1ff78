"""Scenario files: what a broken one says, and that a good one survives a round trip."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.common.errors import ScenarioError
from twin.experiments.checks import check
from twin.experiments.studies.file import read_study
from twin.scenario.changes import as_change, parse_change
from twin.scenario.file import base_of, load
from twin.scenario.model import from_data

GOOD = """
question = "?"
horizon = "1d"
[arrivals]
rate = "6/h"
[agents.frontline]
heads = 2
handle_time = "5min"
"""
CORPUS = """text,category,priority,split
a,Payment Issues,normal,train
b,Payment Issues,high,desk
c,Other,low,train
d,Other,low,desk
"""

# What stands in bad.toml, beside good.toml and corpus.csv, and what its message must hold.
BROKEN: dict[str, tuple[str, list[str]]] = {
    # Not a scenario at all.
    "empty": ("", ["arrivals: must be given"]),
    "bad TOML": (GOOD + "horizon = = 3", ["not valid TOML", "line 9"]),
    "same key twice": (GOOD + "heads = 3", ["not valid TOML: a key is given twice"]),
    "no quotes": ("horizon = 8h", ["not valid TOML", "line 1", 'as horizon = "8h"']),
    "not a table": ("arrivals = 3", ["arrivals: must be a table", "(given: 3)"]),
    "deep arrays": ("a = " + "[" * 100 + "]" * 100, ["nested too deeply"]),
    "deeper arrays": ("a = " + "[" * 5000 + "]" * 5000, ["nested too deeply"]),
    "deep keys": (".".join("a" * 1500) + " = 1", ["nested too deeply"]),
    # Keys.
    "unknown key": (GOOD.replace("horizon", "horizn"), ["horizn: unknown key", '"horizon"?']),
    "unknown section": (GOOD + "[agent.two]\nheads = 1", ["agent: unknown key", '"agents"?']),
    "unknown key in a section": (
        GOOD.replace("rate =", "rat ="),
        ["arrivals.rat: unknown key", 'did you mean "rate"?'],
    ),
    "unknown key in a pool": (
        GOOD + "skils = []",
        ["agents.frontline.skils: unknown key", '"skills"?'],
    ),
    "unknown key in a shift": (
        GOOD.replace("heads = 2", 'shifts = [{start="9:00", end="17:00", heads=1, dayz="Mon"}]'),
        ["agents.frontline.shifts.0.dayz: unknown key", '"days"?'],
    ),
    "unknown key in a distribution": (
        GOOD.replace('"5min"', '{distribution="lognormal", maen="5min", cv=1}'),
        ["agents.frontline.handle_time.maen: unknown key", '"mean"?'],
    ),
    "unknown key far from any": (
        GOOD + "[targets]\nzzz = 1",
        [
            "targets.zzz: unknown key",
            "known: clock, figures, first_human_response, first_human_response_by_channel,",
        ],
    ),
    "unknown priority": (
        GOOD + '[targets.first_response]\nurgnt = "5min"',
        ["targets.first_response.urgnt: must be one of", '"urgent"', 'did you mean "urgent"?'],
    ),
    "missing key": (GOOD.replace("handle_time", "# "), ["agents.frontline.handle_time: must be"]),
    # Units.
    "missing unit": (
        GOOD.replace('"1d"', "7"),
        ["horizon: must be a duration", '"7d"', "given: 7"],
    ),
    "unit of nothing": (GOOD.replace("1d", "3 fortnights"), ["horizon: must be a duration"]),
    "rate without a unit": (
        GOOD.replace('"6/h"', "6"),
        ["arrivals.rate: must be a rate", '"40/h"'],
    ),
    "rate as a duration": (GOOD.replace("6/h", "6h"), ["arrivals.rate: must be a rate", '"6h"']),
    "time without a unit": (GOOD.replace('"5min"', "5"), ["handle_time", "must be a duration"]),
    "bad clock": (
        GOOD.replace("heads = 2", 'shifts = [{start="9am", end="17:00", heads=1}]'),
        ["shifts.0.start: must be a time of day", '"09:00"', '"9am"'],
    ),
    "clock after midnight": (
        GOOD.replace("heads = 2", 'shifts = [{start="09:00", end="25:00", heads=1}]'),
        ["shifts.0.end: must be a time of day", '"25:00"'],
    ),
    # Ranges.
    "negative heads": (GOOD.replace("= 2", "= -2"), ["frontline.heads: must be at least 0", "-2"]),
    "negative duration": (GOOD.replace("1d", "-1d"), ["horizon: must be a duration", '"-1d"']),
    "no time at all": (GOOD.replace("1d", "0d"), ["horizon: must be longer than 0s", '"0d"']),
    "not a number": (
        GOOD + "cost = nan",
        ["agents.frontline.cost: must be a finite number", "nan"],
    ),
    "infinite": (GOOD + "cost = inf", ["agents.frontline.cost: must be a finite number", "inf"]),
    "infinite duration": (GOOD.replace("1d", "9" * 400 + "d"), ["horizon: must be at most"]),
    "share above 1": (GOOD + "[customers]\nsurvey_rate = 30", ["survey_rate: must be at most 1"]),
    "infinite mean": (GOOD.replace('"5min"', "inf"), ["handle_time", "must be a number"]),
    "absurd load": (GOOD.replace("6/h", "99999999/s"), ["arrivals.rate: about", "at most"]),
    # Types.
    "a word for a number": (GOOD.replace("= 2", '= "two"'), ["heads: must be a number"]),
    "a fraction of a break": (
        GOOD + "extra_heads = 1.5\n",
        ["frontline.extra_heads: must be a whole number"],
    ),
    "a switch for a number": (GOOD.replace("= 2", "= true"), ["heads: must be a number", "true"]),
    "a number for a switch": (GOOD + "[assistant]\nretrieval = 1", ["must be true or false"]),
    "a list for text": (GOOD.replace('"?"', '["?"]'), ["question: must be text in quotes"]),
    "text for a list": (GOOD + 'skills = "Other"', ["skills: must be a list", '"Other"']),
    "a time for a day": (
        GOOD.replace("horizon", 'start = "soon"\nhorizon'),
        ["start: must be a date"],
    ),
    "a bad name": (GOOD.replace("horizon", 'name = "../up"\nhorizon'), ["name: must start with a"]),
    "a bad pool": (
        GOOD.replace("frontline", '"front line"'),
        ["agents.front line: must be a name"],
    ),
    # Days, zones, choices.
    "bad days": (
        GOOD.replace("heads = 2", 'shifts = [{days="Mo-Fr", start="9:00", end="17:00", heads=1}]'),
        ["shifts.0.days: must be days such as", '"Mon-Fri"', '"Mo-Fr"'],
    ),
    "bad holiday": (GOOD + 'holidays = ["2026-02-30"]', ["holidays.0: must be a date"]),
    "holidays around the clock": (
        GOOD + 'holidays = ["2026-12-25"]',
        ["agents.frontline: holidays are days on which no shift starts", "give shifts"],
    ),
    "bad zone": (GOOD + 'time_zone = "London"', ['unknown time zone "London"', "Europe/London"]),
    "bad choice": (
        GOOD + 'at_shift_end = "hand-over"',
        ["at_shift_end: must be one of", '"hand over"?'],
    ),
    "bad kind": (
        GOOD.replace("rate =", 'kind = "poison"\nrate ='),
        ["arrivals.kind", '"poisson"?'],
    ),
    "short week": (
        GOOD.replace("rate =", 'kind = "hourly"\nweek.hours = [1, 2]\nrate ='),
        ["arrivals.week: hours must hold 24 or 168 weights, not 2"],
    ),
    "short days": (
        GOOD.replace("rate =", 'kind = "hourly"\nweek.days = [1, 2]\nrate ='),
        ["arrivals.week.days: must hold at least 7, not 2"],
    ),
    # Keys that do not go together.
    "heads and shifts": (GOOD + "shifts = []", ["agents.frontline: give heads", "one of them"]),
    "neither": (GOOD.replace("heads = 2", ""), ["agents.frontline: give heads", "or shifts"]),
    "nobody": ('[arrivals]\nrate = "1/h"', ["nobody works here"]),
    "no rate": (GOOD.replace("rate =", "scale = 1\n#"), ["arrivals: needs a rate"]),
    "all warm-up": (
        GOOD.replace("horizon", 'warm_up = "2d"\nhorizon'),
        ["warm_up must be shorter"],
    ),
    "half a trace": (GOOD.replace("rate =", 'kind = "trace"\n#'), ["arrivals", 'needs trace = "']),
    "fallback to nothing": (
        GOOD + '[assistant]\nbackend = "profile"\non_failure = "fallback"',
        ["assistant: fallback_model and"],
    ),
    "break outside its shift": (
        GOOD.replace(
            "heads = 2",
            'shifts = [{start="09:00", end="17:00", heads=1, '
            'breaks=[{start="18:00", end="18:30", heads=1}]}]',
        ),
        ["agents.frontline.shifts.0: a break must lie within its shift"],
    ),
    # Distributions.
    "unknown distribution": (
        GOOD.replace('"5min"', '{distribution="normal", mean="5min"}'),
        ["handle_time: must name its distribution", "known: constant, uniform", "lognormal"],
    ),
    "falling quantiles": (
        GOOD.replace('"5min"', '{distribution="gamma", quantiles={p50="9min", p90="5min"}}'),
        ["handle_time: quantiles must rise"],
    ),
    "one quantile": (
        GOOD.replace('"5min"', '{distribution="weibull", quantiles={p50="9min"}}'),
        ["handle_time: give exactly two quantiles"],
    ),
    "mean and quantiles": (
        GOOD.replace('"5min"', '{distribution="gamma", mean="5min", quantiles={p50="9min"}}'),
        ["handle_time: give mean and cv, or quantiles"],
    ),
    "mean without a unit": (
        GOOD.replace('"5min"', '{distribution="exponential", mean=5}'),
        ['handle_time: "mean" must be a duration'],
    ),
    "no such file of times": (
        GOOD.replace('"5min"', '{distribution="empirical", file="no.csv", column="x", unit="1s"}'),
        ["handle_time: file not found", "no.csv"],
    ),
    "no such column of times": (
        GOOD.replace(
            '"5min"', '{distribution="empirical", file="corpus.csv", column="x", unit="1s"}'
        ),
        ['handle_time: no column "x"', "it has: text, category"],
    ),
    # Other files.
    "extends nothing": (
        'extends = "god.toml"',
        ["extends: no such file", "god.toml", "good.toml?"],
    ),
    "extends itself": ('extends = "bad.toml"', ["extends: goes round in a circle"]),
    "extends a number": ("extends = 3", ["extends: must be a file name", "given: 3"]),
    "extends a folder": ('extends = "."', ["extends: no such file"]),
    "extends no path": ('extends = "a\\u0000b"', ["not a file name"]),
    "no corpus": (
        GOOD + '[tickets]\ncorpus = "no.csv"',
        ["tickets.corpus: no such file", "no.csv"],
    ),
    "a folder as corpus": (GOOD + '[tickets]\ncorpus = "."', ["tickets.corpus: no such file"]),
    "corpus without column": (
        GOOD + '[tickets]\ncorpus = "nocolumn.csv"',
        ["nocolumn.csv: file: no column category", "it has: text, kind"],
    ),
    "corpus with odd priority": (
        GOOD + '[tickets]\ncorpus = "odd.csv"',
        ['line 3: unknown priority "asap"', "allowed: urgent, high, normal, low"],
    ),
    "no articles": (
        GOOD + '[tickets]\ncorpus = "corpus.csv"\n[assistant]\nbackend = "embedded"',
        ["assistant.knowledge", "needs a folder"],
    ),
    "embedded without text": (
        GOOD + '[assistant]\nrole = "triage"',
        ["assistant.backend", "tickets.corpus must be"],
    ),
    "unknown model": (
        GOOD + '[assistant]\nbackend = "profile"\nmodel = "openai/gpt-oss-20"',
        ["assistant.model: not in the catalogue", "openai/gpt-oss-20", '"openai/gpt-oss-20b"?'],
    ),
    # Categories that no ticket has.
    "unknown skill": (
        GOOD + 'skills = ["Payments Issue"]\n[tickets]\ncorpus = "corpus.csv"',
        ["agents.frontline.skills: no ticket has this category", '"Payment Issues"?'],
    ),
    "unknown category in the mix": (
        GOOD + '[tickets]\ncorpus = "corpus.csv"\ncategory_mix = {Others = 1}',
        ["tickets.category_mix: no ticket has this category", '"Others"', '"Other"?'],
    ),
    "category in the mix that customers have no text of": (
        GOOD + '[tickets]\ncorpus = "kept.csv"\ncategory_mix = {A = 1, B = 0.01}',
        ["tickets.category_mix: all its tickets in the corpus are for training", '"B"', "desk"],
    ),
    "unknown category of handle time": (
        GOOD + 'handle_times = {Others = "5min"}\n[tickets]\ncorpus = "corpus.csv"',
        ["agents.frontline.handle_times: no ticket", '"Other"?'],
    ),
    "unknown category to review": (
        GOOD + "[tickets]\ncategory_mix = {A = 1, B = 1}\n"
        '[assistant]\nbackend = "profile"\nreview_categories = ["*", "C"]',
        ["assistant.review_categories: no ticket", '"C"', "known: A, B"],
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.toml").write_text(GOOD)
    (tmp_path / "corpus.csv").write_text(CORPUS)
    (tmp_path / "kept.csv").write_text("text,category,split\na,A,desk\nb,B,train\n")
    (tmp_path / "nocolumn.csv").write_text("text,kind\na,b\n")
    (tmp_path / "odd.csv").write_text("text,category,priority\na,b,low\nc,b,asap\n")
    return tmp_path


def faults_of(path: Path) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        check(load(path))
    return str(caught.value).splitlines()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_gets_one_clear_message_a_fault(folder: Path, name: str) -> None:
    text, words = BROKEN[name]
    path = folder / "bad.toml"
    path.write_text(text)
    lines = faults_of(path)
    assert len(lines) == 1
    for word in [*words, ".csv: file: " if "csv: file" in words[0] else str(folder)]:
        assert word in lines[0]
    # In our words, not those of the library beneath.
    for word in ("Input should", "String should", "valid integer", "Traceback", "type="):
        assert word not in lines[0]


def test_there_are_thirty_of_them() -> None:
    assert len(BROKEN) >= 30


def test_every_fault_has_its_own_line(folder: Path) -> None:
    path = folder / "bad.toml"
    path.write_text(GOOD.replace("horizon", "horizn").replace("= 2", "= -2") + "cost = nan")
    lines = faults_of(path)
    assert len(lines) == 3
    assert {line.split(": ")[1] for line in lines} == {
        "horizn",
        "agents.frontline.heads",
        "agents.frontline.cost",
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfeh\x00o\x00", "not UTF-8 text (byte 0)"),
        (b'question = "caf\xe9"', "not UTF-8 text (byte 15)"),
        (bytes(range(256)), "not UTF-8 text"),
        (b"\x00\x01\x02", "not valid TOML"),
        (b"# " + b"x" * 1_100_000, "larger than 1 MB"),
    ],
)
def test_not_even_text(folder: Path, content: bytes, words: str) -> None:
    path = folder / "bad.toml"
    path.write_bytes(content)
    (line,) = faults_of(path)
    assert words in line


def test_no_file_and_a_folder(folder: Path) -> None:
    (line,) = faults_of(folder / "goood.toml")
    assert "no such file" in line
    assert "did you mean" in line
    assert "good.toml" in line
    (line,) = faults_of(folder)
    assert line.endswith(f"is a folder; name a file in it; as {folder / 'good.toml'}")


def test_a_study_is_no_scenario_and_a_scenario_no_study(folder: Path) -> None:
    path = folder / "load.toml"
    path.write_text('scenario = "good.toml"\n[factors]\n"arrivals.scale" = [1, 2]\n')
    (line,) = faults_of(path)
    assert line.endswith(f"is a study; play it with twin study {path}")
    with pytest.raises(ScenarioError, match=r'is a scenario.*as scenario = "good\.toml"'):
        read_study(folder / "good.toml")
    assert read_study(path).bases[0].name == "good"


def test_a_misspelt_pool_is_told_from_a_new_one(folder: Path) -> None:
    path = folder / "more.toml"
    path.write_text('extends = "good.toml"\n[agents.frontlin]\nextra_heads = 1\n')
    (line,) = faults_of(path)
    assert line.endswith('must be given; did you mean "agents.frontline"?')
    path.write_text('extends = "good.toml"\n[agents.mail]\nextra_heads = 1\n')
    (line,) = faults_of(path)
    assert line.endswith("agents.mail.handle_time: must be given")


@pytest.mark.parametrize("table", ["figures.solved = { at_least = 95 }", "matters.solved = 5"])
def test_a_share_of_more_than_all_is_no_target(folder: Path, table: str) -> None:
    path = folder / "share.toml"
    path.write_text(f'extends = "good.toml"\n[targets]\n{table}\n')
    with pytest.raises(
        ScenarioError, match=r"targets\.\w+\.solved: is a share: a number from 0 to"
    ):
        check(load(path))
    study = {"scenario": str(folder / "good.toml"), "targets": {"solved": {"at_most": 2}}}
    with pytest.raises(ScenarioError, match="targets: solved is a share"):
        read_study(study)


def test_extends_in_a_circle_of_three(folder: Path) -> None:
    for here, there in ("ab", "bc", "ca"):
        (folder / f"{here}.toml").write_text(f'extends = "{there}.toml"')
    (line,) = faults_of(folder / "a.toml")
    assert "goes round in a circle" in line


def test_extends_too_far(folder: Path) -> None:
    for k in range(15):
        (folder / f"s{k}.toml").write_text(f'extends = "s{k + 1}.toml"')
    (folder / "s15.toml").write_text(GOOD)
    (line,) = faults_of(folder / "s0.toml")
    assert "files deep" in line


def test_a_fault_in_the_base_is_met_too(folder: Path) -> None:
    (folder / "base.toml").write_text(GOOD.replace("6/h", "6"))
    (folder / "over.toml").write_text('extends = "base.toml"')
    (line,) = faults_of(folder / "over.toml")
    assert "arrivals.rate: must be a rate" in line


def test_extends_changes_only_what_it_says(folder: Path) -> None:
    (folder / "busy.toml").write_text('extends = "good.toml"\n[arrivals]\nscale = 2.0\n')
    base, busy = load(folder / "good.toml"), load(folder / "busy.toml")
    assert (busy.name, busy.question, busy.arrivals.scale) == ("busy", "", 2.0)
    assert busy.agents == base.agents
    assert base_of(folder / "busy.toml") == (folder / "good.toml").resolve()
    assert base_of(folder / "good.toml") is None


def test_a_byte_order_mark_is_no_fault(folder: Path) -> None:
    path = folder / "bom.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load(path).horizon == 86400


def test_a_file_with_an_odd_name_has_a_usable_name(folder: Path) -> None:
    path = folder / "_été.toml"
    path.write_text(GOOD)
    assert load(path).name == "t-"


def test_a_shift_over_midnight_may_break_after_it() -> None:
    pause = {"start": "01:00", "end": "01:30", "heads": 1}
    shift = {"start": "22:00", "end": "06:00", "heads": 2, "breaks": [pause]}
    pool = {"shifts": [shift], "handle_time": "5min"}
    desk = from_data({"arrivals": {"rate": "1/h"}, "agents": {"night": pool}})
    assert desk.agents["night"].shifts is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("arrivals.scale", "must look like key.path=value"),
        ("=3", "must look like key.path=value"),
        ("arivals.scale=2", 'arivals: unknown key; did you mean "arrivals"?'),
        ("arrivals.rate.x=2", 'arrivals.rate.x: "x" leads nowhere (given: 2)'),
        ("arrivals.rate.x.y=2", 'arrivals.rate.x.y: "x" leads nowhere'),
        ("arrivals.surges.3.factor=2", "arrivals.surges"),
        ("horizon=soon", "horizon: must be a duration"),
        ("agents.frontline.heads=many", "agents.frontline.heads: must be a number"),
    ],
)
def test_a_change_that_leads_nowhere(folder: Path, change: str, words: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(folder / "good.toml", dict([parse_change(change)]))
    (line,) = str(caught.value).splitlines()
    assert words in line


def test_a_change_of_a_list_item(folder: Path) -> None:
    (folder / "s.toml").write_text(
        GOOD.replace("[agents", '[[arrivals.surges]]\nstart="1h"\nlength="1h"\nfactor=2.0\n[agents')
    )
    desk = load(folder / "s.toml", {"arrivals.surges.0.factor": 3})
    assert desk.arrivals.surges[0].factor == 3
    with pytest.raises(ScenarioError, match=r'"9" leads nowhere'):
        load(folder / "s.toml", {"arrivals.surges.9.factor": 3})


_PLAIN = st.recursive(
    st.text() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.booleans()
    | st.dates() | st.times(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(_PLAIN)
def test_a_change_written_out_is_read_as_it_was(value: object) -> None:
    assert parse_change(as_change("agents.mail.shifts", value)) == ("agents.mail.shifts", value)


def test_numbers_of_numpy_are_numbers(folder: Path) -> None:
    np = pytest.importorskip("numpy")
    desk = load(folder / "good.toml")
    assert desk.vary({"agents.frontline.heads": np.int64(5)}).agents["frontline"].heads == 5


@given(
    scale=st.floats(0, 1000),
    rate=st.floats(1e-6, 1e4),
    horizon=st.floats(1e-3, 1e8),
    heads=st.integers(0, 100),
)
def test_what_is_written_out_loads_to_the_same(
    scale: float, rate: float, horizon: float, heads: int
) -> None:
    desk = from_data(
        {
            "horizon": f"{horizon:.3f}s",
            "arrivals": {"rate": f"{rate:.6f}/h", "scale": scale},
            "agents": {"all": {"heads": heads, "handle_time": "90s"}},
        }
    )
    again = from_data(desk.as_data())
    assert again == desk
    assert again.as_data() == desk.as_data()


@given(st.dictionaries(st.text(max_size=12), st.integers() | st.text() | st.none(), max_size=4))
def test_whatever_stands_in_a_file_it_gets_a_line_a_fault(data: dict[str, object]) -> None:
    # Never one by chance: arrivals must be given, and a table.
    with pytest.raises(ScenarioError) as caught:
        from_data(data)
    assert len(str(caught.value).splitlines()) == len(caught.value.faults) > 0
