"""The command line: parse, one call, print. Heavy modules load inside the command that needs them."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading


def main(arguments: list[str] | None = None) -> None:
    """Run `g4g`; exits with 0, 1 (one line on stderr) or 2 (usage)."""
    _take_end_for_interrupt()
    if status := _run(sys.argv[1:] if arguments is None else arguments):
        # Only now is all let go that the error's traceback held: threads that still work end before Python does.
        gc.collect()
        sys.exit(status)


def _run(arguments: list[str]) -> int:
    from g4g.cli.flags import name_flags
    from g4g.cli.parser import make_parser
    from g4g.errors import G4GError
    from g4g.threads import use_threads

    try:
        options = make_parser().parse_args(arguments)
        use_threads()
        options.run(options)
    except G4GError as error:
        if "--debug" in arguments:
            raise
        print(f"g4g: {name_flags(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("g4g: interrupted", file=sys.stderr)
        return 130
    return 0


def _take_end_for_interrupt() -> None:
    """Let SIGTERM do what Ctrl-C does: no half output, no work folder, the best of a training so far."""
    if threading.current_thread() is not threading.main_thread():  # only there signals can be handled
        return
    owner = os.getpid()

    def end(number: int, frame: object) -> None:
        if os.getpid() == owner:
            signal.raise_signal(signal.SIGINT)
        else:  # a worker that was forked, and may ignore Ctrl-C: its parent ends it
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    signal.signal(signal.SIGTERM, end)
