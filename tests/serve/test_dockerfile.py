"""The Dockerfiles agree with the package: command, port, extras, Python and folders; their steps run as a script."""

import configparser
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from g4g import __version__
from g4g.cli.parser import make_parser
from g4g.options import ServeOptions

FILES = {"Dockerfile": "cpu", "Dockerfile.cuda": "cuda"}
"""The files, and the device that each is for."""


@pytest.fixture(scope="module", params=FILES)
def steps(request, repo_root) -> dict[str, list[str]]:
    """A Dockerfile's instructions by their names, in order."""
    return read_steps(repo_root / "docker" / request.param) | {"device": FILES[request.param]}


def read_steps(file: Path) -> dict[str, list[str]]:
    text = file.read_text()
    lines = [line for line in text.splitlines() if line[:1] not in ("", "#")]
    found: dict[str, list[str]] = {}
    for line in lines:
        name, what = line.split(" ", 1)
        found.setdefault(name, []).append(what)
    return found


@pytest.fixture(scope="module")
def setup(repo_root) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(repo_root / "setup.cfg")
    return parser


def test_what_it_starts_is_a_command_of_g4g_that_listens_where_the_port_is_open(steps):
    program, *arguments = json.loads(steps["ENTRYPOINT"][0])
    options = make_parser().parse_args(arguments)
    assert program == "g4g" and options.run.__module__ == "g4g.cli.serve" and options.host == "0.0.0.0"
    assert options.device == steps["device"]
    assert [int(port) for port in steps["EXPOSE"]] == [options.port] == [ServeOptions().port]


def test_it_installs_the_wheel_that_is_built_with_an_extra_that_exists(steps, setup, tmp_path):
    (copied,) = steps["COPY"]
    source, target = copied.split()
    (tmp_path / f"g4g-{__version__}-py3-none-any.whl").touch()
    assert [file.name for file in tmp_path.glob(Path(source).name)] == [f"g4g-{__version__}-py3-none-any.whl"]
    (install,) = [step for step in steps["RUN"] if step.startswith("pip")]
    wheel, extras = re.search(r'"\$\(ls (\S+)\)\[([\w,]+)\]"', install).groups()
    assert wheel == target + Path(source).name and set(extras.split(",")) <= set(setup["options.extras_require"])
    assert ("whl/cpu" in install) == (steps["device"] == "cpu"), "torch of PyPI is the CUDA build"
    shell = install.replace("pip install", "printf '%s\n'").replace(target, f"{tmp_path}/")
    words = subprocess.run(["bash", "-ec", shell], capture_output=True, text=True, check=True).stdout.splitlines()
    assert words[-1] == f"{tmp_path}/g4g-{__version__}-py3-none-any.whl[serve,speech]"


def test_its_python_is_one_that_g4g_runs_on(steps, setup):
    image = tuple(map(int, re.match(r"python:(\d+)\.(\d+)-slim$", steps["FROM"][0]).groups()))
    least = tuple(map(int, setup["options"]["python_requires"].removeprefix(">=").split(".")))
    assert image >= least


def test_the_volume_is_where_the_certificate_is_kept_and_its_user_may_write_there(steps, monkeypatch):
    from g4g.provenance.signer import config_folder

    (user,), (volume,) = steps["USER"], steps["VOLUME"]
    for name in ("G4G_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", f"/home/{user}")
    assert str(config_folder()) == volume
    (make,) = [step for step in steps["RUN"] if "useradd" in step]
    assert f"-o {user}" in make and make.endswith(volume) and "-m 700" in make


def test_every_step_is_sound_shell(steps):
    with tempfile.TemporaryDirectory() as folder:
        for step in steps["RUN"]:
            subprocess.run(["bash", "-n", "-c", step], cwd=folder, check=True)


@pytest.mark.slow
def test_the_steps_run_as_a_script(repo_root, tmp_path):
    """COPY, pip and ENTRYPOINT in an environment of their own; what they need is this one's, nothing is fetched."""
    for name in ("gradio", "espeakng_loader"):
        pytest.importorskip(name, reason="needs the extras serve and speech")
    source, wheels, python = tmp_path / "source", tmp_path / "dist", tmp_path / "venv" / "bin" / "python"
    for name in ("g4g", "weights"):
        shutil.copytree(repo_root / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(repo_root / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), "."]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (packages / "all.pth").write_text(sysconfig.get_paths()["purelib"])
    (python.parent / "pip").write_text(f'#!/bin/sh\nexec {python} -m pip "$@"\n')
    (python.parent / "pip").chmod(0o755)
    environment = {"PATH": f"{python.parent}:/usr/bin:/bin", "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    run = lambda words, **more: subprocess.run(  # noqa: E731
        words, env=environment, cwd=tmp_path, capture_output=True, text=True, **more
    )
    for name in FILES:
        steps = read_steps(repo_root / "docker" / name)
        (install,) = [step for step in steps["RUN"] if step.startswith("pip")]
        target = steps["COPY"][0].split()[1]
        done = run(["bash", "-ec", install.replace(target, f"{wheels}/")])
        assert done.returncode == 0, done.stdout + done.stderr
        assert "usage: g4g serve" in run([*json.loads(steps["ENTRYPOINT"][0]), "--help"]).stdout
        assert run([python, "-c", "import g4g; print(g4g.__file__)"]).stdout.startswith(str(packages))
        assert run(["pip", "uninstall", "-y", "g4g"]).returncode == 0
