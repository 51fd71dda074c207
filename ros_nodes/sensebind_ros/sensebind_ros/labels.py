# SPDX-License-Identifier: Apache-2.0
"""The prompts of a configured node, which parameters and services may change at any time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from sensebind.calibration import Calibration
from sensebind.closing import Closing
from sensebind.labelling import Labeller
from sensebind.zero_shot import ZeroShot, parse_prompts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    import numpy as np
    from numpy.typing import NDArray

    from sensebind.bundle import Bundle
    from sensebind.calibration.sections import ScoresSection
    from sensebind.labelling import LabelConfig
    from sensebind.records import Record
    from sensebind.types import Embedding
    from sensebind_ros.settings import Settings

FROM_PARAMETERS = ""
"""Name of the set of prompts that the parameters give."""


class InUse(NamedTuple):
    """The set of prompts in use, its labels, and the names of all sets."""

    name: str
    labels: tuple[str, ...]
    names: tuple[str, ...]


class Labels(Closing):
    """Labels embeddings by the prompts in use.

    Texts are embedded in a thread of their own; any thread may call any method.
    """

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        """Embed the prompts that the parameters give.

        Raises:
            SenseBindError: if they cannot be used.
        """
        self._bundle = bundle
        self._texts = ThreadPoolExecutor(1, "texts")
        self._lock = Lock()
        self._sets: dict[str, ZeroShot] = {}
        self._labeller = Labeller(None)
        self._settings: Settings | None = None
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Label as the parameters ask for; other sets of prompts stay.

        Raises:
            SenseBindError: if the prompts cannot be used; then nothing changes.
        """
        before, node = self._settings, settings.node
        sets, name = dict(self._sets), self._labeller.in_use
        known = self._labeller.calibrated
        asked = (settings.prompts, node.temperature)
        if before is None or asked != (before.prompts, before.node.temperature):
            sets.pop(FROM_PARAMETERS, None)
            name, known = next(iter(sets), ""), {}
            if settings.prompts is not None:
                classes = _classes(settings.prompts)
                embedded = self.embed_classes(classes, node.temperature).result()
                sets[FROM_PARAMETERS], name = embedded, FROM_PARAMETERS
                known = self._worth(embedded, settings)
        self._take(sets, name, settings.labels, known)
        self._settings = settings

    def embed(self, texts: Sequence[str]) -> Future[NDArray[np.float32]]:
        """Embed texts: float32 (n, dim)."""
        return self._texts.submit(self._bundle.encode_text, list(texts))

    def embed_classes(
        self, classes: Mapping[str, Sequence[str]], temperature: float
    ) -> Future[ZeroShot]:
        """Embed a set of prompts."""
        return self._texts.submit(ZeroShot, self._bundle, classes, temperature=temperature)

    def add(self, name: str, classes: ZeroShot, *, use: bool) -> None:
        """Give a set of prompts, or replace one, and perhaps go over to it.

        Raises:
            ConfigError: if a class is called "unknown" and labels may be withheld.
        """
        in_use = name if use or not self._sets else self._labeller.in_use
        before = self._labeller
        self._take({**self._sets, name: classes}, in_use, before.config, before.calibrated)

    def use(self, name: str) -> None:
        """Go over to a set that was given before.

        Raises:
            InputError: if there is none of this name.
        """
        with self._lock:
            self._labeller.use(name)

    @property
    def in_use(self) -> InUse:
        """What is labelled by at the moment."""
        with self._lock:
            name = self._labeller.in_use
            labels = self._sets[name].labels if name in self._sets else ()
            return InUse(name, labels, tuple(self._sets))

    def record(
        self, embedding: Embedding, members: tuple[str, ...] = ()
    ) -> tuple[Record, tuple[str, ...]]:
        """The record of the next embedding, and the labels its scores are in the order of.

        Args:
            embedding: of a stream, or a joint one.
            members: streams that a joint one was made of.
        """
        with self._lock:
            return self._labeller.record(embedding, members), self._labeller.labels

    def close(self) -> None:
        """End the thread."""
        self._texts.shutdown(cancel_futures=True)

    def _worth(self, classes: ZeroShot, settings: Settings) -> dict[str, ScoresSection]:
        """What the streams' scores are worth, where a calibration tells."""
        path = settings.pipeline.calibration
        if path is None:
            return {}
        manifest = self._bundle.manifest
        scored = {
            name: manifest.encoder_id(stream.modality)
            for name, stream in settings.pipeline.streams.items()
        }
        return Calibration.load(path).scores(
            scored, space_id=manifest.space_id, prompts_sha256=classes.prompts_sha256
        )

    def _take(
        self,
        sets: dict[str, ZeroShot],
        in_use: str,
        config: LabelConfig,
        known: dict[str, ScoresSection],
    ) -> None:
        labeller = Labeller(sets, config, known)
        if sets:
            labeller.use(in_use)
        with self._lock:
            self._labeller, self._sets = labeller, sets


def _classes(prompts: str | Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    return parse_prompts(prompts) if isinstance(prompts, str) else prompts
