"""Flags and the API's arguments agree: same names, same defaults, one home."""

import argparse
import ast
import inspect
import itertools
import subprocess
import sys
from dataclasses import asdict, fields

import pytest

from g4g.cli.flags import name_flag
from g4g.cli.parser import COMMANDS, make_parser
from g4g.dubbing import Dubber
from g4g.metrics.evaluate import evaluate
from g4g.options import (
    BatchOptions,
    DubOptions,
    EvaluateOptions,
    FinetuneOptions,
    LoadOptions,
    ServeOptions,
    TrainOptions,
)
from g4g.training.finetune import finetune
from g4g.training.loop import Plan
from g4g.training.prepare import prepare

LEAST = {
    "dub": ["video", "-o", "out"],
    "batch": ["jobs.csv", "-o", "out"],
    "avatar": ["video", "-o", "out"],
    "faces": ["video"],
    "inspect": ["video"],
    "serve": [],
    "prepare": ["video", "-o", "out"],
    "evaluate": [],
    "finetune": ["video", "-o", "out"],
    "train": ["motion", "data", "-o", "out"],
    "export": ["g4g-tiny", "-o", "out"],
}
"""What each command can not do without."""


def parse(command: str, *words: str) -> dict:
    return vars(make_parser().parse_args([command, *LEAST[command], *words]))


@pytest.mark.parametrize(
    ("command", "settings"),
    [("dub", DubOptions), ("dub", LoadOptions), ("batch", BatchOptions), ("avatar", LoadOptions),
     ("faces", LoadOptions), ("serve", ServeOptions), ("finetune", FinetuneOptions), ("train", TrainOptions),
     ("evaluate", EvaluateOptions)],
)  # fmt: skip
def test_a_flag_that_is_not_given_is_the_default_of_the_api(command, settings):
    parsed, default = parse(command), asdict(settings())
    for field in fields(settings):
        if "flag" in field.metadata and not (command == "train" and field.name == "weights"):
            assert (parsed[field.name] or None) == (default[field.name] or None), field.name


@pytest.mark.parametrize(
    ("command", "function", "names"),
    [
        ("dub", Dubber.from_pretrained, {name: name for name in ("weights", "faces", "device", "engine")}),
        ("avatar", Dubber.make_avatar, {"overwrite": "overwrite", "tolerant": "tolerant"}),
        ("faces", Dubber.list_faces, {"out": "sheet", "tolerant": "tolerant"}),
        ("prepare", prepare, {"faces": "faces", "crop_px": "crop_px", "workers": "workers"}),
        ("evaluate", evaluate, {"json": "json_file"}),
        ("train", Plan, {field.name: field.name for field in fields(TrainOptions)}),
    ],
)
def test_a_command_has_the_defaults_of_its_function(command, function, names):
    parsed, arguments = parse(command), inspect.signature(function).parameters
    assert {flag: parsed[flag] for flag in names} == {flag: arguments[name].default for flag, name in names.items()}


def test_functions_take_every_setting_by_its_name():
    assert inspect.signature(finetune).parameters["settings"].kind is inspect.Parameter.VAR_KEYWORD
    for function in (Dubber.dub, evaluate):
        assert inspect.signature(function).parameters["options"].kind is inspect.Parameter.VAR_KEYWORD
    given = parse("dub", "--start", "1.5", "--crf", "20", "--force", "--speaker", "0=a.wav", "--speaker", "1=b.wav")
    assert (given["start_s"], given["crf"], given["overwrite"]) == (1.5, 20, True)
    assert given["speakers"] == ["0=a.wav", "1=b.wav"]


@pytest.mark.parametrize(
    "settings", [DubOptions, LoadOptions, BatchOptions, EvaluateOptions, FinetuneOptions, ServeOptions, TrainOptions]
)
def test_every_setting_is_explained_twice(settings):
    body = ast.parse(inspect.getsource(settings)).body[0].body
    explained = {
        node.target.id
        for node, after in itertools.pairwise(body)
        if isinstance(node, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }
    assert explained == set(settings.__annotations__)
    assert all(field.metadata.get("help", "API only") for field in fields(settings))


def test_all_help_is_there_and_no_flag_twice():
    commands = next(a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction)).choices
    assert list(commands) == list(LEAST) and len(commands) == len(COMMANDS)
    for name, command in commands.items():
        text = command.format_help()
        assert "None" not in text, name
        for action in command._actions:
            assert action.help, (name, action.option_strings)
    assert name_flag(DubOptions.__dataclass_fields__["overwrite"]) == "--force"


def test_help_loads_nothing_heavy_and_is_quick():
    code = (
        "import sys, time; from g4g.cli.parser import make_parser; make_parser().format_help();"
        "heavy = {'torch', 'numpy', 'rich', 'openvino', 'av'} & set(sys.modules); print(time.process_time(), *heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, *heavy = done.stdout.split()
    assert not heavy and float(seconds) < 0.4  # 0.1 s alone on a machine


def test_python_m_g4g_is_the_command():
    done = subprocess.run([sys.executable, "-m", "g4g", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("g4g ")
