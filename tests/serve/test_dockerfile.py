"""The Dockerfile agrees with the package: its command, port, extra, Python and folders are those that g4g has."""

import configparser
import json
import re
import subprocess
import tempfile
from pathlib import Path

import pytest

from g4g import __version__
from g4g.cli.parser import make_parser
from g4g.options import ServeOptions


@pytest.fixture(scope="module")
def steps(repo_root) -> dict[str, list[str]]:
    """The Dockerfile's instructions by their names, in order."""
    text = (repo_root / "docker" / "Dockerfile").read_text()
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
    assert [int(port) for port in steps["EXPOSE"]] == [options.port] == [ServeOptions().port]


def test_it_installs_the_wheel_that_is_built_with_an_extra_that_exists(steps, setup, tmp_path):
    (copied,) = steps["COPY"]
    source, target = copied.split()
    (tmp_path / f"g4g-{__version__}-py3-none-any.whl").touch()
    assert [file.name for file in tmp_path.glob(Path(source).name)] == [f"g4g-{__version__}-py3-none-any.whl"]
    (install,) = [step for step in steps["RUN"] if step.startswith("pip")]
    wheel, extra = re.search(r'"\$\(ls (\S+)\)\[(\w+)\]"', install).groups()
    assert wheel == target + Path(source).name and extra in setup["options.extras_require"]
    shell = install.replace("pip install", "printf '%s\n'").replace(target, f"{tmp_path}/")
    words = subprocess.run(["bash", "-ec", shell], capture_output=True, text=True, check=True).stdout.splitlines()
    assert words[-1] == f"{tmp_path}/g4g-{__version__}-py3-none-any.whl[serve]"


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
