"""Lists of jobs: what is understood, what is one job's problem, and what stops the batch."""

import json
from pathlib import Path, PurePosixPath
from typing import get_args, get_type_hints

import pytest

from g4g.errors import ConfigError, DataError
from g4g.jobs.read import read_jobs, read_option
from g4g.options import DubOptions


def write_list(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_csv_paths_are_relative_to_the_list_and_blank_cells_are_not_given(tmp_path):
    (job,) = read_jobs(
        write_list(
            tmp_path / "jobs.csv",
            "video,audio,out,emphasis,crf,tolerant,voice,speakers,sheet",
            "ann.mp4,de.wav,de/ann.mp4,1.5,20,yes,,,de/ann.png",
        )
    )
    assert job.problem is None and job.source == tmp_path / "ann.mp4" and job.audio == tmp_path / "de.wav"
    assert job.out == PurePosixPath("de/ann.mp4") and job.sheet == PurePosixPath("de/ann.png")
    assert job.options == {"emphasis": 1.5, "crf": 20, "tolerant": True}
    assert job.inputs() == {"source": tmp_path / "ann.mp4", "audio": tmp_path / "de.wav"}


def test_json_lines_and_dictionaries_say_the_same(tmp_path):
    rows = [
        {"avatar": "ann.avatar", "audio": "de.wav", "out": "a.mp4", "face": [3, 4.5], "start_s": 1},
        {"video": "panel.mp4", "out": "b.mp4", "speakers": {"0": "ann.wav", "1": "ben.wav"}},
    ]
    found = read_jobs(write_list(tmp_path / "jobs.jsonl", *map(json.dumps, rows)))
    assert found[0].options == {"face": (3, 4.5), "start_s": 1.0} and found[0].source == tmp_path / "ann.avatar"
    assert found[1].options == {"speakers": {0: tmp_path / "ann.wav", 1: tmp_path / "ben.wav"}}
    assert list(found[1].inputs()) == ["source", "speaker 0", "speaker 1"]
    assert [job.options["start_s"] for job in read_jobs(rows[:1])] == [1.0]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"audio": "a.wav", "out": "o.mp4"}, "either a video or an avatar"),
        ({"video": "v.mp4", "avatar": "v.avatar", "audio": "a.wav", "out": "o.mp4"}, "either a video or an avatar"),
        ({"video": "v.mp4", "out": "o.mp4"}, "no audio"),
        ({"video": "v.mp4", "audio": "a.wav"}, "no out"),
        ({"video": "v.mp4", "audio": "a.wav", "out": "../o.mp4"}, "below the batch's output folder"),
        ({"video": "v.mp4", "audio": "a.wav", "out": ".batch/o.mp4"}, "below the batch's output folder"),
        ({"video": "v.mp4", "audio": "a.wav", "out": "o.mp4", "emphasis": "far"}, "emphasis can not be 'far'"),
        ({"video": "v.mp4", "audio": "a.wav", "out": "o.mp4", "emphasis": 9}, "between 0 .* and 2.5, got 9"),
        ({"video": "v.mp4", "audio": "a.wav", "out": "o.mp4", "tolerant": "perhaps"}, "tolerant can not be 'perhaps'"),
        ({"video": "v.mp4", "audio": "a.wav", "out": "o.mp4", "crf": 1.5}, "crf can not be 1.5"),
    ],
)
def test_what_is_wrong_with_a_row_is_that_jobs_problem(row, words):
    (job,) = read_jobs([row])
    with pytest.raises(ConfigError, match=words):
        raise ConfigError(job.problem)


def test_lines_that_are_no_json_and_rows_that_are_too_long_are_problems_too(tmp_path):
    found = read_jobs(write_list(tmp_path / "jobs.jsonl", "{'video'", "[1]"))
    assert "is no JSON" in found[0].problem and "no JSON object" in found[1].problem
    (job,) = read_jobs(write_list(tmp_path / "jobs.csv", "video,audio,out", "a.mp4,a.wav,b.mp4,what"))
    assert "more cells than the header" in job.problem


def test_a_folder_pairs_each_video_with_its_sounds_and_names_lonely_files(tmp_path):
    for name in (
        "ann.mp4",
        "ann.de.wav",
        "ann.fr.flac",
        "ben.png",
        "ben.wav",
        "alone.mp4",
        "alone.too.wav.txt",
        "x.mp3",
    ):
        (tmp_path / name).touch()
    found = {str(job.out): job for job in read_jobs(tmp_path)}
    assert {out for out, job in found.items() if job.problem is None} == {"ann.de.mp4", "ann.fr.mp4", "ben.mp4"}
    assert "no sound beside" in found["alone.mp4"].problem and "no video beside" in found["x.mp3"].problem


def test_faults_of_the_whole_list_stop_it(tmp_path):
    same = {"video": "v.mp4", "audio": "a.wav", "out": "o.mp4"}
    for jobs, words in (
        (tmp_path / "absent.csv", "does not exist"),
        (write_list(tmp_path / "empty.csv", "video,audio,out"), "holds no job"),
        ([{**same, "emphasys": 1}], "unknown columns emphasys; known are video, avatar"),
        ([same, same], "jobs 1, 2 of the list have the same output o.mp4"),
    ):
        with pytest.raises(DataError, match=words):
            read_jobs(jobs)


def test_every_option_of_a_dub_can_be_a_cell_of_a_list():
    for name, hint in get_type_hints(DubOptions).items():
        cell = {"speakers": "0=a.wav", "sign": "chain.pem;key.pem"}.get(name, "1")
        value = read_option(name, cell, Path())
        plain = tuple(
            {dict: dict, tuple: tuple}.get(getattr(kind, "__origin__", kind), kind) for kind in get_args(hint)
        )
        assert isinstance(value, dict if name == "speakers" else plain or hint)
