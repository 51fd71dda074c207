# SPDX-License-Identifier: Apache-2.0
"""The demo: a bundle on a sample recording whose truth is known, measured against it.

A sample folder holds `sample.mcap` and `truth.json`; the bundle brings `prompts.json`, the classes
of each modality. Nothing here knows what is in them. What one sense is asked by another is in
`demo_queries`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sensebind.config import PipelineConfig, StreamConfig, stream_config_from_options
from sensebind.errors import InputError
from sensebind.json_text import NOT_JSON
from sensebind.labelling import labelled
from sensebind.pipeline import Pipeline
from sensebind.sources import open_source
from sensebind.stream_path import StreamPath
from sensebind.types import Modality
from sensebind.zero_shot import ZeroShot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.bundle import Bundle
    from sensebind.manifest import Manifest
    from sensebind.records import Record, RunMetadata

RECORDING_NAME = "sample.mcap"
TRUTH_NAME = "truth.json"
PROMPTS_NAME = "prompts.json"

Prompts = dict[Modality, dict[str, list[str]]]

CLIP_S = 2.0
"""Length of the clips, ImageBind's."""

_ORDER = (Modality.VISION, Modality.DEPTH, Modality.THERMAL, Modality.AUDIO, Modality.IMU)


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A span [start_ns, end_ns) of the recording in which `modality` must show `label`."""

    start_ns: int
    end_ns: int
    modality: Modality
    label: str


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of a recording.

    Attributes:
        nature: where the data come from: "simulated" or "real".
        segments: what each modality must show, and when.
        streams: how topics are to be read: options of the command line's `--stream` by topic,
            `modality` among them; without them topics are mapped by type and name.
        natures: where the data of single modalities come from, if elsewhere.
    """

    nature: str
    segments: tuple[Segment, ...]
    streams: dict[str, dict[str, str]] = {}
    natures: dict[Modality, str] = {}

    def nature_of(self, modality: Modality) -> str:
        """Where a modality's data come from."""
        return self.natures.get(modality, self.nature)


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """A truth segment and the label given to it.

    Attributes:
        segment: the truth.
        windows: number of windows that lie fully inside it.
        label: the class of highest mean score over those windows; None if there are none.
        score: that mean score.
    """

    segment: Segment
    windows: int
    label: str | None
    score: float

    @property
    def right(self) -> bool:
        """Whether the label is the true one; a segment without windows is not."""
        return self.label == self.segment.label


@dataclass(frozen=True, slots=True)
class ModalityRun:
    """One modality's part of a demo.

    Attributes:
        name: what it is called: the modality, or "vision clips".
        modality: which one.
        nature: of its data.
        binding: how it came to be comparable with text: see `binding_of`.
        classes: what its windows were labelled by.
        metadata: of the run, with this modality's labels and streams.
        records: with labels and scores, in the order they were made.
        results: of its truth segments, by time.
    """

    name: str
    modality: Modality
    nature: str
    binding: str
    classes: ZeroShot
    metadata: RunMetadata
    records: list[Record]
    results: list[SegmentResult]

    @property
    def right(self) -> int:
        """Number of segments that got the true label."""
        return sum(result.right for result in self.results)


def read_truth(path: Path) -> Truth:
    """Read a `truth.json`.

    Raises:
        InputError: naming the file and what is wrong with it.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Truth)
    except (OSError, *NOT_JSON) as error:
        raise InputError(f"cannot read the truth of the sample, {path}: {error}") from None


def read_prompts(bundle: Bundle) -> Prompts:
    """Read the classes of each modality that a bundle brings.

    Raises:
        BundleError: if the bundle has no `prompts.json`, or not as its manifest lists it.
        InputError: naming the file and what is wrong with it.
    """
    bundle.folder.verify([PROMPTS_NAME])
    path = bundle.folder.file(PROMPTS_NAME)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Prompts)
    except NOT_JSON as error:
        raise InputError(f"cannot read the prompts of the bundle, {path}: {error}") from None


def run_demo(
    bundle: Bundle, recording: Path, truth: Truth, advance: Callable[[float], None]
) -> list[ModalityRun]:
    """Encode a recording, label every window and compare with the truth.

    Args:
        bundle: encoders and prompts.
        recording: what to read.
        truth: what is true of it.
        advance: told the share read so far.

    Returns:
        a run per modality that the bundle has prompts for and the recording shows.

    Raises:
        BundleError, InputError, SourceError: if something cannot be read or encoded.
    """
    classes = {m: ZeroShot(bundle, prompts) for m, prompts in read_prompts(bundle).items()}
    records: dict[Modality, list[Record]] = defaultdict(list)
    encoded = set(classes) & set(bundle.modalities)
    known = stream_configs(truth)
    config = PipelineConfig(streams={n: s for n, s in known.items() if s.modality in encoded})
    with open_source(recording) as source, Pipeline(bundle, config) as pipeline:
        for embedding in pipeline.run(source):
            modality = embedding.modality
            if isinstance(modality, Modality) and modality in classes:
                records[modality].append(labelled(embedding, classes[modality]))
            advance(source.progress())
        metadata = pipeline.metadata(source)
    if not records:
        raise InputError(
            f"bundle {bundle.name!r} has prompts for {', '.join(classes) or 'nothing'}, and no "
            f"window of {recording} became an embedding of it; give a bundle and a sample that fit"
        )
    return [
        ModalityRun(
            modality.value,
            modality,
            truth.nature_of(modality),
            binding_of(bundle.manifest, modality),
            classes[modality],
            _of_modality(metadata, modality, classes[modality].labels),
            records[modality],
            evaluate_truth(records[modality], truth.segments, modality, classes[modality].labels),
        )
        for modality in _ORDER
        if modality in records
    ]


def run_clips(
    bundle: Bundle, recording: Path, truth: Truth, frames: ModalityRun
) -> ModalityRun | None:
    """A camera's stream once more, as clips of two frames: see `sensebind.pooling`.

    Args:
        bundle: encoders and prompts.
        recording: what to read.
        truth: what is true of it.
        frames: what `run_demo` made of the stream's single frames.

    Returns:
        its run, labelled by the same classes; None if it holds no whole clip.
    """
    (stream,) = frames.metadata.windows
    config = StreamConfig(modality=frames.modality, frame_pooling_s=CLIP_S)
    path = StreamPath(stream, config, bundle.encoder(frames.modality))
    with open_source(recording) as source:
        windows = [
            window
            for block in source.blocks({stream: path.config}, "stamp")
            for window in path.take(block)
        ]
    made = (path.encode(window) for window in [*windows, *path.flush()])
    records = [labelled(embedding, frames.classes) for embedding in made if embedding is not None]
    if not records:
        return None
    metadata = msgspec.structs.replace(
        frames.metadata,
        windows={stream: path.metadata()},
        encoder_ids={frames.modality.value: path.encoder.encoder_id},
    )
    results = evaluate_truth(records, truth.segments, frames.modality, frames.classes.labels)
    return replace(
        frames, name=f"{frames.name} clips", metadata=metadata, records=records, results=results
    )


def stream_configs(truth: Truth) -> dict[str, StreamConfig]:
    """How the truth says streams are to be read, by topic."""
    return {
        topic: stream_config_from_options(topic, options)
        for topic, options in truth.streams.items()
    }


def evaluate_truth(
    records: Iterable[Record],
    segments: Iterable[Segment],
    modality: Modality,
    labels: Sequence[str],
) -> list[SegmentResult]:
    """Label each truth segment of a modality by the mean score of the windows fully inside it.

    Args:
        records: with scores in the order of `labels`; other modalities are passed over.
        segments: the truth; other modalities are passed over.
        modality: which one to evaluate.
        labels: class names.

    Returns:
        a result per segment, by time.
    """
    own = [
        (record.embedding, record.scores)
        for record in records
        if record.embedding.modality is modality and record.scores is not None
    ]
    wanted = sorted((s for s in segments if s.modality is modality), key=lambda s: s.start_ns)
    results = []
    for segment in wanted:
        inside = [
            scores
            for embedding, scores in own
            if segment.start_ns <= embedding.start_ns and embedding.end_ns <= segment.end_ns
        ]
        results.append(_result(segment, inside, labels))
    return results


def _result(
    segment: Segment, scores: list[NDArray[np.float32]], labels: Sequence[str]
) -> SegmentResult:
    if not scores:
        return SegmentResult(segment, 0, None, 0.0)
    mean = np.stack(scores).astype(np.float64).mean(axis=0)
    best = int(mean.argmax())
    return SegmentResult(segment, len(scores), labels[best], float(mean[best]))


def binding_of(manifest: Manifest, modality: Modality) -> str:
    """How a modality came to be comparable with text.

    Returns:
        "anchor" if it is one of the frozen towers, "text-bound" if it was trained against text,
        "emergent" if it met text only through what it was trained against, else "unbound".
    """
    if modality in manifest.anchor:
        return "anchor"
    edges = [{e.source, e.target} for e in manifest.binding_graph if e.trained]
    if {modality, Modality.TEXT} in edges:
        return "text-bound"
    return "emergent" if any(modality in edge for edge in edges) else "unbound"


def _of_modality(metadata: RunMetadata, modality: Modality, labels: tuple[str, ...]) -> RunMetadata:
    windows = {name: w for name, w in metadata.windows.items() if w.modality == modality.value}
    ids = {modality.value: metadata.encoder_ids[modality.value]}
    return msgspec.structs.replace(metadata, labels=labels, windows=windows, encoder_ids=ids)
