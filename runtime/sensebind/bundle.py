# SPDX-License-Identifier: Apache-2.0
"""The bundle as its users hold it: encoders opened on first use, and one-shot encoding."""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET

from sensebind.backends import INT8, open_engine, resolve_backend
from sensebind.bundle_folder import BundleFolder, open_bundle
from sensebind.calibration import UNCALIBRATED
from sensebind.closing import Closing
from sensebind.encoder import Encoder
from sensebind.errors import BundleError, InputError
from sensebind.metrics.machine import usable_cores
from sensebind.one_shot import one_shot_windows
from sensebind.plan_request import plan_request
from sensebind.specs import ImuSpec, TextSpec
from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from typing_extensions import Self

    from sensebind.backends.base import Engine
    from sensebind.calibration import StreamCalibration
    from sensebind.manifest import Manifest
    from sensebind.preprocess.text import TextPreprocessor

_log = logging.getLogger(__name__)


class Bundle(Closing):
    """A loaded bundle. Use it as a context manager or call `close`; one thread owns it.

    Attributes:
        folder: where it lies, with its validated manifest.
        backend: the backend that runs its engines.
        backend_reason: why it was chosen.
        threads: threads one run of an engine may use.
    """

    def __init__(
        self, folder: BundleFolder, backend: str = "auto", threads: int | None = None
    ) -> None:
        if threads is not None and threads < 1:
            raise InputError(f"threads is {threads}, expected at least 1")
        self.folder = folder
        self._asked = backend
        self.backend, self.backend_reason = self.resolve(backend)
        if self.backend == INT8 and all(e.int8 is UNSET for e in self.manifest.encoders.values()):
            raise BundleError(
                f"{self.name!r} has no INT8 graph, which --backend {INT8} runs; make a copy that "
                f"has some with sensebind export {folder.argument} OUT --int8 --data RECORDING"
            )
        # One core is left to drivers and preprocessing.
        self.threads = max(1, usable_cores() - 1) if threads is None else threads
        self._encoders: dict[Modality, Encoder] = {}
        self._tokenizer: TextPreprocessor | None = None
        self._closed = False
        self._offering = Lock()  # what is offered an engine is in use
        if self.is_test:
            _log.warning(
                "%s is a test bundle: its weights are random and its vectors mean nothing",
                self.name,
            )

    @classmethod
    def load(cls, bundle: str | Path, *, backend: str = "auto", threads: int | None = None) -> Self:
        """Open a built-in bundle by name, or one in a folder.

        Engines are opened when first used; each checks the sha256 of its files then.

        Args:
            bundle: name or folder.
            backend: "auto" or a backend's name.
            threads: threads one run of an engine may use; if None, the cores that this process may
                use but one. No byte of a vector depends on it.

        Raises:
            BundleError: if there is no such bundle or its manifest is not valid.
            InputError: if there is no such backend or `threads` is below 1.
        """
        return cls(open_bundle(bundle), backend, threads)

    @property
    def name(self) -> str:
        """Name of the bundle."""
        return self.manifest.name

    @property
    def manifest(self) -> Manifest:
        """Everything needed to reproduce its vectors."""
        return self.folder.manifest

    @property
    def space_id(self) -> str:
        """Identity of the space: vectors may be compared if and only if it is equal."""
        return self.manifest.space_id

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self.manifest.dim

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Modalities it has an encoder for."""
        return tuple(self.manifest.encoders)

    @property
    def is_test(self) -> bool:
        """Whether its weights are random: a fixture, never a model."""
        return self.manifest.kind == "test"

    def resolve(self, backend: str) -> tuple[str, str]:
        """The backend a requested one stands for with this bundle, and the reason.

        Raises:
            InputError: if there is no such backend.
        """
        return resolve_backend(backend, [plan_request(self.folder, m) for m in self.modalities])

    def encoder(self, modality: Modality | str) -> Encoder:
        """The encoder of a modality, opened and checked on first use.

        Raises:
            InputError: if there is no such modality.
            BundleError: if the bundle lacks it, or its files are not those of the manifest.
            BackendError: if the backend cannot load it.
        """
        modality = _modality(modality)
        if self._closed:
            raise BundleError(f"bundle {self.name!r} is closed; load it again")
        if modality not in self._encoders:
            self._encoders[modality] = self._open(modality)
        return self._encoders[modality]

    def reopen(self, modality: Modality) -> Encoder:
        """Open an encoder anew, beside one that hangs or fails, which is left to itself.

        Raises:
            BundleError, BackendError: as `encoder`.
        """
        with self._offering:
            before = self._encoders.pop(modality, None)
        if before is not None:
            before.refuse_offers()
        return self.encoder(modality)

    def renew(self, modality: Modality, backend: str) -> None:
        """Open another engine of an encoder in use, which goes on with it from its next run on.

        For other threads than the one that runs it. If it fails, all goes on as it was; nothing
        happens if the encoder runs on that backend already or is about to, or nobody uses it.

        Raises:
            BundleError, BackendError: as `encoder`.
            MissingExtraError: if what the backend needs is not installed.
        """
        while (encoder := self._encoders.get(modality)) and encoder.next_backend != backend:
            engine = self._open_engine(modality, backend)
            with self._offering:
                in_use = self._encoders.get(modality) is encoder
                if in_use:
                    encoder.offer(engine)
            if not in_use:  # it was opened anew meanwhile, or the bundle was closed
                engine.close()

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts, each alone, so that a vector depends on its text only.

        Returns:
            float32 (len(texts), dim), rows of norm 1.

        Raises:
            InputError: if `texts` is a plain string, empty, or holds an empty text.
            BundleError: if the bundle has no text encoder.
        """
        if isinstance(texts, str) or len(texts) == 0:
            raise InputError(f"texts is {texts!r}, expected a list of at least one string")
        encoder = self.encoder(Modality.TEXT)
        tokenizer = self._opened_tokenizer(encoder)
        return np.concatenate([encoder.encode([tokenizer.prepare(text)]) for text in texts])

    def encode(
        self,
        modality: Modality | str,
        data: object,
        *,
        rate_hz: float | None = None,
        stamps_ns: NDArray[np.int64] | None = None,
        calibration: StreamCalibration = UNCALIBRATED,
    ) -> NDArray[np.float32]:
        """Encode data at hand in one call.

        Args:
            modality: what the data is.
            data: for text a string or a list of them; for vision a picture or a list of them,
                each a uint8 array (h, w, 3) RGB or (h, w) grey, a Pillow image, a path, or the
                bytes of a JPEG or PNG file; for depth and thermal the same, of uint16 or float32
                (h, w) counts; for audio a waveform (n,) or (n, channels), float of
                full scale 1 or int16; for IMU values (n, 6) in m/s² and rad/s, body axes.
            rate_hz: sample rate of a waveform or of IMU values.
            stamps_ns: int64 (n,) stamps of IMU values, instead of `rate_hz`.
            calibration: of the sensor that the data is from.

        Returns:
            float32 (k, dim), rows of norm 1: one per text, picture, or window of the samples
            (the first begins at the first sample, the others follow at the bundle's hop; each
            needs the bundle's least coverage).

        Raises:
            InputError: naming what cannot be used.
            CalibrationError: if the data is not from the sensor that was calibrated.
            BundleError: if the bundle lacks the modality.
        """
        modality = _modality(modality)
        if modality is Modality.TEXT:
            if not isinstance(data, (str, list, tuple)):
                raise InputError(f"a text is a {type(data).__name__}, expected a string or a list")
            return self.encode_text([data] if isinstance(data, str) else data)
        encoder = self.encoder(modality)
        preprocessor = encoder.preprocessor(None, calibration)
        windows = one_shot_windows(modality, encoder.spec, data, rate_hz, stamps_ns, calibration)
        return np.concatenate([encoder.encode([preprocessor.prepare(w).features]) for w in windows])

    def close(self) -> None:
        """Free the engines; the bundle cannot be used afterwards."""
        with self._offering:
            self._closed = True
            encoders = list(self._encoders.values())
            self._encoders.clear()
        for encoder in encoders:
            encoder.close()

    def _open(self, modality: Modality) -> Encoder:
        spec = self.folder.encoder(modality)
        engine = self._open_engine(modality, self._asked)
        if isinstance(spec.preprocess, ImuSpec) and spec.preprocess.assumed:
            _log.warning(
                "%s: its authors never published the IMU's %s; this bundle assumes them (see "
                "sensebind bundle show), so check that the embeddings make sense",
                self.name,
                ", ".join(spec.preprocess.assumed),
            )
        return Encoder(modality, spec, self.manifest.encoder_id(modality), self.dim, engine)

    def _open_engine(self, modality: Modality, backend: str) -> Engine:
        spec = self.folder.encoder(modality)
        graph, precision = spec.onnx, "fp32"
        if self.backend == INT8 and spec.int8 is not UNSET:
            graph, precision = spec.int8.onnx, "int8"
        weights = f"{graph}.data"
        # ONNX Runtime would load weights beside the graph whether or not they are listed.
        beside = weights in self.manifest.files or (self.folder.path / weights).exists()
        self.folder.verify([graph, weights] if beside else [graph])
        return open_engine(
            backend,
            self.folder.file(graph),
            spec.inputs,
            spec.output,
            self.threads,
            self.manifest.files[graph].sha256,
            plan_request(self.folder, modality),
            precision,
        )

    def _opened_tokenizer(self, encoder: Encoder) -> TextPreprocessor:
        if self._tokenizer is None:
            from sensebind.preprocess.text import TextPreprocessor

            spec = encoder.spec.preprocess
            assert isinstance(spec, TextSpec)
            self.folder.verify([spec.tokenizer])
            self._tokenizer = TextPreprocessor(spec, self.folder.file(spec.tokenizer))
        return self._tokenizer


def _modality(modality: Modality | str) -> Modality:
    try:
        return Modality(modality)
    except ValueError:
        known = ", ".join(m.value for m in Modality)
        raise InputError(f"there is no modality {modality!r}; they are: {known}") from None
