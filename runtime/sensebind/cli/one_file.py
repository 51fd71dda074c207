# SPDX-License-Identifier: Apache-2.0
"""Embeddings of one item: a picture, a text, or a file that lasts some time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from sensebind.calibration import UNCALIBRATED, Correction
from sensebind.cli import output
from sensebind.cli.timed_file import read_blocks, span_ns, starting_at
from sensebind.config import StreamConfig
from sensebind.cutting import cut_blocks
from sensebind.errors import InputError
from sensebind.grid import nanoseconds
from sensebind.one_shot import one_shot_windows
from sensebind.types import Embedding, Modality

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from sensebind.bundle import Bundle
    from sensebind.calibration import StreamCalibration
    from sensebind.cli.inputs import Item
    from sensebind.cutting import TimedBlock

IMAGEBIND_CLIPS = 3
"""Clips per file in ImageBind's loaders; clip i starts at i * (duration - length) / clips."""


def embed_item(
    bundle: Bundle,
    item: Item,
    *,
    clips: bool,
    focal_px: float | None = None,
    calibration: StreamCalibration = UNCALIBRATED,
    warn: Callable[[str], None] = output.warning,
) -> Iterator[Embedding]:
    """Embed one item: one vector, or one per window of a file that lasts some time.

    Args:
        bundle: what encodes it.
        item: what to embed.
        clips: give one vector for ImageBind's three clips of a file instead of one per window.
        focal_px: of the camera of depth pictures along x; None if it is not told.
        calibration: of the sensor that the item is from.
        warn: takes a sentence on what became no vector.

    Raises:
        InputError: naming the file and what is wrong with it.
        BundleError: if the bundle lacks the modality.
    """
    if item.path is None:
        yield _still(bundle, item, bundle.encode_text([item.name])[0])
    elif item.modality not in (Modality.IMU, Modality.AUDIO):
        yield _still(bundle, item, _of_picture(bundle, item, focal_px, calibration))
    else:
        correction = Correction(calibration)
        read = read_blocks(item.name, item.path, item.modality)
        blocks = [cast("TimedBlock", correction.apply(block)) for block in read]
        timed = _TimedItem(bundle, item, blocks, calibration, warn)
        yield from timed.mean_of_clips() if clips else timed.all_windows()


def _still(bundle: Bundle, item: Item, vector: NDArray[np.float32]) -> Embedding:
    """The embedding of something without time: all its stamps are 0."""
    encoder_id = bundle.manifest.encoder_id(item.modality)
    return Embedding(item.name, item.modality, 0, 0, 0, 0, 1.0, 1.0, encoder_id, vector)


def _of_picture(
    bundle: Bundle, item: Item, focal_px: float | None, calibration: StreamCalibration
) -> NDArray[np.float32]:
    encoder, modality = bundle.encoder(item.modality), item.modality
    of_depth = focal_px if modality is Modality.DEPTH else None
    preprocessor = encoder.preprocessor(
        StreamConfig(modality=modality, focal_px=of_depth), calibration
    )
    (window,) = one_shot_windows(modality, encoder.spec, item.path, None, None, calibration)
    vector: NDArray[np.float32] = encoder.encode([preprocessor.prepare(window).features])[0]
    return vector


@dataclass(frozen=True, slots=True)
class _TimedItem:
    """An item that lasts some time, its blocks, and what turns them into vectors."""

    bundle: Bundle
    item: Item
    blocks: list[TimedBlock]
    calibration: StreamCalibration
    warn: Callable[[str], None]

    def all_windows(self) -> Iterator[Embedding]:
        """One vector per window."""
        return self._windows(self.blocks, span_ns(self.blocks)[0])

    def mean_of_clips(self) -> Iterator[Embedding]:
        """The normalised mean of ImageBind's clips; its span reaches from the first to the last."""
        begin_ns, end_ns = span_ns(self.blocks)
        spare_ns = max(end_ns - begin_ns - self._length_ns, 0)
        starts_ns = [begin_ns + i * spare_ns // IMAGEBIND_CLIPS for i in range(IMAGEBIND_CLIPS)]
        clips = [next(self._windows(starting_at(self.blocks, s), s)) for s in starts_ns]
        mean = np.stack([clip.vector for clip in clips]).mean(axis=0, dtype=np.float64)
        vector: NDArray[np.float32] = np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)
        yield replace(clips[-1], start_ns=clips[0].start_ns, vector=vector)

    @property
    def _length_ns(self) -> int:
        window = self.bundle.encoder(self.item.modality).window
        assert window is not None
        return nanoseconds(window.length_s)

    def _windows(self, blocks: list[TimedBlock], begin_ns: int) -> Iterator[Embedding]:
        """Embeddings of the windows that begin at `begin_ns` and every hop after it."""
        encoder = self.bundle.encoder(self.item.modality)
        stream = StreamConfig(modality=self.item.modality)
        cut = cut_blocks(encoder.spec, stream, blocks, begin_ns)
        if not cut.windows:
            assert encoder.window is not None
            raise InputError(
                f"{self.item.path} has no whole window of {encoder.window.length_s:g} s without a "
                "gap; give a longer recording"
            )
        if cut.counters.gap:
            self.warn(f"{self.item.name}: windows without a vector: {cut.counters.gap} gap")
        preprocessor = encoder.preprocessor(stream, self.calibration)
        for window in cut.windows:
            yield encoder.embed(window, preprocessor.prepare(window))
