# SPDX-License-Identifier: Apache-2.0
"""What of a new configuration takes effect at once, and what takes a new run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from sensebind.robot.wanted_plans import asked_backend

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensebind.config import StreamConfig
    from sensebind.robot.config import RobotConfig

_AT_ONCE = ("prompts", "labels", "fusion", "changes", "engines", "output", "stats", "health")
_POLICIES = ("policy", "queue", "priority", "deadline_s")
_OF_THE_BUNDLE = ("bundle", "backend", "threads")


@dataclass(frozen=True, slots=True)
class Difference:
    """Keys whose values are new.

    Attributes:
        at_once: they take effect while the run goes on.
        run: they take a new run: devices are closed and opened again.
        bundle: these take a newly loaded bundle, too.
    """

    at_once: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    bundle: tuple[str, ...] = ()

    @property
    def restarts(self) -> tuple[str, ...]:
        """Keys that take a new run."""
        return self.run + self.bundle


def difference(
    old: RobotConfig,
    new: RobotConfig,
    old_files: Mapping[str, str],
    new_files: Mapping[str, str],
) -> Difference:
    """Compare two configurations, and the hashes of the files that they name (`files_of`)."""
    at_once: list[str] = []
    run: list[str] = []
    bundle: list[str] = []
    of_the_bundle = {*_OF_THE_BUNDLE}
    if asked_backend(old) != asked_backend(new):  # whether an engine may do without its plan
        of_the_bundle.add("engines")
    for key in new.__struct_fields__:
        if key == "streams":
            for name, is_policy in _streams(old.streams, new.streams):
                (at_once if is_policy else run).append(name)
        elif getattr(old, key) != getattr(new, key) or old_files.get(key) != new_files.get(key):
            where = bundle if key in of_the_bundle else at_once if key in _AT_ONCE else run
            where.append(key)
    return Difference(tuple(at_once), tuple(run), tuple(bundle))


def _streams(
    old: Mapping[str, StreamConfig], new: Mapping[str, StreamConfig]
) -> Iterator[tuple[str, bool]]:
    """Streams that are configured otherwise, and whether only their policy is."""
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        alike = before is not None and after is not None and _plain(before) == _plain(after)
        yield f'streams."{name}"', alike


def _plain(stream: StreamConfig) -> dict[str, object]:
    values = msgspec.structs.asdict(stream)
    return {name: value for name, value in values.items() if name not in _POLICIES}
