"""What a class of settings is made of: fields that are flags too, and arguments that are checked at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import field, fields
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from g4g.errors import ConfigError, MediaError

_WORDS: dict[Any, str] = {str: "text", int: "a whole number", float: "a number", bool: "True or False", Path: "a path"}
_WORDS[Callable] = "a function"
_WORDS[NoneType] = "None"


def setting(default: Any, help: str, *, flag: str = "", **how: Any) -> Any:
    """Make a field of a settings class that is also a flag of the command line.

    Args:
        default: of the argument and of the flag; a callable makes it.
        help: the flag's line in `--help`; "%(default)s" stands for the default.
        flag: its name; empty: the field's name with dashes.
        how: what else argparse is told: `metavar`, `choices`, `action`.
    """
    told = {"flag": flag, "help": help, **how}
    if callable(default):
        return field(default_factory=default, metadata=told)
    return field(default=default, metadata=told)


def check_types(settings: object) -> None:
    """Compare each field of a settings object with its annotation and with its choices.

    Raises:
        ConfigError: a value of another type, or none of the choices.
    """
    kinds = get_type_hints(type(settings))
    for one in fields(settings):  # type: ignore[arg-type]
        value = getattr(settings, one.name)
        if not _fits(value, kinds[one.name]):
            raise ConfigError(f"`{one.name}` must be {_describe(kinds[one.name])}, got {value!r}")
        choices = one.metadata.get("choices")
        if choices and value not in choices:
            raise ConfigError(f"`{one.name}` must be one of {', '.join(choices)}, got {value!r}")


def as_path(value: str | os.PathLike, name: str) -> Path:
    """Read the argument `name` as one local path.

    Raises:
        ConfigError: it is no path. MediaError: it is an address on the net.
    """
    if not isinstance(value, str | os.PathLike):
        raise ConfigError(f"`{name}` must be a path, got {value!r}")
    if "://" in str(value):
        raise MediaError(f"{value} is an address; g4g reads files of this machine only: download it first")
    return Path(value)


def as_paths(value: str | os.PathLike | Iterable[str | os.PathLike], name: str) -> list[Path]:
    """Read the argument `name` as a list of paths; a single one is a list of one.

    Raises:
        ConfigError: it is neither. MediaError: one of them is an address on the net.
    """
    if isinstance(value, str | os.PathLike):
        return [as_path(value, name)]
    if not isinstance(value, Iterable):
        raise ConfigError(f"`{name}` must be a path or a list of paths, got {value!r}")
    return [as_path(item, name) for item in value]


def check_exists(paths: Iterable[Path]) -> None:
    """Raise MediaError for the first path that names neither a file nor a folder."""
    for path in paths:
        if not path.exists():
            raise MediaError(f"no such file: {path}")


def _fits(value: object, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is tuple:
        return isinstance(value, tuple) and len(value) == len(inner) and all(map(_fits, value, inner))
    if origin is dict:
        return isinstance(value, dict) and all(_fits(k, inner[0]) and _fits(v, inner[1]) for k, v in value.items())
    if kind in (int, float):  # numpy's numbers too
        return isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
    return isinstance(value, os.PathLike if kind is Path else kind)


def _describe(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(map(_describe, inner))
    if origin is tuple:
        return f"a tuple of {len(inner)} {'numbers' if set(inner) <= {int, float} else 'paths'}"
    if origin is dict:
        return f"a dict from {_describe(inner[0])} to {_describe(inner[1])}"
    return _WORDS.get(kind, kind.__name__)
