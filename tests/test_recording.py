"""Recordings: the key, the file, its lock, what a killed process leaves, and merging."""

import json
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.assistant.errors import RecordingError
from twin.assistant.recorded.merging import merge
from twin.assistant.recorded.recording import (
    Recording,
    Reply,
    open_recording,
    read_lines,
    request_key,
)
from twin.common.files import checksum

REQUEST = {
    "model": "openai/gpt-oss-20b",
    "messages": [{"role": "system", "content": "Sort."}, {"role": "user", "content": "Hälp"}],
    "temperature": 0.2,
    "max_completion_tokens": 200,
    "seed": 0,
    "reasoning_effort": "low",
    "response_format": {"type": "json_object"},
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def reply(key="a", answer="yes", **changes):
    values = {
        "key": request_key(REQUEST, 0, key),
        "step": "respond",
        "model": "openai/gpt-oss-20b",
        "prompt_version": "1",
        "sample": 0,
        "request": REQUEST,
        "answer": answer,
        "finish": "stop",
        "repaired": False,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "latency_s": 0.1234567,
        "recorded": "2026-11-01T10:00:00.000+00:00",
    }
    return Reply(**values | changes)


class TestKey:
    @given(field=st.sampled_from(sorted(REQUEST)), value=json_values)
    def test_changes_with_each_field_of_the_request(self, field, value):
        other = REQUEST | {field: value}
        same = json.dumps(other, sort_keys=True) == json.dumps(REQUEST, sort_keys=True)
        assert (request_key(other, 0, "1") == request_key(REQUEST, 0, "1")) == same

    @given(st.integers(0, 99), st.text(max_size=5), st.integers(0, 99), st.text(max_size=5))
    def test_changes_with_sample_and_version(self, sample, version, other, another):
        same = (sample, version) == (other, another)
        keys = request_key(REQUEST, sample, version), request_key(REQUEST, other, another)
        assert (keys[0] == keys[1]) == same

    @given(st.permutations(sorted(REQUEST)))
    def test_order_does_not_matter(self, names):
        shuffled = {name: REQUEST[name] for name in names}
        assert request_key(shuffled, 0, "1") == request_key(REQUEST, 0, "1")

    def test_is_pinned(self):
        # A change here makes every recording worthless.
        assert request_key(REQUEST, 0, "1")[:16] == "58bbe9f73b72b822"


class TestLines:
    @given(
        answer=st.text(),
        latency=st.floats(0, 1e6),
        tokens=st.integers(0, 1 << 30),
        sample=st.integers(0, 99),
    )
    def test_a_reply_comes_back_from_its_line(self, answer, latency, tokens, sample):
        one = reply(answer=answer, latency_s=latency, prompt_tokens=tokens, sample=sample)
        line = one.to_line()
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        assert Reply.from_line(line) == one

    def test_is_readable_and_diffable(self):
        line = reply(answer="Grüße").to_line().decode()
        assert "Grüße" in line
        names = list(json.loads(line))
        assert names == sorted(names)

    def test_fields_of_later_versions_are_left_alone(self):
        data = json.loads(reply().to_line()) | {"colour": "red"}
        del data["checksum"]
        data["checksum"] = checksum(data)
        assert Reply.from_line(json.dumps(data).encode()) == reply()

    @pytest.mark.parametrize(
        "line",
        [b"[]", b"{", b"{}", b"null", b'{"key": "short"}', b"\xff\xfe"]
        + [
            json.dumps(json.loads(reply().to_line()) | {"checksum": None} | change).encode()
            for change in ({"answer": 3}, {"latency_s": "x"}, {"prompt_tokens": 1.5}, {"key": 1})
        ],
    )
    def test_other_lines_are_refused(self, tmp_path, line):
        path = tmp_path / "r.jsonl"
        path.write_bytes(reply().to_line() + line + b"\n")
        with pytest.raises(RecordingError, match=r"r\.jsonl, line 2"):
            read_lines(path)


class TestFile:
    def test_what_was_added_is_there_at_once(self, tmp_path):
        path = tmp_path / "deep" / "r.jsonl"
        recording = Recording(path)
        recording.add(reply("a"))
        assert path.read_bytes() == reply("a").to_line()
        recording.add(reply("b"))
        recording.close()
        again = Recording(path)
        assert again.replies() == [reply("a"), reply("b")]
        assert reply("a").key in again
        assert again.get("0" * 64) is None

    def test_the_first_reply_of_a_key_stays(self, tmp_path):
        recording = Recording(tmp_path / "r.jsonl")
        recording.add(reply("a", "first"))
        recording.add(reply("a", "second"))
        recording.close()
        assert Recording(recording.path).get(reply("a").key).answer == "first"

    @settings(max_examples=25)
    @given(cut=st.integers(1, 400))
    def test_a_torn_line_is_cut_off_and_the_rest_kept(self, tmp_path_factory, cut):
        path = tmp_path_factory.mktemp("torn") / "r.jsonl"
        whole = reply("a").to_line()
        last = reply("b").to_line()
        path.write_bytes(whole + last[: min(cut, len(last) - 1)])
        recording = Recording(path)
        assert len(recording) == 1
        assert "cut short" in recording.note
        recording.add(reply("c"))
        recording.close()
        assert path.read_bytes() == whole + reply("c").to_line()

    def test_an_empty_file_is_an_empty_recording(self, tmp_path):
        path = tmp_path / "r.jsonl"
        path.write_bytes(b"")
        assert len(Recording(path)) == 0

    def test_not_to_be_written(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(RecordingError, match="file"):
            Recording(tmp_path / "file" / "r.jsonl").open()
        with pytest.raises(RecordingError, match="directory"):
            Recording(tmp_path / "folder.jsonl").path.mkdir() or open_recording(
                tmp_path / "folder.jsonl"
            )

    def test_a_full_disk_leaves_what_was_whole(self, tmp_path, monkeypatch):
        recording = Recording(tmp_path / "r.jsonl")
        recording.add(reply("a"))
        held = recording._file

        class Full:
            def write(self, line):
                held.write(line[: len(line) // 2])
                return len(line) // 2

            def __getattr__(self, name):
                return getattr(held, name)

        recording._file = Full()
        with pytest.raises(RecordingError, match="No space left"):
            recording.add(reply("b"))
        assert recording.path.read_bytes() == reply("a").to_line()
        assert reply("b").key not in recording
        recording._file = held
        recording.close()

    def test_one_process_has_it_once(self, tmp_path):
        path = tmp_path / "r.jsonl"
        one = open_recording(path)
        assert open_recording(tmp_path / "." / "r.jsonl") is one
        one.add(reply("a"))
        assert reply("a").key in open_recording(path)
        one.close()

    def test_what_others_added_is_seen(self, tmp_path):
        path = tmp_path / "r.jsonl"
        one = open_recording(path)
        path.write_bytes(reply("a").to_line())
        assert reply("a").key in open_recording(path)
        with path.open("ab") as file:
            file.write(reply("b").to_line())
        one.open()
        assert reply("b").key in one
        one.close()

    def test_in_memory_only(self):
        recording = open_recording(None)
        recording.open()
        recording.add(reply("a"))
        assert len(recording) == 1
        assert open_recording(None) is not recording

    def test_another_process_holds_it(self, tmp_path):
        path = tmp_path / "r.jsonl"
        program = """
            import sys
            from pathlib import Path
            from twin.assistant.recorded.recording import Recording
            held = Recording(Path(sys.argv[1]))
            held.open()
            print("held", flush=True)
            sys.stdin.read()
        """
        other = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert other.stdout.readline() == b"held\n"
            recording = Recording(path)
            with pytest.raises(RecordingError, match="another process is writing"):
                recording.add(reply("a"))
        finally:
            other.kill()
            other.wait()
            other.stdin.close()
            other.stdout.close()
        # The lock ends with its process, however that ended.
        recording.add(reply("a"))
        recording.close()


class TestMerge:
    def test_by_key_the_first_wins_and_conflicts_are_said(self, tmp_path):
        paths = [tmp_path / "1.jsonl", tmp_path / "2.jsonl"]
        paths[0].write_bytes(reply("a", "one").to_line() + reply("b").to_line())
        paths[1].write_bytes(
            reply("a", "two").to_line() + reply("b").to_line() + reply("c").to_line()
        )
        done = merge(paths, tmp_path / "out.jsonl")
        assert done.replies == 3
        assert done.conflicts == (reply("a").key,)
        merged = Recording(tmp_path / "out.jsonl")
        assert [r.answer for r in merged.replies()] == ["one", "yes", "yes"]

    def test_overwrites_nothing_and_names_what_it_cannot_read(self, tmp_path):
        (tmp_path / "out.jsonl").write_text("mine")
        with pytest.raises(RecordingError, match="is there already"):
            merge([], tmp_path / "out.jsonl")
        with pytest.raises(RecordingError, match=r"none\.jsonl: No such file"):
            merge([tmp_path / "none.jsonl"], tmp_path / "new.jsonl")
        assert (tmp_path / "out.jsonl").read_text() == "mine"
        assert not (tmp_path / "new.jsonl").exists()
