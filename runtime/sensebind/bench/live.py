# SPDX-License-Identifier: Apache-2.0
"""The largest multiple of real time at which a recording can come live."""

from __future__ import annotations

import math
import time
from contextlib import closing
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sensebind.bench.meter import Meter, lost
from sensebind.bench.results import SUSTAINED, Live, Trial
from sensebind.pipeline import Pipeline
from sensebind.sources.looped import LoopedSource
from sensebind.sources.paced import PacedSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sensebind.bundle import Bundle
    from sensebind.config import PipelineConfig
    from sensebind.sources.base import Source
    from sensebind.types import Embedding

WARM_UP_SHARE = 0.2
"""Of a trial's time, before it."""
_STEP = 1.5
_CLOSE_ENOUGH = 1.1
_MOST_TRIALS = 12
_LONGEST_S = 60.0  # of a ring


class Search:
    """Live trials at multiples of real time."""

    def __init__(
        self,
        open_recording: Callable[[], Source],
        bundle: Bundle,
        config: PipelineConfig,
        trial_s: float,
        bound_ms: float,
        tell: Callable[[str], None],
    ) -> None:
        self._open = open_recording
        self._bundle = bundle
        self._config = config
        self._trial_s = trial_s
        self._warm_up_s = WARM_UP_SHARE * trial_s
        self._bound_ms = bound_ms
        self._tell = tell
        self._trials: list[Trial] = []

    def run(self, first: float) -> Live:
        """Search from a likely factor on."""
        return Live(
            definition=SUSTAINED,
            bound_ms=self._bound_ms,
            trial_s=self._trial_s,
            warm_up_s=self._warm_up_s,
            factor=largest_passing(self._sustains, max(first, 0.1)),
            trials=self._trials,
        )

    def _sustains(self, factor: float) -> bool:
        trial = self._try(factor)
        self._trials.append(trial)
        self._tell(
            f"live at {factor:.2f} times real time: {trial.windows} windows, {trial.dropped} "
            f"dropped, service p99 {trial.service_p99_ms:.1f} ms: "
            + ("sustained" if trial.sustained else "not sustained")
        )
        return trial.sustained

    def _try(self, factor: float) -> Trial:
        played = PacedSource(LoopedSource(self._open()), factor=factor)
        meter = Meter()
        # Rings hold as much wall time as they would of a device.
        config = replace(self._config, ring_s=min(self._config.ring_s * max(factor, 1), _LONGEST_S))
        with (
            Pipeline(self._bundle, config) as pipeline,
            closing(pipeline.run(played, observers=[meter.observe])) as embeddings,
        ):
            _take_for(embeddings, self._warm_up_s, lambda: False)
            before = lost(pipeline)
            with meter.measuring():
                windows = _take_for(embeddings, self._trial_s, lambda: lost(pipeline) > before)
            dropped = lost(pipeline) - before
            behind_ms = played.behind_ns / 1e6
        p99_ms = meter.service().p99_ms
        in_time = max(p99_ms, behind_ms) <= self._bound_ms
        return Trial(
            factor=factor,
            windows=windows,
            dropped=dropped,
            behind_ms=behind_ms,
            service_p99_ms=p99_ms,
            sustained=windows > 0 and dropped == 0 and in_time,
            latency=meter.latency(),
            timer=meter.timer,
        )


def largest_passing(
    passes: Callable[[float], bool],
    first: float,
    *,
    close_enough: float = _CLOSE_ENOUGH,
    most: int = _MOST_TRIALS,
) -> float | None:
    """The largest factor that passes, if all below one do and none above.

    Steps away from `first` until one passes and one does not, and halves the interval on a
    logarithmic scale.

    Args:
        passes: tries one factor.
        first: where to begin.
        close_enough: ends the search when failing over passing factor is at most this.
        most: ends the search after so many trials.

    Returns:
        the largest factor that passed; None if none did.
    """
    passed, failed = 0.0, math.inf
    factor = first
    for _ in range(most):
        if passes(factor):
            passed = factor
        else:
            failed = factor
        if failed <= passed * close_enough:
            break
        if math.isinf(failed):
            factor = passed * _STEP
        else:
            factor = math.sqrt(passed * failed) if passed else failed / _STEP
    return passed or None


def _take_for(embeddings: Iterator[Embedding], seconds: float, enough: Callable[[], bool]) -> int:
    """Take what comes within a time, or until there is enough; how many came."""
    end_s = time.perf_counter() + seconds
    for count, _ in enumerate(embeddings, 1):
        if time.perf_counter() >= end_s or enough():
            return count
    return 0
