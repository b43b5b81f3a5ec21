"""The words: commands of the pages are understood, links lead somewhere, errors are explained, the site builds."""

import ast
import importlib.util
import inspect
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import g4g.errors
from g4g.cli.manual import write_manual
from g4g.cli.parser import make_parser

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = [
    (page.name, command.strip())
    for page in PAGES
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.S)
    for line in block.splitlines()
    for command in line.split("#")[0].split("&&")
    if command.strip().startswith("g4g ") and "..." not in command and "COMMAND" not in command
]
"""Every complete g4g command that a page shows."""


def test_the_pages_show_commands():
    assert len(COMMANDS) >= 15 and {"README.md", "index.md"} <= {page for page, _ in COMMANDS}


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_of_a_page_can_be_given(page, command):
    words = shlex.split(command)[1:]
    if words != ["--version"]:
        assert make_parser().parse_args(words).run


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_error_class_is_explained():
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    for name, _ in inspect.getmembers(g4g.errors, inspect.isclass):
        assert f"| `{name}` |" in page, name


def test_every_sentence_that_is_explained_is_still_said():
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    rows = re.findall(r"^\| (`[^|]+) \|", page.split("## The video")[1], re.M)
    sentences = [sentence for row in rows for sentence in re.findall(r"`([^`]+)`", row)]
    said = "\n".join(_read_sentences())
    assert len(sentences) > 60
    for sentence in sentences:
        pattern = ".+".join(map(re.escape, re.split(r"\b[A-Z]{4,}\b", sentence)))
        assert re.search(pattern, said), sentence


def _read_sentences() -> list[str]:
    """List all texts in g4g's sources, "~" in the place of what differs."""
    texts = []
    for file in (ROOT / "g4g").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                texts.append("".join(str(p.value) if isinstance(p, ast.Constant) else "~" for p in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value.replace("\n", " "))
    return texts


def test_the_manual_has_every_flag_with_its_default():
    manual = write_manual()
    commands = make_parser()._subparsers._group_actions[0].choices
    for name, command in commands.items():
        part = manual.split(f"## g4g {name}\n")[1].split("\n## ")[0]
        for action in command._actions:
            for flag in action.option_strings:
                assert flag in part or flag in ("-h", "--help"), (name, flag)
    assert "(g4g-small)" in manual and "%(" not in manual and "==SUPPRESS==" not in manual


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="needs the extra docs: pip install g4g[docs]")
def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    api, cli = ((tmp_path / "site" / name / "index.html").read_text() for name in ("api", "cli"))
    for name in ("from_pretrained", "make_avatar", "list_faces", "emphasis", "finetune", "evaluate", "MediaError"):
        assert name in api, name
    assert "g4g finetune" in cli and "--emphasis" in cli
    fetched = re.findall(r"(?:src|href)=\"?(https?://[^\"\s>]+)", api + cli)
    assert not [url for url in fetched if url.endswith((".js", ".css", ".woff2"))]  # nothing is fetched from the net
