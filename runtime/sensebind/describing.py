# SPDX-License-Identifier: Apache-2.0
"""What is said of a run's embeddings: labels, joint embeddings and changes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from sensebind.calibration.sections import ScoresSection
from sensebind.changes import ChangeConfig, ChangeDetector
from sensebind.errors import ConfigError
from sensebind.fusion import Fusion, FusionConfig
from sensebind.labelling import LabelConfig, Labeller
from sensebind.vocabulary import Vocabulary
from sensebind.zero_shot import DEFAULT_TEMPERATURE, ZeroShot, parse_prompts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sensebind.bundle import Bundle
    from sensebind.calibration import Calibration
    from sensebind.changes import ChangeEvent
    from sensebind.fusion import FusionCounters, Joint
    from sensebind.records import Record, RunMetadata
    from sensebind.types import Embedding


class LabelSettings(LabelConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a stream's label is given, changed and withheld, and how sharp scores are.

    Attributes:
        temperature: divides the cosines before they are made shares; smaller is sharper.
    """

    temperature: Annotated[float, Meta(gt=0)] = DEFAULT_TEMPERATURE


class ChangeSettings(ChangeConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is a change, and where changes are written.

    Attributes:
        file: takes a JSON line for each change.
    """

    file: str

    @property
    def path(self) -> Path:
        """`file` as a path."""
        return Path(self.file)


class DescribingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be said of the embeddings of a run.

    Attributes:
        prompts: classes to score: texts by class, or a text as `--prompts` takes it ("a cat,a dog",
            or the name of a file).
        labels: when labels are given.
        fusion: how streams are joined; None for not.
        changes: what is a change, and where they are written; None for not.
    """

    prompts: str | dict[str, tuple[str, ...]] | None = None
    labels: LabelSettings = LabelSettings()
    fusion: FusionConfig | None = None
    changes: ChangeSettings | None = None

    def __post_init__(self) -> None:
        """Refuse settings of labels that nothing is labelled by."""
        if self.prompts is None and self.labels != LabelSettings():
            raise ConfigError("labels are set, but there are no classes; give prompts")


@dataclass(frozen=True, slots=True)
class Description:
    """What makes records, ready to be used; see `Describer.prepare`."""

    config: DescribingConfig
    classes: ZeroShot | None
    labeller: Labeller
    detector: ChangeDetector | None
    fusion: Fusion | None = None


class Describer:
    """Makes the records of a run from its embeddings, as asked. One thread owns it.

    Attributes:
        label_counts: how often each label was given, by stream.
        changes: how many changes were told.
    """

    def __init__(
        self,
        config: DescribingConfig,
        bundle: Bundle,
        on_change: Callable[[ChangeEvent], None] = lambda _event: None,
        calibration: Calibration | None = None,
    ) -> None:
        """Embed the prompts.

        Args:
            config: what is asked.
            bundle: embeds the prompts.
            on_change: told of each change.
            calibration: what the scores of streams are worth.

        Raises:
            InputError: if the prompts or an option cannot be used.
        """
        self.label_counts: dict[str, Counter[str]] = {}
        self.changes = 0
        self._bundle = bundle
        self._on_change = on_change
        self._calibration = calibration
        self._now = _described(config, bundle, None)

    @property
    def config(self) -> DescribingConfig:
        """What is asked."""
        return self._now.config

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes."""
        return self._now.labeller.labels

    @property
    def joint(self) -> FusionCounters | None:
        """What was joined; None if not asked for."""
        return None if self._now.fusion is None else self._now.fusion.counters

    def begin(self, run: RunMetadata) -> RunMetadata:
        """Take the metadata of the run, and return those of its records.

        Raises:
            ConfigError: if there are no streams to join.
            CalibrationError: if scores were calibrated with other prompts or encoders.
        """
        self._now = self._calibrated(_with_fusion(self._now, run, None), run)
        return self.metadata(run)

    def prepare(self, config: DescribingConfig, run: RunMetadata) -> Description:
        """Get ready for other wishes in the same run; what is asked as before goes on as it was.

        This takes the time that embedding prompts takes, and changes nothing before `use`. It may
        be called by another thread.

        Raises:
            InputError: if the prompts or an option cannot be used.
            ConfigError: if there are no streams to join.
            CalibrationError: if scores were calibrated with other prompts or encoders.
        """
        description = _described(config, self._bundle, self._now)
        return self._calibrated(_with_fusion(description, run, self._now), run)

    def use(self, description: Description) -> list[Record]:
        """Go on with other wishes; the records of what waited to be joined in another way."""
        left = [] if description.fusion is self._now.fusion else list(self.end())
        self._now = description
        return left

    def metadata(self, run: RunMetadata) -> RunMetadata:
        """Metadata of the records of a run."""
        labeller, fusion = self._now.labeller, self._now.fusion
        applied = dict(run.calibrated)
        for stream in labeller.calibrated:
            applied[stream] = (*applied.get(stream, ()), ScoresSection.KIND)
        run = msgspec.structs.replace(
            run,
            labels=labeller.labels,
            prompt_sets=labeller.prompt_sets,
            calibrated=applied,
        )
        return run if fusion is None else fusion.metadata(run)

    def notes(self, run: RunMetadata) -> list[str]:
        """A sentence for each class that the anchor's own senses know nothing like.

        The other senses know more than their texts say.
        """
        classes = self._now.classes
        vocabulary = None if classes is None else Vocabulary.of(self._bundle)
        if vocabulary is None or classes is None:
            return []
        senses = [m for m in self._bundle.manifest.anchor if m.value in run.encoder_ids]
        return vocabulary.notes(classes.labels, classes.prototypes, senses)

    def records(self, embeddings: Iterable[Embedding]) -> Iterator[Record]:
        """The records of a run's embeddings, and of those joined of them; call `begin` before."""
        for embedding in embeddings:
            yield from self.add(embedding)
        yield from self.end()

    def add(self, embedding: Embedding) -> Iterator[Record]:
        """The records of the run's next embedding, and of those joined with it."""
        yield self._record(embedding)
        if self._now.fusion is not None:
            yield from map(self._joined, self._now.fusion.add(embedding))

    def end(self) -> Iterator[Record]:
        """The records of what still waits to be joined."""
        if self._now.fusion is not None:
            yield from map(self._joined, self._now.fusion.flush())

    def _calibrated(self, description: Description, run: RunMetadata) -> Description:
        """With what the scores of the run's streams are worth."""
        classes, before = description.classes, description.labeller
        if self._calibration is None or classes is None:
            return description
        scored = {name: stream.encoder_id for name, stream in run.windows.items()}
        known = self._calibration.scores(
            scored, space_id=run.space_id, prompts_sha256=classes.prompts_sha256
        )
        if known == before.calibrated:
            return description
        return replace(description, labeller=Labeller(classes, before.config, known))

    def _joined(self, joint: Joint) -> Record:
        return self._record(joint.embedding, joint.members)

    def _record(self, embedding: Embedding, members: tuple[str, ...] = ()) -> Record:
        record = self._now.labeller.record(embedding, members)
        if record.label is not None:
            self.label_counts.setdefault(embedding.stream, Counter())[record.label] += 1
        detector = self._now.detector
        event = detector.add(embedding) if detector is not None else None
        if event is not None:
            self.changes += 1
            self._on_change(event)
        return record


def _described(config: DescribingConfig, bundle: Bundle, before: Description | None) -> Description:
    """What makes records, but for joint ones; parts of `before` where the same is asked."""
    asked = config.prompts, config.labels
    if before is not None and asked == (before.config.prompts, before.config.labels):
        classes, labeller = before.classes, before.labeller
    else:
        classes = _classes(config, bundle)
        labeller = Labeller(classes, config.labels)
    if before is not None and before.config.changes == config.changes:
        detector = before.detector
    else:
        detector = None if config.changes is None else ChangeDetector(config.changes)
    return Description(config, classes, labeller, detector)


def _with_fusion(
    description: Description, run: RunMetadata, before: Description | None
) -> Description:
    wanted = description.config.fusion
    if wanted is None:
        return description
    if before is not None and before.config.fusion == wanted:
        return replace(description, fusion=before.fusion)
    return replace(description, fusion=Fusion(run.windows, wanted))


def _classes(config: DescribingConfig, bundle: Bundle) -> ZeroShot | None:
    prompts = config.prompts
    if prompts is None:
        return None
    classes = parse_prompts(prompts) if isinstance(prompts, str) else prompts
    return ZeroShot(bundle, classes, temperature=config.labels.temperature)
