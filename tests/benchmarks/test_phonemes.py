"""The benchmark of known sounds: its tables on planted scores, its faces, and one dub by tiny networks."""

import argparse
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from phonemes import (
    Result,
    attempt,
    choose_portraits,
    compare_streams,
    list_faces,
    ping_pong_trace,
    run,
    tabulate,
)
from sentences import SENTENCES

from g4g.errors import DataError, FaceError
from g4g.metrics import MouthTrace, Phoneme, score_phonemes
from g4g.metrics.espeak import LANGUAGES, has_espeak


def test_there_are_sentences_in_every_language():
    assert set(SENTENCES) == set(LANGUAGES.values())
    assert all(len(sentences) == 6 for sentences in SENTENCES.values())


def test_tables_average_by_language_and_by_face_and_count_failures():
    sounds = [Phoneme("pa"[i % 2], 0.2 * i, 0.2 * i + 0.2) for i in range(20)]
    gap = np.tile([0.0] * 5 + [0.2] * 5, 10)
    times = np.arange(100) / 25
    good = score_phonemes(sounds, MouthTrace(times, gap, gap, gap))
    bad = replace(good, closed_share=0.5, lag_frames=3)
    results = [Result("w", "en", "ann", good), Result("w", "en", "ben", bad), Result("w", "de", "ann", good)]

    def fail():
        raise FaceError("no face")

    results.append(attempt("w", "de", "ben", fail))
    by_language, by_face = tabulate(results, "language"), tabulate(results, "face")
    assert "| w | en | 2 | 75% |" in by_language and "| w | de | 1 | 100% |" in by_language
    assert "| w | ann | 2 | 100% |" in by_face and "| w | ben | 1 | 50% |" in by_face
    assert by_language.splitlines()[-1].startswith("| w | all | 3 | 83% |")
    assert by_language.splitlines()[-1].endswith("| 50% |"), "a dub that failed is not within one frame"
    assert results[-1].error == "no face"


def test_streams_are_compared_with_dubs_of_the_same_face_and_sound():
    sounds = [Phoneme("pafu"[i % 4], 0.2 * i, 0.2 * i + 0.2) for i in range(40)]
    gap, times = np.tile([0.0] * 5 + [0.2] * 5, 20), np.arange(200) / 25
    dub = score_phonemes(sounds, MouthTrace(times, gap, gap, gap))
    dub = replace(dub, closed_share=0.9, rounding_auc=0.7)
    near, far = replace(dub, closed_share=0.88), replace(dub, closed_share=0.86, rounding_auc=0.75)
    alone = replace(dub, closed_share=0.1)
    for streamed, words in ((near, "closed -2.0, .*: reached$"), (far, "-4.0, .*MISSED by closed, AUC rounded$")):
        results = [Result("w", "en", "ann", dub), Result("w stream", "en", "ann", streamed)]
        results += [Result("w", "de", "ann", alone), Result("w stream", "de", "ann", None, "no face")]
        (sentence,) = compare_streams(results)
        assert sentence.startswith("w: 1 streams") and re.search(words, sentence), sentence
    assert compare_streams([Result("w", "en", "ann", dub)]) == []


def test_a_trace_is_played_to_and_fro():
    values = np.arange(4.0)
    mouth = ping_pong_trace(MouthTrace(values / 25, values, -values, 2 * values), 10 / 25)
    assert mouth.gap.tolist() == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]
    assert mouth.times_s[-1] == pytest.approx(9 / 25)
    still = ping_pong_trace(MouthTrace(np.zeros(1), np.ones(1), np.ones(1), np.ones(1)), 1.0)
    assert still.gap.tolist() == [1] * 25


def test_portraits_are_held_out_frontal_and_large(tmp_path):
    rows = ["number,face_width_px,yaw_deg,smiling,split", "1,100,0,yes,validate", "2,150,0,yes,validate",
            "3,300,0,yes,train", "4,300,20,yes,validate", "5,120,0,yes,validate", "6,90,1,no,validate"]  # fmt: skip
    (tmp_path / "index.csv").write_text("\n".join(rows))
    chosen = {name: path.stem for name, path in choose_portraits(tmp_path).items()}
    assert chosen == {"portrait-smiling-1": "2", "portrait-smiling-2": "5", "portrait-calm-1": "6"}


def test_all_faces_are_there(data_dir):
    faces = list_faces(data_dir)
    assert len(faces) >= 8 and {"wild-glasses", "wild-moving", "actor"} <= set(faces)
    assert sum(name.startswith("portrait") for name in faces) == 4
    with pytest.raises(DataError, match="not found: nobody"):
        list_faces(data_dir, ["s4", "nobody"])


@pytest.mark.slow
@pytest.mark.skipif(not has_espeak(), reason="needs espeak-ng: apt-get install espeak-ng")
def test_one_dub_and_one_stream_are_measured_and_taken_again(data_dir, tmp_path):
    options = argparse.Namespace(
        weights=["g4g-tiny-live"], languages=["en"], faces=["unseen"], data=str(data_dir), sentences=1, stream=True,
        out=str(tmp_path), reuse=True,
    )  # fmt: skip
    results = run(options)
    rows = ["g4g-tiny-live", "g4g-tiny-live stream", "undubbed"]
    assert [(r.weights, r.language, r.face, r.error) for r in results] == [(row, "en", "unseen", "") for row in rows]
    assert all(r.score.closures >= 4 for r in results)
    files = [tmp_path / row / "en-1" / "unseen.mp4" for row in rows[:2]] + [tmp_path / rows[1] / "unseen.avatar"]
    made = [file.stat().st_mtime_ns for file in files]
    assert run(options) == results and [file.stat().st_mtime_ns for file in files] == made
    assert len(json.loads((tmp_path / "phonemes.json").read_text())["results"]) == 3
    assert "g4g-tiny-live: 1 streams" in compare_streams(results)[0]
