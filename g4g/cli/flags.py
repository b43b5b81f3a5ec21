"""Flags of the command line from the fields of a settings class, so that both have one default."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import Any

from g4g.options import BatchOptions, DubOptions, EvaluateOptions, FinetuneOptions, LoadOptions, TrainOptions

_ARGUMENT = re.compile(r"`(\w+)(?:=\w+)?`")
"""How sentences of the API name an argument."""
_NUMBERS = {"int": int, "float": float}


def add_settings(parser: argparse.ArgumentParser, settings: type, only: Iterable[str] | None = None) -> None:
    """Add a flag for each field of a settings class that `g4g.options.setting` made.

    Args:
        parser: of one command.
        settings: a dataclass of `g4g.options`.
        only: names of fields; None: all.
    """
    for field in _list_flags(settings, only):
        how = {key: value for key, value in field.metadata.items() if key != "flag"}
        kind = str(field.type).removesuffix(" | None")
        if kind == "bool":
            how["action"] = "store_false" if field.default else "store_true"
        elif kind in _NUMBERS:
            how["type"] = _NUMBERS[kind]
        default = [] if how.get("action") == "append" else field.default
        parser.add_argument(name_flag(field), dest=field.name, default=default, **how)


def read_settings(options: argparse.Namespace, settings: type, only: Iterable[str] | None = None) -> dict[str, Any]:
    """Return what was parsed by the names of the fields, for the class or the function that takes them."""
    parsed = {field.name: getattr(options, field.name) for field in _list_flags(settings, only)}
    several = [field.name for field in _list_flags(settings, only) if "nargs" in field.metadata]
    return parsed | {name: tuple(parsed[name]) for name in several if parsed[name] is not None}


def name_flag(field: Field) -> str:
    """Name the flag of a field."""
    return field.metadata["flag"] or "--" + field.name.replace("_", "-")


def name_flags(words: str) -> str:
    """Put flags in the place of arguments in a sentence of the API: `tolerant=True` becomes --tolerant."""
    return _ARGUMENT.sub(lambda match: _flag_names().get(match[1], match[0]), words)


@cache
def _flag_names() -> dict[str, str]:
    names = {"audio": "--audio", "out": "-o", "video": "the video", "audios": "--audio", "references": "--reference"}
    names["trust"] = "--trust"
    for settings in (BatchOptions, TrainOptions, EvaluateOptions, FinetuneOptions, LoadOptions, DubOptions):
        names |= {field.name: name_flag(field) for field in _list_flags(settings, None)}
    return names


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Add --debug, which every command has."""
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def _list_flags(settings: type, only: Iterable[str] | None) -> list[Field]:
    wanted = None if only is None else set(only)
    listed = [field for field in fields(settings) if "flag" in field.metadata]
    for field in listed:
        assert field.default is not MISSING or field.metadata.get("action") == "append", f"{field.name} has no default"
    return [field for field in listed if wanted is None or field.name in wanted]
