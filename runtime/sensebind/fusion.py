# SPDX-License-Identifier: Apache-2.0
"""One embedding of several senses per grid instant, and what is new in a stream.

A joint embedding of the instant g is the weighted mean of the streams' embeddings at g, made a unit
vector. A stream's embedding is its newest in (g - H, g], H being the joint hop; so streams that are
encoded at their frames take part too. Its weight is the confidence in its modality times its
coverage and its share of valid pixels; weights are renormalised over the streams that are there.

An instant is fused once every stream has come to it, or any is more than `wait_s` beyond it: a
stream that is late, silent or dead is left out, and what comes for it afterwards is counted. Time
is that of the embeddings, so replaying them in the same order gives the same joint ones.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np
from msgspec import Meta

from sensebind.errors import ConfigError
from sensebind.grid import NS_PER_S, nanoseconds
from sensebind.records import RunMetadata, StreamMetadata
from sensebind.types import Embedding, Fused, Modality

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

JOINT_STREAM = "joint"
_SMALLEST_NORM = 1e-6


class FusionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How streams are joined.

    Attributes:
        streams: the ones to join; all of a run if empty.
        confidence: weight of a modality, by its name; 1 for those not named.
        hop_s: distance of the joint instants; the shortest hop of the streams if None.
        wait_s: how far any stream may go beyond an instant before it is fused without those that
            have not come to it.
        min_streams: least number of streams; instants with fewer are counted and left out.
    """

    streams: tuple[str, ...] = ()
    confidence: dict[str, Annotated[float, Meta(ge=0)]] = {}
    hop_s: Annotated[float, Meta(gt=0, le=3600)] | None = None
    wait_s: Annotated[float, Meta(ge=0, le=60)] = 1.0
    min_streams: Annotated[int, Meta(ge=1)] = 2

    def __post_init__(self) -> None:
        """Refuse weights of what is no modality: they would never be used."""
        known = [modality.value for modality in Modality]
        for name in self.confidence:
            if name not in known:
                raise ConfigError(
                    f"confidence names {name!r}, expected modalities: {', '.join(known)}; change it"
                )


@dataclass(frozen=True, slots=True)
class Joint:
    """A joint embedding and the streams it was made of, in the order of their names."""

    embedding: Embedding
    members: tuple[str, ...]


@dataclass(slots=True)
class FusionCounters:
    """What became of embeddings and instants.

    Attributes:
        fused: joint embeddings.
        partial: of these, without some stream.
        alone: instants with fewer streams than `min_streams`.
        opposed: instants whose vectors cancel each other out.
        late: embeddings that came after their instant was fused.
        replaced: embeddings for which their stream had a newer one at the same instant.
    """

    fused: int = 0
    partial: int = 0
    alone: int = 0
    opposed: int = 0
    late: int = 0
    replaced: int = 0


class Fusion:
    """Joins the embeddings of a run's streams; equal sequences give equal results.

    Attributes:
        encoder_id: identity of what makes the joint vectors: the streams' encoders and weights.
        counters: counts so far.
    """

    def __init__(self, streams: Mapping[str, StreamMetadata], config: FusionConfig) -> None:
        """Join some streams of a run.

        Args:
            streams: all streams of the run, as in its metadata.
            config: which of them, and how.

        Raises:
            ConfigError: if a stream is not there, or there are fewer than `min_streams`.
        """
        unknown = [name for name in config.streams if name not in streams]
        chosen = {name: streams[name] for name in config.streams or streams if name in streams}
        if unknown or len(chosen) < config.min_streams:
            raise ConfigError(
                f"streams to join: {', '.join(config.streams) or 'all'}; the run has "
                f"{', '.join(streams) or 'none'}; at least {config.min_streams} of them are needed"
            )
        self.counters = FusionCounters()
        self._config = config
        self._streams = chosen
        self._hop_ns = nanoseconds(config.hop_s or min(s.hop_s for s in chosen.values()))
        self._wait_ns = nanoseconds(config.wait_s)
        self._reached = dict.fromkeys(chosen, -1)
        self._waiting: dict[int, dict[str, Embedding]] = {}
        self._done = -1
        identity = [
            sorted(s.encoder_id for s in chosen.values()),
            sorted(config.confidence.items()),
        ]
        self.encoder_id = hashlib.sha256(msgspec.json.encode(identity)).hexdigest()

    def add(self, embedding: Embedding) -> list[Joint]:
        """Take the run's next embedding; the instants that it completes, in order of time."""
        if embedding.stream not in self._streams:
            return []
        instant = -(-embedding.grid_ns // self._hop_ns)
        if embedding.grid_ns < self._reached[embedding.stream] - NS_PER_S:
            joints = self.flush()  # the stream's clock was set back
        else:
            joints = []
        self._reached[embedding.stream] = embedding.grid_ns
        if instant <= self._done:
            self.counters.late += 1
            return joints
        members = self._waiting.setdefault(instant, {})
        self.counters.replaced += embedding.stream in members
        members[embedding.stream] = embedding
        return joints + self._fuse_until(self._settled())

    def flush(self) -> list[Joint]:
        """End the run: fuse what waits, with the streams that are there."""
        joints = self._fuse_until(max(self._waiting, default=-1))
        self._reached = dict.fromkeys(self._streams, -1)
        self._done = -1
        return joints

    def metadata(self, run: RunMetadata) -> RunMetadata:
        """The run's metadata with those of the joint stream."""
        joint = StreamMetadata(
            modality=Fused.JOINT.value,
            encoder_id=self.encoder_id,
            length_s=max(stream.length_s for stream in self._streams.values()),
            hop_s=self._hop_ns / NS_PER_S,
            trigger="grid",
            lateness_s=self._config.wait_s,
            min_coverage=0.0,
        )
        return msgspec.structs.replace(
            run,
            encoder_ids={**run.encoder_ids, Fused.JOINT.value: self.encoder_id},
            windows={**run.windows, JOINT_STREAM: joint},
        )

    def _settled(self) -> int:
        """The last instant nothing is waited for any more."""
        slowest, fastest = min(self._reached.values()), max(self._reached.values())
        return max(slowest // self._hop_ns, (fastest - self._wait_ns - 1) // self._hop_ns)

    def _fuse_until(self, last: int) -> list[Joint]:
        joints = []
        for instant in sorted(k for k in self._waiting if k <= last):
            joint = self._fused(instant * self._hop_ns, self._waiting.pop(instant))
            joints += [] if joint is None else [joint]
        self._done = max(self._done, last)
        return joints

    def _fused(self, grid_ns: int, members: dict[str, Embedding]) -> Joint | None:
        names = tuple(sorted(name for name, e in members.items() if self._weight(e) > 0))
        embeddings = [members[name] for name in names]
        weights = np.array([self._weight(e) for e in embeddings])
        if len(names) < self._config.min_streams:
            self.counters.alone += 1
            return None
        vector = unit_mean([e.vector for e in embeddings], weights)
        if vector is None:
            self.counters.opposed += 1
            return None
        self.counters.fused += 1
        self.counters.partial += len(names) < len(self._streams)
        joint = Embedding(
            stream=JOINT_STREAM,
            modality=Fused.JOINT,
            grid_ns=grid_ns,
            start_ns=min(e.start_ns for e in embeddings),
            end_ns=max(e.end_ns for e in embeddings),
            stamp_ns=max(e.stamp_ns for e in embeddings),
            coverage=sum(e.coverage for e in embeddings) / len(self._streams),
            valid_fraction=sum(e.valid_fraction for e in embeddings) / len(embeddings),
            encoder_id=self.encoder_id,
            vector=vector,
        )
        return Joint(joint, names)

    def _weight(self, embedding: Embedding) -> float:
        confidence = self._config.confidence.get(embedding.modality.value, 1.0)
        return confidence * embedding.coverage * embedding.valid_fraction


def unit_mean(
    vectors: Iterable[NDArray[np.float32]], weights: NDArray[np.float64]
) -> NDArray[np.float32] | None:
    """Weighted mean of unit vectors (dim,) as a unit vector; None if they cancel each other out."""
    mean = (np.stack(list(vectors)).astype(np.float64) * weights[:, np.newaxis]).sum(axis=0)
    norm = float(np.linalg.norm(mean))
    if norm < _SMALLEST_NORM * weights.sum():
        return None
    unit: NDArray[np.float32] = (mean / norm).astype(np.float32)
    return unit
