# SPDX-License-Identifier: Apache-2.0
"""One stream's way from its blocks to features, and what became of all of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from sensebind.calibration import UNCALIBRATED, Correction
from sensebind.errors import BackendError, ConfigError, InputError
from sensebind.pooling import stream_encoder
from sensebind.records import StreamMetadata
from sensebind.types import Break, FrameBlock, SampleBlock, UniformBlock
from sensebind.windowing import make_windower, rules_for
from sensebind.windowing.frames import FrameWindower
from sensebind.windowing.samples import SampleWindower
from sensebind.windowing.uniform import UniformWindower

if TYPE_CHECKING:
    from sensebind.calibration import StreamCalibration
    from sensebind.config import StreamConfig
    from sensebind.encoder import Encoder
    from sensebind.preprocess.base import Prepared
    from sensebind.types import Block, Delivery, Embedding, Modality, Window
    from sensebind.windowing import StreamCounters

_MOST_CAUSES = 50
"""Messages may name values, of which there is no end."""


@dataclass(slots=True)
class StreamReport:
    """What became of one stream.

    When a run has ended, however it ended,
    pushed = used + unused + late + duplicate + invalid (of the counters) + refused + overrun, and
    emitted (of the counters) = embedded + failed + dropped.

    Attributes:
        modality: its encoder.
        counters: fate of every sample that reached the windower, and of every window.
        embedded: windows that became embeddings.
        failed: windows that did not, by the message of the error.
        dropped: windows nobody had time for, by cause: "latest", "queue", "deadline" (the
            stream's own settings), "engine" (it was down), "stopped" (the run had to end).
        refused: samples in blocks of another form than their kind has, by the message of the
            error; 1 for a block whose samples cannot be counted.
        overrun: samples dropped from the ring, because it was full or the run had to end.
    """

    modality: Modality
    counters: StreamCounters
    embedded: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    overrun: int = 0

    @property
    def pushed(self) -> int:
        """Samples that came."""
        return self.counters.pushed + sum(self.refused.values()) + self.overrun

    @property
    def pending_samples(self) -> int:
        """Samples whose fate is still open; 0 when the run has ended."""
        return self.counters.pending

    @property
    def pending_windows(self) -> int:
        """Windows whose fate is still open; 0 when the run has ended."""
        lost = sum(self.failed.values()) + sum(self.dropped.values())
        return self.counters.emitted - self.embedded - lost


class StreamPath:
    """One stream from its blocks to its embeddings.

    `take`, `flush` and `prepare` belong to one thread; the counts may come from any.

    Attributes:
        name: of the stream.
        config: how it is windowed and encoded.
        encoder: reads its windows; the modality's, or one of clips of its frames.
        calibration: of its sensor.
        report: counts so far.
    """

    def __init__(
        self,
        name: str,
        config: StreamConfig,
        encoder: Encoder,
        hop_s: float | None = None,
        calibration: StreamCalibration = UNCALIBRATED,
    ) -> None:
        """Start an empty stream.

        Args:
            name: of the stream.
            config: how it is windowed and encoded.
            encoder: the bundle's of its modality.
            hop_s: of streams that do not set their own; the manifest's if None.
            calibration: of its sensor.

        Raises:
            ConfigError: if the settings do not fit the encoder.
        """
        self.name = name
        self.config = config
        self.encoder = stream_encoder(encoder, config)
        self._rules = rules_for(self.encoder.spec, config, hop_s)
        self._windower = make_windower(name, self._rules)
        self.calibration = calibration
        self._correction = Correction(calibration) if calibration.kinds else None
        self._preprocessor = self.encoder.preprocessor(config, calibration)
        self._lock = Lock()
        self.report = StreamReport(config.modality, self._windower.counters)

    def take(self, delivery: Delivery) -> list[Window]:
        """Take what comes next, and return the windows that closed.

        Raises:
            ConfigError: if the block is of another kind than the encoder reads.
            CalibrationError: if the stream is not the one that was calibrated.
            InputError: if its arrays have another dtype or shape than its kind has.
        """
        windower = self._windower
        if isinstance(delivery, Break):
            windower.break_off()
            return []
        if self._correction is not None:
            delivery = self._correction.apply(delivery)
        if isinstance(windower, SampleWindower) and isinstance(delivery, SampleBlock):
            return windower.push(delivery)
        if isinstance(windower, FrameWindower) and isinstance(delivery, FrameBlock):
            return windower.push(delivery)
        if isinstance(windower, UniformWindower) and isinstance(delivery, UniformBlock):
            return windower.push(delivery)
        raise ConfigError(
            f"stream {self.name!r} is encoded as {self.config.modality.value} and cannot "
            f"take a {type(delivery).__name__}"
        )

    def flush(self) -> list[Window]:
        """End the stream: close what can still be closed."""
        return self._windower.flush()

    def prepare(self, window: Window) -> Prepared | None:
        """The features of a window; None, and counted as failed, if there are none."""
        try:
            return self._preprocessor.prepare(window)
        except (InputError, BackendError) as error:
            self.count_failed(str(error))
        except Exception as error:  # noqa: BLE001 - content of any kind costs its window only
            self.count_failed(f"{type(error).__name__}: {error}")
        return None

    def encode(self, window: Window) -> Embedding | None:
        """The embedding of a window; None, and counted as failed, if there is none."""
        prepared = self.prepare(window)
        if prepared is None:
            return None
        try:
            embedding = self.encoder.embed(window, prepared)
        except (InputError, BackendError) as error:
            self.count_failed(str(error))
            return None
        self.count_embedded()
        return embedding

    def count_embedded(self) -> None:
        """Count a window that became an embedding."""
        with self._lock:
            self.report.embedded += 1

    def count_failed(self, message: str) -> None:
        """Count a window that became none."""
        with self._lock:
            _add(self.report.failed, message)

    def count_dropped(self, cause: str, windows: int = 1) -> None:
        """Count windows nobody had time for."""
        with self._lock:
            _add(self.report.dropped, cause, windows)

    def count_overrun(self, samples: int) -> None:
        """Count samples that were dropped before they were windowed."""
        with self._lock:
            self.report.overrun += samples

    def count_refused(self, block: Block, message: str) -> None:
        """Count a block that could not be used at all."""
        try:
            samples = max(block.count, 1)
        except (AttributeError, TypeError):  # its arrays are none
            samples = 1
        with self._lock:
            _add(self.report.refused, message, samples)

    def metadata(self) -> StreamMetadata:
        """How the stream is windowed."""
        rules = self._rules
        return StreamMetadata(
            modality=self.encoder.modality.value,
            encoder_id=self.encoder.encoder_id,
            length_s=rules.length_ns / 1e9,
            hop_s=rules.hop_ns / 1e9,
            trigger=self.config.trigger or "grid",
            lateness_s=rules.lateness_ns / 1e9,
            min_coverage=rules.min_coverage,
        )


def _add(counts: dict[str, int], key: str, count: int = 1) -> None:
    if key not in counts and len(counts) >= _MOST_CAUSES:
        key = "other reasons"
    counts[key] = counts.get(key, 0) + count
