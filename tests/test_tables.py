"""Tables that people bring: columns by their names, one rule for blanks, the file's own lines."""

import pandas as pd
import pytest
from typer.testing import CliRunner

import twin
from twin.assistant.knowledge.retrieval_eval import read_questions
from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.common.tables import as_text, is_blank, read_table
from twin.demand.corpus import load_corpus
from twin.demand.tickets import draw
from twin.scenario.model import PRIORITIES, from_data


def write(folder, text, name="t.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def corpus(folder, text):
    return load_corpus(write(folder, text))


def desk(path, **more):
    people = {"a": {"heads": 2, "handle_time": "5min"}}
    arrivals = {"kind": "trace", "trace": str(path)}
    return from_data({"horizon": "1d", "agents": people, "arrivals": arrivals, **more})


def traced(folder, text, name="t.csv", **more):
    return draw(desk(write(folder, text, name), **more))


# Columns.


@pytest.mark.parametrize(
    "head",
    [
        "text,category,priority,split", "text,category, priority, split",
        "Text,CATEGORY,Priority ,SPLIT",
        "\ufefftext,category,priority,split", '"text","category"," priority","split"',
        "\ufeff\ufefftext,category,\tpriority,\u00a0split",
        "ｔｅｘｔ,category,priority\u200b,split",
    ],
)  # fmt: skip
def test_a_column_is_known_by_its_name_however_it_is_written(tmp_path, head):
    found = corpus(tmp_path, f"{head}\na,B,high,train\nb,B,urgent,desk\n")
    assert [PRIORITIES[k] for k in found.priority] == ["high", "urgent"]
    assert found.train.tolist() == [True, False]


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("priorty", 'column "priorty" looks like "priority"'),
        ("priorities", 'looks like "priority"'),
        ("Ticket Priority", 'looks like "priority"'),
        ("split_", 'looks like "split"'),
        ("splits", 'looks like "split"'), ("articles", 'looks like "article"'),
        ("article_id", 'looks like "article"'), ("Priority", None), ("subject", None),
        ("tags", None), ("created_at", None), ("id", None), ("status", None), ("type", None),
    ],
)  # fmt: skip
def test_a_near_miss_is_a_fault_and_another_column_is_not(tmp_path, head, said):
    text = f"text,category,{head}\na,B,\nb,B,\nc,B,\n"
    if said is None:
        assert len(corpus(tmp_path, text).texts) == 3
        return
    with pytest.raises(ScenarioError, match=said):
        corpus(tmp_path, text)


def test_a_near_miss_is_told_in_traces_and_questions_too(tmp_path):
    with pytest.raises(ScenarioError, match='"categories" looks like "category"'):
        traced(tmp_path, "timestamp,categories\n1,A\n")
    with pytest.raises(ScenarioError, match='"overlaps" looks like "overlap"'):
        read_questions(write(tmp_path, "question,article,overlaps\na,b,c\n"))
    with pytest.raises(ScenarioError, match='no column text; is "texts" the text'):
        corpus(tmp_path, "texts,category\na,B\n")
    with pytest.raises(ScenarioError, match="two columns are called text"):
        corpus(tmp_path, "text,category,Text\na,B,c\n")
    with pytest.raises(ScenarioError, match='parted by ";"'):
        corpus(tmp_path, "text;category\na;B\n")


def test_the_column_of_measured_values_is_known_by_its_name_too(tmp_path):
    path = write(tmp_path, "id, Minutes\n1,5\n2, 7\ufeff\n")
    time = {"distribution": "empirical", "file": path, "column": "minutes", "unit": "1min"}
    people = {"a": {"heads": 1, "handle_time": time}}
    assert from_data({"arrivals": {"rate": "1/h"}, "agents": people}).agents["a"]
    write(tmp_path, "id, Minutes\n1,5\n\n2,seven\n")
    with pytest.raises(ScenarioError, match='line 4 has "seven"'):
        from_data({"arrivals": {"rate": "1/h"}, "agents": people})


# Blanks and nulls.


@pytest.mark.parametrize("blank", ["", " ", "\u00a0", "\u200b", '" \t "'])
def test_a_blank_is_a_fault_where_a_row_must_have_a_value(tmp_path, blank):
    for read, head, good, line in [
        (corpus, "text,category", "a,B", 3), (corpus, "category,text", "B,a", 3),
        (traced, "timestamp,category", "1,B", 3), (traced, "timestamp,text", "1,B", 3),
    ]:  # fmt: skip
        name = head.split(",")[1]
        text = f"{head}\n{good}\n{good.split(',')[0]},{blank}\n"
        with pytest.raises(ScenarioError, match=rf"line {line}.* has no {name}"):
            read(tmp_path, text)
    with pytest.raises(ScenarioError, match="line 2 has no article"):
        read_questions(write(tmp_path, f"question,article\nx,{blank}\n"))


def test_a_blank_that_need_not_be_known_is_not_known(tmp_path):
    rows = "a,B,,,\nb,B,high,x,train\nc,B, low , x ,desk\n"
    found = corpus(tmp_path, "text,category,priority,article,split\n" + rows)
    assert [PRIORITIES[k] for k in found.priority] == ["normal", "high", "low"]
    assert found.article == ("", "x", "x")
    assert found.train.tolist() == [False, True, False]
    demand = traced(tmp_path, "timestamp,priority\n10,\n20,urgent\n")
    assert [PRIORITIES[k] for k in demand.priority] == ["normal", "urgent"]
    labelled = read_questions(write(tmp_path, "question,article,overlap\na,b, \nc,d,low\n"))
    assert labelled.overlap == ("", "low")


def test_nulls_do_not_change_what_stands_beside_them(tmp_path):
    path = tmp_path / "t.parquet"
    frame = pd.DataFrame({"timestamp": [1, 2], "category": [1.0, 2.0], "priority": ["high", None]})
    frame.to_parquet(path)
    demand = draw(desk(path))
    assert demand.categories == ("1", "2")
    assert [PRIORITIES[k] for k in demand.priority] == ["high", "normal"]
    frame["category"] = [None, 1]
    frame.to_parquet(path)
    with pytest.raises(ScenarioError, match="row 1 has no category"):
        draw(desk(path))
    assert traced(tmp_path, "timestamp,category\n1,1\n2,2.0\n").categories == ("1", "2.0")
    odd = (None, float("nan"), pd.NA, pd.NaT, "", " \u200b")
    assert [as_text(value) for value in odd] == [""] * 6
    assert not any(map(is_blank, (0, False, "0", "null", 0.0)))


def test_a_corpus_may_be_parquet(tmp_path):
    rows = "text,category,priority,article,split\na,B,high,x,train\nb,1,,,\n"
    of_csv = corpus(tmp_path, rows)
    pd.read_csv(tmp_path / "t.csv").to_parquet(tmp_path / "t.parquet")
    of_parquet = load_corpus(str(tmp_path / "t.parquet"))
    for name in ("texts", "categories", "article"):
        assert getattr(of_parquet, name) == getattr(of_csv, name)
    assert of_parquet.train.tolist() == of_csv.train.tolist()
    pd.DataFrame({"text": [[1], [2]], "category": "A"}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ScenarioError, match="column text holds list"):
        load_corpus(str(tmp_path / "t.parquet"))


# Names.


@pytest.mark.parametrize(
    ("one", "other", "by"),
    [("Billing", "Billing ", "blanks"), ("Log in", "Log  in", "blanks"), ("A", "\u00a0A", "blanks"),
     ("Café", "Cafe\u0301", "Unicode"), ("ﬁle", "file", "Unicode"), ("A", "A\u200b", "Unicode")],
)  # fmt: skip
def test_names_that_differ_only_by_how_they_are_written_are_told_of(tmp_path, one, other, by):
    said = rf"they differ only by .*{by}"
    with pytest.raises(ScenarioError, match=said + r".*line 2 and line 4"):
        corpus(tmp_path, f"text,category\na,{one}\nb,X\nc,{other}\n")
    with pytest.raises(ScenarioError, match=said):
        traced(tmp_path, f"timestamp,category\n1,{one}\n2,{other}\n")
    path = write(tmp_path, f"text,category\na,{one}\nb,{one}\nc,{one}\n", "c.csv")
    with pytest.raises(ScenarioError, match=said + ".*trace and corpus"):
        traced(tmp_path, f"timestamp,category\n1,{other}\n", tickets={"corpus": path})
    scenario = from_data(
        {"arrivals": {"rate": "1/h"}, "tickets": {"corpus": path},
         "agents": {"a": {"heads": 1, "handle_time": "1min", "skills": [other]}}}
    )  # fmt: skip
    with pytest.raises(ScenarioError, match=said):
        twin.check(scenario)


def test_names_of_articles_are_told_of_too(tmp_path):
    (tmp_path / "kb").mkdir()
    (tmp_path / "kb" / "caf\u00e9.md").write_text(
        "---\ntitle: T\ncategory: Cafe\u0301\n---\nText.\n"
    )
    rows = "text,category,article\na,Café,cafe\u0301\nb,Café,\nc,Café,\n"
    scenario = from_data(
        {"arrivals": {"rate": "1/h"}, "tickets": {"corpus": write(tmp_path, rows)},
         "assistant": {"knowledge": str(tmp_path / "kb")}}
    )  # fmt: skip
    with pytest.raises(ScenarioError) as caught:
        twin.check(scenario)
    assert [fault.key for fault in caught.value.faults] == ["assistant.knowledge", "tickets.corpus"]


# Lines.


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("text,category\na,B\n,B\n", "line 3 "),
        ("text,category\n\n\na,B\n\n,B\n", "line 6 "),
        ('text,category\n"a\nb\nc",B\n,B\n', "line 5 "),
        ("text,category\r\na,B\r\n,B\r\n", "line 3 "),
        ("text,category\ra,B\r,B\r", "line 3 "),
        ("\n\ntext,category\na,B\n,,\n,B\n", "line 6 "),
        ('text,category\na,B\n"open,B\n', "line 3: a quote that is never closed"),
        ('text,category\n"x\ny",B\na,B,c\n', "line 4 has 3, the first has 2"),
        (b"text,category\na,B\n\xff,B\n", r"not UTF-8 text \(line 3"),
        ("text,category\na,B\n" + "x" * 140_000 + ",B\n", "line 3: field larger"),
    ],
)
def test_lines_are_those_of_the_file(tmp_path, text, place):
    with pytest.raises(ScenarioError, match=place):
        corpus(tmp_path, text)


def test_empty_cells_behind_the_last_column_and_empty_rows_are_nothing(tmp_path):
    found = corpus(tmp_path, "text,category\na,B,,\nb,B\n,,,\nc,B,\n\n")
    assert found.texts == ("a", "b", "c")


def test_a_label_without_an_article_is_named_by_its_line(tmp_path):
    labelled = read_questions(write(tmp_path, 'question,article\n"x\ny",card\nz,card\n'))
    assert labelled.places == ("line 2", "line 4")


@pytest.mark.parametrize("read", [load_corpus, read_questions])
def test_what_is_no_file_to_read_is_named(tmp_path, read):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ScenarioError) as caught:
            read(str(path))
        assert str(path) in str(caught.value)
    with pytest.raises(ScenarioError, match="holds no rows"):
        read_table(write(tmp_path, "a\n"), ("a",))


# Before a run.


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("timestamp,priority\n10,high\n20,High\n", 'line 3, row 2: unknown priority "High"'),
        ("timestamp,category\n10,\n", "line 2, row 1 has no category"),
        ("timestamp,text\n10,known\n20,strange\n", "1 texts of the trace are not in the corpus"),
        ("timestamp,category\n10,A\n20,B\n", 'no ticket for customers to send in category "B"'),
        ("timestamp\n10\ninf\n", 'line 3, row 2 "inf" is no moment'),
        ("timestamp\n2026-01-05 09:00\n05/01/26\nx\n", "line 3, row 2"),
    ],
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_faults_of_a_trace_come_before_a_run(tmp_path, rows, said, command):
    write(tmp_path, rows)
    write(tmp_path, "text,category,split\nknown,A,desk\nother,A,desk\nb,B,train\n", "c.csv")
    path = tmp_path / "desk.toml"
    path.write_text(
        'horizon = "1d"\nreplications = 1\n'
        'arrivals = { kind = "trace", trace = "t.csv", scale = 0.1 }\n'
        'tickets.corpus = "c.csv"\nagents.a = { heads = 2, handle_time = "5min" }\n'
    )
    out = ["--out", str(tmp_path / "out"), "--workers", "1"] if command == "run" else []
    result = CliRunner().invoke(app, [command, str(path), *out])
    assert result.exit_code == 2, result.stdout
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_other_inputs_are_read_before_a_run_too(tmp_path):
    (tmp_path / "kb").mkdir()
    (tmp_path / "kb" / "a.md").write_text("---\ntitle: T\ncategory: A\n---\nText.\n")
    data = {
        "horizon": "1h", "arrivals": {"rate": "6/h"},
        "tickets": {"corpus": write(tmp_path, "text,category\na,A\nb,A\nc,A\n")},
        "agents": {"a": {"heads": 1, "handle_time": "1min"}},
    }  # fmt: skip
    feedback = write(tmp_path, "[1]", "feedback.json")
    learning = {"mode": "examples", "feedback": feedback}
    assistants = {
        "feedback.json: entry 1": {"knowledge": str(tmp_path / "kb"), "learning": learning},
        "assistant.recording": {"backend": "replay", "recording": str(tmp_path / "none.jsonl")},
    }
    for said, assistant in assistants.items():
        with pytest.raises(ScenarioError, match=said):
            twin.run(from_data(data | {"assistant": assistant}), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_rows_outside_the_run_are_counted(tmp_path):
    path = tmp_path / "desk.toml"
    write(tmp_path, "timestamp\n-5\n10\n20\n86400\n90000\n")
    path.write_text(
        'horizon = "1d"\nreplications = 1\narrivals = { kind = "trace", trace = "t.csv" }\n'
        'agents.a = { heads = 2, handle_time = "5min" }\n'
    )
    said = "3 of 5 rows of the trace lie outside the run and are left out: 1 before it, 2 after it"
    assert said in CliRunner().invoke(app, ["check", str(path)]).stdout
    assert twin.run(twin.load(path)).runs[0].notes == (said,)
    write(tmp_path, "timestamp\n1767571200\n1767571300\n")
    with pytest.raises(ScenarioError, match=r"no timestamp lies in the run.*not since 1970"):
        twin.check(twin.load(path))


def test_measured_values_that_changed_are_read_again(tmp_path):
    path = write(tmp_path, "m\n5\n")
    time = {"distribution": "empirical", "file": path, "column": "m", "unit": "1min"}
    people = {"a": {"heads": 1, "handle_time": time}}
    for number in (5, 17):
        write(tmp_path, f"m\n{number}\n")
        pool = from_data({"arrivals": {"rate": "1/h"}, "agents": people}).agents["a"]
        assert pool.handle_time.mean_value() == 60 * number
