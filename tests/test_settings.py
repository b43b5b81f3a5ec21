"""Arguments of the API: a wrong type, a wrong name or a path that is none is one sentence, at once."""

import inspect
from pathlib import Path

import numpy as np
import pytest

import g4g
from g4g.cli.flags import name_flags
from g4g.errors import ConfigError, DataError, MediaError
from g4g.faces.backends import BACKENDS
from g4g.jobs.batch import batch
from g4g.metrics.evaluate import evaluate
from g4g.options import FACE_BACKENDS, DubOptions, FinetuneOptions, LoadOptions
from g4g.settings import as_paths
from g4g.training.finetune import finetune
from g4g.training.prepare import prepare


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"face": 1.5}, r"`face` must be text or a whole number or a tuple of 2 numbers or None, got 1\.5"),
        ({"face": [1, 2]}, "`face` must be"),
        ({"face": True}, "`face` must be"),
        ({"face": "ann"}, "`face` must be speaker, left, right, largest, a number, or x,y in pixels; got 'ann'"),
        ({"speakers": ["a.wav"]}, "`speakers` must be a dict from a whole number to text or a path"),
        ({"speakers": {"0": "a.wav"}}, "`speakers` must be a dict"),
        ({"speakers": {0: None}}, "`speakers` must be a dict"),
        ({"emphasis": "1"}, "`emphasis` must be a number, got '1'"),
        ({"emphasis": float("nan")}, "`emphasis` must lie between"),
        ({"emphasis": True}, "`emphasis` must be a number"),
        ({"length": "long"}, "`length` must be one of audio, video, got 'long'"),
        ({"mix": None}, "`mix` must be text, got None"),
        ({"crf": 20.5}, "`crf` must be a whole number or None"),
        ({"start_s": "1"}, "`start_s` must be a number or None"),
        ({"overwrite": "yes"}, "`overwrite` must be True or False"),
        ({"voice": 3}, "`voice` must be text or a path or None"),
    ],
)
def test_a_setting_of_a_wrong_kind_is_told_at_once(given, words):
    with pytest.raises(ConfigError, match=words):
        DubOptions(**given)


def test_numbers_of_numpy_and_paths_are_taken():
    DubOptions(face=np.int64(1), emphasis=np.float32(1.5), crf=np.int8(3), sheet=Path("a.png"))
    DubOptions(face=(1, 2.5), emphasis=1)
    FinetuneOptions(minutes=1, data=Path("data"))


@pytest.mark.parametrize(
    ("given", "words"),
    [({"faces": "zz"}, "unknown face backend 'zz'; `faces` is one of mediapipe, face-alignment"),
     ({"weights": None}, "`weights` must be text or a path"), ({"device": 0}, "`device` must be text")],
)  # fmt: skip
def test_loading_checks_its_arguments_first(given, words):
    for call in (LoadOptions, g4g.Dubber.from_pretrained):
        with pytest.raises(ConfigError, match=words):
            call(**given)
    assert tuple(BACKENDS) == FACE_BACKENDS


def test_no_such_face_backend_is_told_by_every_function(tmp_path):
    for call in (
        lambda: prepare(tmp_path, tmp_path, faces="zz"),
        lambda: finetune(tmp_path, tmp_path / "ann.safetensors", faces="zz"),
        lambda: evaluate("a.mp4", "a.mp4", faces="zz"),
    ):
        with pytest.raises(ConfigError, match="unknown face backend 'zz'"):
            call()


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((None, "a.wav", "out.mp4"), {}, ConfigError, "`video` must be a path, got None"),
        (("a.mp4", None, "out.mp4"), {}, ConfigError, "no sound given: name an `audio`"),
        (("a.mp4", 1, "out.mp4"), {}, ConfigError, "`audio` must be a path, got 1"),
        (("a.mp4", "a.wav", None), {}, ConfigError, "`out` must be a path, got None"),
        (("a.mp4", "a.wav", "out.mp4"), {"emphasys": 1}, ConfigError, "no argument emphasys; it has face, speakers"),
        (("https://a.org/b.mp4", "a.wav", "out.mp4"), {}, MediaError, "an address; g4g reads files of this"),
    ],
)
def test_dub_checks_its_arguments_before_any_work(arguments, options, error, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dubber = g4g.Dubber.from_pretrained("g4g-tiny")
    with pytest.raises(error, match=words):
        dubber.dub(*arguments, **options)


def test_an_avatar_checks_its_arguments_before_any_work(tmp_path, portrait_file):
    dubber = g4g.Dubber.from_pretrained("g4g-tiny")
    for given in ({"adapt_minutes": "2"}, {"adapt_data": 3}):
        with pytest.raises(ConfigError, match=f"`{next(iter(given))}` must be"):
            dubber.make_avatar(portrait_file, tmp_path / "a.avatar", **given)


def test_one_path_is_a_list_of_one_and_never_a_list_of_letters(tmp_path):
    absent = str(tmp_path / "absent.mp4")
    assert as_paths(absent, "clips") == as_paths(Path(absent), "clips") == as_paths([absent], "clips")
    for call in (lambda: prepare(absent, tmp_path / "data"), lambda: finetune(absent, tmp_path / "ann.safetensors")):
        with pytest.raises(MediaError, match="no such file: .*absent.mp4"):
            call()
    (clip,) = evaluate(absent, absent).clips
    assert "no such file" in clip.error
    with pytest.raises(DataError, match="no dubbed video given"):
        evaluate([], [])
    for wrong in (None, 3, [3]):
        with pytest.raises(ConfigError, match="`outputs` must be a path"):
            evaluate(wrong, absent)


@pytest.mark.parametrize(
    ("given", "words"),
    [({"identity": "dlib"}, "`identity` must be a function or None, got 'dlib'"), ({"judge": 1}, "`judge` must be")],
)
def test_evaluate_checks_its_settings_first(given, words):
    with pytest.raises(ConfigError, match=words):
        evaluate("a.mp4", "a.mp4", **given)


@pytest.mark.parametrize(("function", "first"), [(batch, "weights"), (evaluate, "judge"), (finetune, "weights")])
def test_a_name_that_no_setting_has_is_told_by_every_function(function, first, tmp_path):
    words = f"{function.__name__} has no argument jugde; it has {first}, "
    with pytest.raises(ConfigError, match=words):
        function("a.mp4", tmp_path / "out", jugde="g4g-judge")


def test_sentences_of_the_command_line_name_flags():
    said = name_flags(
        "`start_s`, `overwrite=True`, `tolerant=True`, `audio` and `speakers`; `g4g faces` and `unknown` stay"
    )
    assert said == "--start, --force, --tolerant, --audio and --speaker; `g4g faces` and `unknown` stay"


def test_all_callbacks_have_one_signature():
    callback = "Callable[[str, int, int], None] | None"
    for function in (prepare, finetune, evaluate):
        assert inspect.signature(function).parameters["progress"].annotation == callback, function
