"""The command line as a page of Markdown, generated from the parser."""

from __future__ import annotations

import argparse

from g4g.cli.parser import make_parser


def write_manual() -> str:
    """Describe every command: what it does, its arguments and their defaults."""
    parser = make_parser()
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return "\n".join(_describe_command(name, command) for name, command in commands.choices.items())


def _describe_command(name: str, parser: argparse.ArgumentParser) -> str:
    lines = [f"## g4g {name}", "", parser.description or "", "", "| argument | what |", "|---|---|"]
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction):
            lines.append(f"| {_name_argument(action)} | {_explain(action)} |")
    return "\n".join([*lines, ""])


def _name_argument(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{action.dest}`"
    value = "" if action.nargs == 0 or action.choices else action.metavar or action.dest.upper()
    return ", ".join(f"`{flag} {value}`" if value else f"`{flag}`" for flag in action.option_strings)


def _explain(action: argparse.Action) -> str:
    words = (action.help or "") % {"default": action.default}
    choices = f"One of {', '.join(f'`{choice}`' for choice in action.choices)}: " if action.choices else ""
    needed = " (needed)" if action.required and action.option_strings else ""
    return (choices + words + needed).replace("|", "\\|")
