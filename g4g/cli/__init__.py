"""The command line: parse, one call, print. Heavy modules load inside the command that needs them."""

from __future__ import annotations

import signal
import sys


def main(arguments: list[str] | None = None) -> None:
    """Run `g4g`; exits with 0, 1 (one line on stderr) or 2 (usage)."""
    from g4g.cli.flags import name_flags
    from g4g.cli.parser import make_parser
    from g4g.errors import G4GError

    arguments = sys.argv[1:] if arguments is None else arguments
    # Whoever ends us politely gets what Ctrl-C gives: no half output, no work folder, the best of a training so far.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        options = make_parser().parse_args(arguments)
        options.run(options)
    except G4GError as error:
        if "--debug" in arguments:
            raise
        print(f"g4g: {name_flags(str(error))}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("g4g: interrupted", file=sys.stderr)
        sys.exit(130)
