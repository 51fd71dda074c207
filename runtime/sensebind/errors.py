# SPDX-License-Identifier: Apache-2.0
"""The one exception family of SenseBind.

Every message names the offending value, what was expected and the fix. `exit_code` is what the
command line returns for it: 2 for bad usage or input, 1 for work that failed on the way.
"""

from __future__ import annotations


class SenseBindError(Exception):
    """Base of every error a user can cause or meet."""

    exit_code = 1


class InputError(SenseBindError):
    """A value, file or option from the user cannot be used as given."""

    exit_code = 2


class ConfigError(InputError):
    """A configuration field has the wrong name, type or range."""


class CalibrationError(ConfigError):
    """A calibration belongs to another stream, sensor, rate or time than it is applied to."""


class BundleError(InputError):
    """A bundle folder is missing, damaged or lacks what was asked of it."""


class SourceError(InputError):
    """A recording, file or device cannot be read as asked."""


class SinkError(SenseBindError):
    """Results could not be written; files written earlier are untouched."""


class BackendError(SenseBindError):
    """An engine could not be loaded or run."""


class MissingExtraError(SenseBindError):
    """An optional dependency is needed and not installed."""

    exit_code = 2

    def __init__(self, what: str, extra: str, hint: str = "") -> None:
        """Name the feature, the extra that installs what it needs, and what no extra installs."""
        super().__init__(
            f"{what} needs packages that are not installed. "
            f"Install them with: pip install 'sensebind[{extra}]'{hint and '; '}{hint}"
        )


class Interrupted(KeyboardInterrupt):
    """A signal asks to end; what its handler raises.

    CPython ends a process by SIGINT, whatever its exit code, once exactly `KeyboardInterrupt` has
    left code that `exec` runs from a string, caught or not; dataclasses are made in such code.
    """
