# SPDX-License-Identifier: Apache-2.0
"""What a bench run tells, in the form of its file."""

from __future__ import annotations

import msgspec

from sensebind.metrics.histogram import Summary  # noqa: TC001 - msgspec reads annotations
from sensebind.metrics.machine import Machine  # noqa: TC001 - msgspec reads annotations

SUSTAINED = (
    "largest multiple of real time at which a live run drops no window and no sample, its service "
    "time's 99th percentile stays within the bound, and the recording itself is read in time"
)


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A replay as fast as possible.

    Attributes:
        windows: that were measured.
        seconds: they took, of wall time.
        windows_per_s: of all streams together.
        times_real_time: recorded time over wall time.
        latency: by stream and quantity; waits are what back-pressure makes them.
        timer: lateness of the bare timer meanwhile.
    """

    windows: int
    seconds: float
    windows_per_s: float
    times_real_time: float
    latency: dict[str, dict[str, Summary]]
    timer: Summary


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A live run at one multiple of real time.

    Attributes:
        factor: the multiple.
        windows: embedded while it was measured.
        dropped: windows and samples lost meanwhile.
        behind_ms: how late the recording's last block was delivered.
        service_p99_ms: 99th percentile of the service time over all streams.
        sustained: see SUSTAINED.
        latency: by stream and quantity.
        timer: lateness of the bare timer meanwhile.
    """

    factor: float
    windows: int
    dropped: int
    behind_ms: float
    service_p99_ms: float
    sustained: bool
    latency: dict[str, dict[str, Summary]]
    timer: Summary


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """The search for the largest sustainable multiple of real time.

    Attributes:
        definition: of sustainable.
        bound_ms: of the service time's 99th percentile.
        trial_s: wall time of each trial, after as much as `warm_up_s`.
        factor: the largest that was sustained; None if none was.
        trials: in the order they were made.
    """

    definition: str
    bound_ms: float
    trial_s: float
    warm_up_s: float
    factor: float | None
    trials: list[Trial]


class BenchResult(msgspec.Struct, frozen=True, kw_only=True):
    """All of a bench run, for a file.

    Attributes:
        source: name of the recording.
        source_sha256: hash of its bytes.
        bundle, bundle_id, encoder_ids, backend, backend_reason, precision, threads: what ran.
        hops_s: time between windows by stream.
        machine: what it ran on.
        versions: of the packages that matter.
        warm_up: what was done before anything was measured.
        replay: as fast as possible.
        live: at multiples of real time; None if it was not asked for.
    """

    source: str
    source_sha256: str
    bundle: str
    bundle_id: str
    encoder_ids: dict[str, str]
    backend: str
    backend_reason: str
    precision: str
    threads: int
    hops_s: dict[str, float]
    machine: Machine
    versions: dict[str, str]
    warm_up: str
    replay: Replay
    live: Live | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One recording on several backends.

    Attributes:
        results: of those that ran, in the order asked for.
        least_cosines: by backend and stream, the smallest cosine of a window's vector to that of
            the first backend that ran.
        not_run: why others did not, by backend.
    """

    results: list[BenchResult]
    least_cosines: dict[str, dict[str, float]]
    not_run: dict[str, str]
