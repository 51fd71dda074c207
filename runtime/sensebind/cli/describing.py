# SPDX-License-Identifier: Apache-2.0
"""What is said of a run's embeddings: labels, joint embeddings and changes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import msgspec

from sensebind.changes import ChangeDetector
from sensebind.cli.report_text import counted
from sensebind.errors import ConfigError
from sensebind.fusion import Fusion, FusionConfig
from sensebind.labelling import LabelConfig, Labeller, Smoothing
from sensebind.sinks import check_place
from sensebind.storage import atomic_path
from sensebind.vocabulary import Vocabulary
from sensebind.zero_shot import DEFAULT_TEMPERATURE, ZeroShot, parse_prompts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sensebind.bundle import Bundle
    from sensebind.changes import ChangeEvent
    from sensebind.records import Record, RunMetadata
    from sensebind.types import Embedding

_OPTIONS = ("temperature", *LabelConfig.__struct_fields__)
_EXPECTED = {
    "temperature": "a number above 0, for example 0.07",
    "min_score": "a share from 0 to 1",
    "min_cosine": "a cosine from -1 to 1",
    "smoothing": f"one of {', '.join(get_args(Smoothing))}",
    "smoothing_s": "seconds above 0, at most 3600",
    "margin": "a share from 0 to 1",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants to be told of a run.

    Attributes:
        prompts: classes to score, as the user wrote them; None for none.
        labels: "key=value,…", when labels are given, changed and withheld.
        joint: join the embeddings of all streams.
        changes: write a line for each change of a stream to this file.
    """

    prompts: str | None = None
    labels: str | None = None
    joint: bool = False
    changes: Path | None = None

    def check(self) -> None:
        """Check what can be checked before any work is done.

        Raises:
            InputError: naming the option or file and the reason.
        """
        label_options(self.labels)
        if self.labels is not None and self.prompts is None:
            raise ConfigError(f"--labels {self.labels!r} needs classes; give them with --prompts")
        if self.changes is not None:
            check_place(self.changes)


def label_options(text: str | None) -> tuple[float, LabelConfig]:
    """Temperature and configuration of labels from "key=value,…".

    Raises:
        ConfigError: naming the option, its value and what was expected.
    """
    options = dict(part.partition("=")[::2] for part in text.split(",")) if text else {}
    unknown = next((name for name in options if name not in _OPTIONS), None)
    if unknown is not None:
        raise ConfigError(f"unknown option {unknown!r} in --labels; known: {', '.join(_OPTIONS)}")
    given = dict(options)
    try:
        temperature = float(options.pop("temperature", DEFAULT_TEMPERATURE))
        return temperature, msgspec.convert(options, LabelConfig, strict=False)
    except msgspec.ValidationError as error:
        name = str(error).rpartition("$.")[2].rstrip("`")
    except ValueError:
        name = "temperature"
    raise ConfigError(f"--labels {name}={given[name]}: expected {_EXPECTED[name]}")


class Describer:
    """Makes the records of a run from its embeddings, as asked.

    Attributes:
        notes: after `begin`, a sentence for each class that the bundle's anchor knows nothing like.
    """

    def __init__(self, asked: Asked, bundle: Bundle) -> None:
        """Embed the prompts.

        Raises:
            InputError: if the prompts or an option cannot be used.
        """
        self.notes: list[str] = []
        self._asked = asked
        self._bundle = bundle
        temperature, config = label_options(asked.labels)
        classes = None
        if asked.prompts is not None:
            prompts = parse_prompts(asked.prompts)
            classes = ZeroShot(bundle, prompts, temperature=temperature)
        self._classes = classes
        self.labeller = Labeller(classes, config)
        self.label_counts: dict[str, Counter[str]] = {}
        self._fusion: Fusion | None = None
        self._detector = ChangeDetector() if asked.changes is not None else None
        self._events: list[ChangeEvent] = []

    def begin(self, metadata: RunMetadata) -> RunMetadata:
        """Take the metadata of the run, and return those of its records.

        Raises:
            ConfigError: if there are no streams to join.
        """
        metadata = msgspec.structs.replace(
            metadata, labels=self.labeller.labels, prompt_sets=self.labeller.prompt_sets
        )
        self.notes = self._unknown_classes(metadata)
        if not self._asked.joint:
            return metadata
        self._fusion = Fusion(metadata.windows, FusionConfig())
        return self._fusion.metadata(metadata)

    def _unknown_classes(self, metadata: RunMetadata) -> list[str]:
        """What the anchor's own senses cannot tell; the others know more than their texts say."""
        vocabulary = None if self._classes is None else Vocabulary.of(self._bundle)
        if vocabulary is None or self._classes is None:
            return []
        senses = [m for m in self._bundle.manifest.anchor if m.value in metadata.encoder_ids]
        return vocabulary.notes(self._classes.labels, self._classes.prototypes, senses)

    def records(self, embeddings: Iterable[Embedding]) -> Iterator[Record]:
        """The records of a run's embeddings, and of those joined of them; call `begin` before."""
        for embedding in embeddings:
            yield self._record(embedding)
            if self._fusion is not None:
                for joint in self._fusion.add(embedding):
                    yield self._record(joint.embedding, joint.members)
        if self._fusion is not None:
            for joint in self._fusion.flush():
                yield self._record(joint.embedding, joint.members)

    def finish(self) -> list[str]:
        """Write the changes; lines that tell what was joined and what changed.

        Raises:
            OSError: if the file cannot be written.
        """
        lines = []
        if self._fusion is not None:
            counts = self._fusion.counters
            lines.append(
                f"joint: {counted(counts.fused, 'embedding')}, {counts.partial} of them without "
                f"some stream; left out: {counts.alone} of one stream only, {counts.late} late"
            )
        if self._asked.changes is not None:
            with atomic_path(self._asked.changes) as temporary:
                temporary.write_bytes(
                    b"".join(msgspec.json.encode(event) + b"\n" for event in self._events)
                )
            lines.append(f"{counted(len(self._events), 'change')} in {self._asked.changes}")
        return lines

    @property
    def summary(self) -> dict[str, object]:
        """What was joined and how many changes were told, None where not asked for."""
        return {
            "joint": self._fusion.counters if self._fusion is not None else None,
            "changes": len(self._events) if self._detector is not None else None,
        }

    def _record(self, embedding: Embedding, members: tuple[str, ...] = ()) -> Record:
        record = self.labeller.record(embedding, members)
        if record.label is not None:
            self.label_counts.setdefault(embedding.stream, Counter())[record.label] += 1
        event = self._detector.add(embedding) if self._detector is not None else None
        if event is not None:
            self._events.append(event)
        return record
