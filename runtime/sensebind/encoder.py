# SPDX-License-Identifier: Apache-2.0
"""Features in, unit vectors out, for one modality."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from sensebind.backends.batching import equal_batches
from sensebind.calibration import UNCALIBRATED
from sensebind.errors import BackendError, InputError
from sensebind.preprocess import make_preprocessor
from sensebind.types import Embedding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sensebind.backends.base import Engine
    from sensebind.calibration import StreamCalibration
    from sensebind.config import StreamConfig
    from sensebind.preprocess.base import Prepared, Preprocessor
    from sensebind.specs import EncoderSpec, WindowSpec
    from sensebind.types import Features, Modality, Window

_SMALLEST_NORM = 1e-6
"""Graphs end in an L2 norm; a shorter vector has no direction left in float32."""


class Encoder:
    """One modality's engine and the identity of its vectors. One thread owns it.

    Attributes:
        modality: the sense it encodes.
        spec: its part of the manifest.
        encoder_id: equal ids give equal vectors.
        dim: length of the vectors.
    """

    def __init__(
        self, modality: Modality, spec: EncoderSpec, encoder_id: str, dim: int, engine: Engine
    ) -> None:
        self.modality = modality
        self.spec = spec
        self.encoder_id = encoder_id
        self.dim = dim
        self._engine = engine
        self._offered: deque[Engine] = deque()

    @property
    def window(self) -> WindowSpec | None:
        """Length, default hop and least coverage of its windows; None for text."""
        return self.spec.window

    @property
    def backend(self) -> str:
        """Name of the backend that runs it."""
        return self._engine.backend

    @property
    def precision(self) -> str:
        """What it computes in."""
        return self._engine.precision

    def on(self, opened: Encoder) -> Encoder:
        """The same encoder on an engine of its modality that was opened anew."""
        return opened

    def offer(self, engine: Engine) -> None:
        """Have it go on with another engine of the same graph; for other threads than its own."""
        self._offered.append(engine)

    @property
    def has_offer(self) -> bool:
        """Whether an engine waits to be taken."""
        return bool(self._offered)

    @property
    def next_backend(self) -> str:
        """Name of the backend that runs it once it has taken all it was offered."""
        return [self._engine, *self._offered][-1].backend

    def take_offer(self) -> None:
        """Go on with the engine that was offered, and free the one before; between two runs."""
        before, self._engine = self._engine, self._offered.popleft()
        before.close()

    def refuse_offers(self) -> None:
        """Free what was offered and not taken."""
        while self._offered:
            self._offered.popleft().close()

    def preprocessor(
        self,
        stream: StreamConfig | None = None,
        calibration: StreamCalibration = UNCALIBRATED,
    ) -> Preprocessor:
        """A new preprocessor for one stream of this modality, as it is configured and calibrated.

        Raises:
            InputError: if the encoder is one of text, which has no windows.
        """
        return make_preprocessor(self.spec, stream, calibration)

    def encode(self, batch: Sequence[Features]) -> NDArray[np.float32]:
        """Encode the features of some windows in one run.

        Returns:
            float32 (len(batch), dim), rows of L2 norm 1, normalised once in float64.

        Raises:
            InputError: if features are missing or have the wrong dtype or shape.
            BackendError: if the run fails or a vector is zero or not finite.
        """
        if not batch:
            return np.empty((0, self.dim), dtype=np.float32)
        return unit_rows(self._engine.run(_stacked(batch)), self.modality)

    def equal_batches(self, most: int) -> tuple[int, ...]:
        """Numbers of windows up to `most` that may share a run with no byte changed; 1 first.

        They are tried out; see `sensebind.backends.batching`.
        """
        return equal_batches(self._engine, self.spec.inputs, most)

    def embed(self, window: Window, prepared: Prepared) -> Embedding:
        """The embedding of one window from its features.

        Raises:
            InputError: if the features have the wrong dtype or shape.
            BackendError: if the run fails or the vector is zero or not finite.
        """
        return self.embedding(window, prepared, self.encode([prepared.features])[0])

    def embedding(
        self, window: Window, prepared: Prepared, vector: NDArray[np.float32]
    ) -> Embedding:
        """What `encode` made of a window's features, with where it comes from."""
        return Embedding(
            stream=window.stream,
            modality=self.modality,
            grid_ns=window.grid_ns,
            start_ns=window.start_ns,
            end_ns=window.end_ns,
            stamp_ns=window.stamp_ns,
            coverage=window.coverage,
            valid_fraction=prepared.valid_fraction,
            encoder_id=self.encoder_id,
            vector=vector,
        )

    def close(self) -> None:
        """Free the engine, and those that were offered."""
        self._engine.close()
        self.refuse_offers()


def _stacked(batch: Sequence[Features]) -> Features:
    if len(batch) == 1:
        return {name: array[np.newaxis] for name, array in batch[0].items()}
    try:
        return {name: np.stack([features[name] for features in batch]) for name in batch[0]}
    except (KeyError, ValueError) as error:
        raise InputError(
            f"the features of one batch must have equal names and shapes: {error}"
        ) from None


def unit_rows(vectors: NDArray[np.float32], modality: Modality) -> NDArray[np.float32]:
    """Rows (n, dim) of L2 norm 1, normalised in float64.

    Raises:
        BackendError: if one is zero or not finite.
    """
    wide = vectors.astype(np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    usable = np.isfinite(norms) & (norms > _SMALLEST_NORM)
    if not usable.all():
        row = int(np.argmin(usable))
        raise BackendError(
            f"the {modality} encoder gave a vector of norm {norms[row]} for row {row} of the "
            "batch; its input lies outside what the network can take"
        )
    unit: NDArray[np.float32] = (wide / norms[:, np.newaxis]).astype(np.float32)
    return unit
