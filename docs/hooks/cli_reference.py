# SPDX-License-Identifier: Apache-2.0
"""The command line as a page: every command with its arguments and options, from their help."""

from __future__ import annotations

import typer
from typer.cli import get_docs_for_click

from sensebind import cli
from sensebind.cli import external

_HEAD = """# Command line

What `--help` tells, of every command. Exit codes: 0 done, 1 failed, 2 bad usage or input,
130 interrupted, 143 terminated. `SENSEBIND_DEBUG=1` shows the traceback behind an error.

"""


def page() -> str:
    """All commands, those of the other packages too."""
    parts = [_told("sensebind", cli.whole_application({}), indent=1)]
    for name, point in external.commands().items():
        parts.append(_told(f"sensebind {name}", external.load(point), indent=1))
    return _HEAD + "\n".join(parts)


def _told(name: str, application: typer.Typer, *, indent: int) -> str:
    command = typer.main.get_command(application)
    context = typer.Context(command, info_name=name)
    return get_docs_for_click(obj=command, ctx=context, name=name, indent=indent)
