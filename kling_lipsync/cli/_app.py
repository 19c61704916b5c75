"""The commands, and the one place where errors become a line on stderr and an exit status."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

from .._version import __version__
from ..errors import KlingError
from ._console import PROGRAM, abandon_stdout, complete_streams, flush, named, survive_encodings, tell
from ._exits import Exit, exit_of_error

app = App(
    name=PROGRAM,
    help="Lip-sync jobs on Kling AI: many at once, each paid exactly once.",
    help_epilogue="Exit status: 0 all succeeded; 1 some did not; 2 wrong usage, manifest or configuration: nothing was "
    "sent; 3 stopped by an account fault, the budget or too many failures; 4 some are in doubt; 130 interrupted; 143 "
    "terminated.",
    version=__version__,
    default_parameter=Parameter(negative=(), show_default=False),
    help_format="plaintext",
    result_action="return_value",
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
)
# Each command is imported when it is named, so that none waits for another's libraries.
_COMMANDS = {
    "demo": "Runs a small batch against a sandbox on this machine; needs no account.",
    "run": "Runs the jobs of a manifest, or one job.",
    "check": "Checks the jobs of a manifest, and says what they would cost at most; sends nothing to Kling.",
    "faces": "Shows the faces that Kling finds in videos.",
    "status": "Shows a journal in numbers.",
    "report": "Draws a journal as one HTML page.",
    "voices": "Lists the voices that can speak a text.",
    "speak": "Has Kling speak a text.",
    "doctor": "Examines credentials, network, gateway and account; costs nothing.",
    "sandbox": "Runs a sandbox of Kling as a server on this machine.",
}
for name, purpose in _COMMANDS.items():
    app.command(f"kling_lipsync.cli.{name}:{name}", name=name, help=purpose, sort_key=len(app._commands))


def run_app(arguments: Sequence[str]) -> int:
    """Runs the command that ``arguments`` name; its exit status. What goes wrong is told on stderr."""
    complete_streams()
    survive_encodings()
    try:
        return _finished(app(arguments))
    except CycloptsError as error:
        tell(_usage(error))
        return Exit.WRONG_USAGE
    except KlingError as error:
        tell(str(error))
        return exit_of_error(error)
    except KeyboardInterrupt:
        tell("interrupted; the same command goes on")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        abandon_stdout()
        return Exit.UNSUCCESSFUL
    except Exception as error:  # noqa: BLE001 - nothing may end in a traceback that nobody asked for
        _tell_unexpected(error, arguments)
        return Exit.UNSUCCESSFUL


def _usage(error: CycloptsError) -> str:
    said = " ".join(str(error).split())
    if isinstance(error, UnusedCliTokensError):
        said = f"too many arguments: {named(error.unused_tokens or [])}"
    return f"{said} (see: {' '.join([PROGRAM, *(error.command_chain or ()), '--help'])})"


def _finished(status: int | None) -> int:
    flush()
    return status or Exit.SUCCEEDED


def _tell_unexpected(error: Exception, arguments: Sequence[str]) -> None:
    if any(re.fullmatch("-v+|--verbose", argument) for argument in arguments):
        sys.stderr.write("".join(traceback.format_exception(error)))
    told = f"unexpected {type(error).__name__}: {error}"
    tell(f"{' '.join(told.split())}; run it with -v for the traceback, and report it please")
