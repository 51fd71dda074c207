# SPDX-License-Identifier: Apache-2.0
"""The wired graph: blocks in, embeddings out, and a count of everything on the way.

Two forms, one path: `run` reads a source to its end, `push`/`poll`/`flush` take blocks from one's
own program. One thread owns a pipeline.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sensebind import __version__
from sensebind.backends import resolve_backend
from sensebind.bundle import Bundle
from sensebind.config import PipelineConfig
from sensebind.errors import ConfigError
from sensebind.records import RunMetadata
from sensebind.sources.mapping import Decision, map_streams
from sensebind.stream_path import StreamPath

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from sensebind.config import Order, StreamConfig
    from sensebind.sources.base import Source, SourceReport
    from sensebind.stream_path import StreamReport
    from sensebind.types import Delivery, Embedding, Window


@dataclass(slots=True)
class PipelineReport:
    """Counts of a run so far.

    Attributes:
        streams: by stream name.
        source: what happened while reading; None in push form.
    """

    streams: dict[str, StreamReport] = field(default_factory=dict)
    source: SourceReport | None = None


class Pipeline:
    """Windows, preprocesses and encodes streams; a context manager.

    Attributes:
        bundle: the encoders.
        config: as given; streams that `run` maps by itself are added to `report.streams` only.
        decisions: after `run` began, what became of each stream of the source and why.
        report: counts so far.
    """

    def __init__(
        self, bundle: Bundle, config: PipelineConfig | None = None, *, backend: str | None = None
    ) -> None:
        """Wire the streams of `config`; others are wired when `run` maps them.

        Args:
            bundle: the encoders; stays open when the pipeline closes.
            config: which streams and how; all defaults if None.
            backend: run the engines on this backend instead of the bundle's own.

        Raises:
            ConfigError: if a stream's settings do not fit its modality.
            InputError, BundleError, BackendError: if an encoder cannot be opened.
        """
        self.config = config or PipelineConfig()
        self._own = None
        if backend is not None and resolve_backend(backend)[0] != bundle.backend:
            self._own = Bundle(bundle.folder, backend, self.config.threads)
        self.bundle = self._own or bundle
        self.decisions: tuple[Decision, ...] = ()
        self.report = PipelineReport()
        self._streams: dict[str, StreamPath] = {}
        self._order: Order = self.config.order or "stamp"
        self._ready: deque[Embedding] = deque()
        for name, stream in self.config.streams.items():
            self._wire(name, stream)

    def run(self, source: Source) -> Iterator[Embedding]:
        """Read a source to its end and yield embeddings as their windows close.

        Nothing is read before the first embedding is asked for; by then the streams are wired, so
        `decisions` and `metadata` are complete.

        Raises:
            InputError: if nothing maps to an encoder, or a configured stream is not there.
            SourceError: if the source cannot be read.
        """
        with source:
            encoders = self.bundle.manifest.encoders
            windowed = [modality for modality, spec in encoders.items() if spec.window]
            mapping = map_streams(source.streams(), windowed, self.config.streams)
            self.decisions = mapping.decisions
            self.report.source = source.report
            for name, stream in mapping.selected.items():
                if name not in self._streams:
                    self._wire(name, stream)
            for block in source.blocks(mapping.selected, self._order):
                self.push(block)
                yield from self.poll()
            yield from self.flush()

    def push(self, delivery: Delivery) -> None:
        """Take one block, or a break; windows that close are encoded and wait for `poll`.

        Raises:
            ConfigError: if the block's stream is not configured or of another kind.
            InputError: if its arrays have another dtype or shape than its kind has.
        """
        path = self._streams.get(delivery.stream)
        if path is None:
            known = ", ".join(repr(name) for name in self._streams) or "none"
            raise ConfigError(
                f"no stream {delivery.stream!r} is configured (configured: {known}); name it in "
                "PipelineConfig(streams={…: StreamConfig(modality=…)})"
            )
        self._ready += _encoded(path, path.take(delivery))

    def poll(self) -> list[Embedding]:
        """Take the embeddings that are ready, in the order their windows closed."""
        ready = list(self._ready)
        self._ready.clear()
        return ready

    def flush(self) -> list[Embedding]:
        """End all streams: encode what can still be closed, and take everything that is ready."""
        ready = self.poll()
        ending = [e for path in self._streams.values() for e in _encoded(path, path.flush())]
        return ready + sorted(ending, key=lambda e: (e.grid_ns, e.stream))

    def metadata(self, source: Source | None = None, labels: tuple[str, ...] = ()) -> RunMetadata:
        """Metadata of the run for a sink; complete once the streams are wired."""
        manifest = self.bundle.manifest
        wired = {stream.encoder.modality: stream.encoder for stream in self._streams.values()}
        return RunMetadata(
            version=__version__,
            space_id=manifest.space_id,
            bundle=manifest.name,
            bundle_id=self.bundle.folder.bundle_id,
            encoder_ids={m.value: e.encoder_id for m, e in wired.items()},
            dim=manifest.dim,
            backend=self.bundle.backend,
            precision="+".join(sorted({e.precision for e in wired.values()})),
            source=source.name if source else "",
            source_sha256=source.sha256() if source else "",
            order=self._order,
            windows={name: stream.metadata() for name, stream in self._streams.items()},
            labels=labels,
        )

    def close(self) -> None:
        """Free what the pipeline opened itself; the bundle stays open."""
        if self._own is not None:
            self._own.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _wire(self, name: str, config: StreamConfig) -> None:
        path = StreamPath(name, config, self.bundle.encoder(config.modality), self.config.hop_s)
        self._streams[name] = path
        self.report.streams[name] = path.report


def _encoded(path: StreamPath, windows: list[Window]) -> list[Embedding]:
    """The windows' embeddings; a bad window is counted and costs no other."""
    return [embedding for window in windows if (embedding := path.encode(window)) is not None]
