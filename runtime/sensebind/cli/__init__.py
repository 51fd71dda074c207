# SPDX-License-Identifier: Apache-2.0
"""The command line. Nothing heavy is imported before a command runs.

Exit codes: 0 done, 1 failed, 2 bad usage or input, 130 interrupted, 143 terminated.
`SENSEBIND_DEBUG=1` shows the traceback behind an error.
"""

import atexit
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer

from sensebind.cli import (
    bench,
    bundle,
    demo,
    doctor,
    embed,
    external,
    live,
    output,
    recover,
    replay,
    search,
    service,
    warmup,
)
from sensebind.errors import Interrupted, SenseBindError
from sensebind.flow.signals import raised_again
from sensebind.version import __version__

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

INTERRUPTED = 130  # 128 + SIGINT, as shells report it

_COMMANDS: dict[str, Callable[..., None]] = {
    "demo": demo.demo,
    "replay": replay.replay,
    "live": live.live,
    "run": service.run,
    "embed": embed.embed,
    "search": search.search,
    "bench": bench.bench,
    "doctor": doctor.doctor,
    "recover": recover.recover,
    "warmup": warmup.warmup,
}
_GROUPS = {"bundle": bundle.app}

# Typer carries its own copy of Click since 0.26, so the base class is found by a public name.
_UsageProblem = cast(
    "type[Exception]",
    next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"),
)


def main() -> None:
    """Run the command of `sys.argv` and exit with its code."""
    received: list[int] = []
    code, leaving = INTERRUPTED, False

    def interrupt(number: int, _frame: object) -> None:
        """Have what was begun removed; a second signal cuts that short, others have no effect."""
        if number != signal.SIGALRM:
            received.append(number)
        if len(received) <= 2 and not leaving:
            raise Interrupted

    with raised_again(interrupt), suppress(Interrupted):
        with suppress(Interrupted):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) is not signal.SIG_IGN:  # of nohup, a background job
                    signal.signal(number, interrupt)
            code = _run_to_its_end(received)
        leaving = True
    _leave(128 + received[0] if received else code)


def _run_to_its_end(received: Sequence[int]) -> int:
    """Run the command; what comes of something that a signal cut short is no error of its own."""
    try:
        return run(sys.argv[1:])
    except Exception:
        if not received:
            raise
        return _fail("interrupted", INTERRUPTED)


def _leave(code: int) -> NoReturn:
    """Exit; at once where a thread was left behind.

    One that comes back from a library while Python is taken apart is ended in there, which aborts
    the program: "terminate called without an active exception".
    """
    if threading.active_count() > 1:
        atexit._run_exitfuncs()  # noqa: SLF001 - os._exit leaves them out
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command; an error becomes one line on stderr.

    Returns:
        the exit code.
    """
    try:
        with output.warnings_on_stderr():
            code = _dispatch(list(arguments) or ["--help"])
        sys.stdout.flush()
    except SenseBindError as error:
        return _fail(str(error), error.exit_code)
    except (BrokenPipeError, SystemExit):  # Typer turns the first into the second
        return _reader_left()
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except _UsageProblem as error:
        return _fail(_explain(error), 2)
    except OSError as error:  # of a file that nobody expected to be refused
        return _fail(_told(error), 1)
    except MemoryError:
        return _fail("there is not enough memory; end other programs, or give less at once", 1)
    return _fail("interrupted", code) if code == INTERRUPTED else code


def _dispatch(arguments: list[str]) -> int:
    name = arguments[0]
    builtin = name in _COMMANDS or name in _GROUPS
    others = {} if builtin else external.commands()
    if name in others:
        application, program = external.load(others[name]), f"sensebind {name}"
        arguments = arguments[1:]
    else:
        application, program = whole_application(others), "sensebind"
    command = typer.main.get_command(application)
    with external.explaining_missing_packages(name if name in others else None):
        code = command.main(args=arguments, prog_name=program, standalone_mode=False)
    return code if isinstance(code, int) else 0


def whole_application(others: Mapping[str, "EntryPoint"]) -> typer.Typer:
    """The commands built in; `others` are listed in the help and run elsewhere."""
    application = typer.Typer(name="sensebind", add_completion=False)
    application.callback()(_sensebind)
    for name, function in _COMMANDS.items():
        application.command(name)(function)
    for name, group in _GROUPS.items():
        application.add_typer(group, name=name)
    for name, entry_point in others.items():
        application.command(name, help=external.described(entry_point))(_run_elsewhere)
    return application


def _run_elsewhere() -> None:
    """Stands for a command of another package in the list of commands."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sensebind {__version__}")
        raise typer.Exit


def _sensebind(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """A robot's live senses in one embedding space."""


def _fail(message: str, code: int) -> int:
    if os.environ.get("SENSEBIND_DEBUG") == "1":
        traceback.print_exc()
    output.error(message)
    return code


def _told(error: OSError) -> str:
    """What the system refused, of which file, and the fix."""
    from sensebind.sinks.atomic import reason_and_fix

    if isinstance(error, PermissionError):
        return f"{error.filename}: {error.strerror}; check its rights and those of its folders"
    return f"{error.filename or 'a file'}: {reason_and_fix(error)}"


def _explain(error: Exception) -> str:
    """The usage error of Typer, with the command whose help tells more."""
    message = str(getattr(error, "message", "")) or str(error)
    formatted = getattr(error, "format_message", lambda: message)()
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "sensebind"
    return f"{formatted.rstrip('.')}; see: {path} --help"


def _reader_left() -> int:
    """Whoever read our output has enough; nothing may be written when Python shuts down."""
    sys.stdout = sys.__stdout__
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 1
