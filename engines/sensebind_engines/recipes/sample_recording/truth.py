# SPDX-License-Identifier: Apache-2.0
"""What each sense must show, and when: the contents of `truth.json`."""

from __future__ import annotations

import json
from importlib import metadata, resources
from typing import TYPE_CHECKING, Any, NamedTuple

from sensebind_engines.recipes.sample_recording import bag, library, scene, scouting
from sensebind_engines.recipes.sample_recording.episode import Act
from sensebind_engines.recipes.simulation.labels import BORDERLINE, CLASSES, window_label

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind_engines.recipes.simulation.log import SimLog
    from sensebind_engines.recipes.simulation.sensors import ImuModel

FORMAT = 1
GENERATOR_VERSION = 1
PROMPTS = "vision_prompts.json"
_IMU_BINDING = "text-bound: trained on simulated robots with these classes' texts"
_VISION_BINDING = "zero-shot: ImageNet class names mixed in text space (ConSE), nothing trained"

_STATEMENT = (
    "Everything here is simulated: motion and contacts by MuJoCo, sensor errors by the stated "
    "models, pictures by software rendering of public-domain 3-D models, sound synthesised from "
    "contact forces and wheel speeds. The robot's dimensions lie within the training ranges of the "
    "demo IMU encoder, but no training robot or seed is used; neither of the two grounds, boards "
    "with steps of up to 0.3 mm and gravel, is of a kind used in training. The boards replaced a "
    "mathematical plane after a first encoder had called both smooth drives over that still (12 of "
    "14 IMU segments right); nothing else was changed after an IMU result, and no seed was chosen "
    "by results."
)

WINDOW_S = 2.0
_STEP_S = 0.1


class Segment(NamedTuple):
    """A span [start_s, end_s) of the run in which `modality` must show `label`."""

    start_s: float
    end_s: float
    modality: str
    label: str


class Origin(NamedTuple):
    """Where the recording comes from, and the spans that no segment tells."""

    seed: int
    recording: str
    sha256: str
    origin_ns: int
    gap_s: tuple[float, float]
    alarms_s: tuple[tuple[float, float], ...]


Span = tuple[float, float, Act]


def segments(log: SimLog, spans: tuple[Span, ...]) -> list[Segment]:
    """All truth segments in order of their start."""
    return sorted([*_imu_segments(log, spans), *_vision_segments(spans)])


def _imu_segments(log: SimLog, spans: tuple[Span, ...]) -> Iterator[Segment]:
    """Per act, the span covered by 2 s windows whose measured motion confirms one class.

    The script alone does not make a truth: starting, stopping and backing off belong to no class
    (`simulation.labels` holds the rules).
    """
    for start_s, end_s, act in spans:
        intent = act.behaviour.label
        if not intent:
            continue
        count = int((end_s - start_s - WINDOW_S) / _STEP_S + 1e-6) + 1
        starts = [start_s + k * _STEP_S for k in range(count)]
        labels = [window_label(log, intent, s, s + WINDOW_S) for s in starts]
        run = _longest_run(labels)
        if run is not None:
            first, last = run
            yield Segment(starts[first], starts[last] + WINDOW_S, "imu", labels[first])


def _longest_run(labels: list[str]) -> tuple[int, int] | None:
    """First and last index of the longest run of one class; '' and borderline are no class."""
    best: tuple[int, int] | None = None
    begin = 0
    for index, label in enumerate(labels):
        if label != labels[begin]:
            begin = index
        is_longer = best is None or index - begin > best[1] - best[0]
        if label not in ("", BORDERLINE) and is_longer:
            best = (begin, index)
    return best


def _vision_segments(spans: tuple[Span, ...]) -> Iterator[Segment]:
    """Spans in which one of the chosen models fills the view; consecutive ones are joined."""
    open_segment: Segment | None = None
    for start_s, end_s, act in spans:
        view_s = start_s + act.view_from_s
        if open_segment and (open_segment.label != act.view or open_segment.end_s < view_s):
            yield open_segment
            open_segment = None
        if act.view:
            begin_s = open_segment.start_s if open_segment else view_s
            open_segment = Segment(begin_s, end_s, "vision", act.view)
    if open_segment:
        yield open_segment


def vision_prompts() -> dict[str, list[str]]:
    """Class to its texts, as shipped with the recording."""
    text = resources.files(__package__).joinpath(PROMPTS).read_text(encoding="utf-8")
    prompts: dict[str, list[str]] = json.loads(text)
    return prompts


def write_truth(
    path: Path, origin: Origin, rows: list[Segment], imu_model: ImuModel, log: SimLog
) -> None:
    """Write `truth.json`; all times are int64 nanoseconds in the clock of header.stamp."""
    document = {
        "format": FORMAT,
        "recording": {"file": origin.recording, "sha256": origin.sha256},
        "nature": "simulated",
        "statement": _STATEMENT,
        "generator": _generator(origin),
        "modalities": _modalities(),
        "segments": [_segment(row, origin.origin_ns) for row in rows],
        "events": _events(origin, log),
        "sensors": {"imu": imu_model.truth()},
        "vision_choice": _vision_choice(),
        "models": _models(),
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _generator(origin: Origin) -> dict[str, Any]:
    packages = ("mujoco", "numpy", "scipy", "pillow", "rosbags", "mcap")
    return {
        "name": __package__,
        "version": GENERATOR_VERSION,
        "seed": origin.seed,
        "packages": {name: metadata.version(name) for name in packages},
    }


def _modalities() -> dict[str, Any]:
    return {
        "imu": {
            "topic": bag.IMU_TOPIC,
            "labels": list(CLASSES),
            "binding": "text-bound",
            "binding_note": _IMU_BINDING,
        },
        "vision": {
            "topic": bag.COLOUR_TOPIC,
            "labels": list(vision_prompts()),
            "prompts": vision_prompts(),
            "binding": "anchor",
            "binding_note": _VISION_BINDING,
        },
    }


def _segment(row: Segment, origin_ns: int) -> dict[str, Any]:
    return {
        "start_ns": _ns(row.start_s, origin_ns),
        "end_ns": _ns(row.end_s, origin_ns),
        "modality": row.modality,
        "label": row.label,
    }


def _events(origin: Origin, log: SimLog) -> list[dict[str, Any]]:
    """Gap, alarms and impacts, by time."""
    spans = [("imu_gap", *origin.gap_s)] + [("alarm", *span) for span in origin.alarms_s]
    spans += [("impact", impact.time_s, impact.time_s) for impact in log.impacts]
    return [
        {
            "kind": kind,
            "start_ns": _ns(start_s, origin.origin_ns),
            "end_ns": _ns(end_s, origin.origin_ns),
        }
        for kind, start_s, end_s in sorted(spans, key=lambda span: span[1])
    ]


def _vision_choice() -> dict[str, Any]:
    return {
        "rule": (
            f"the {scouting.CHOSEN} candidates with the largest mean margin among those at least "
            f"{scouting.MIN_HEIGHT_M} m tall and named rightly in at least "
            f"{scouting.REQUIRED_SHARE:.0%} of their studio views (other room, light, angles and "
            "distances than in the recording)"
        ),
        "note": (
            "The candidates were picked after an informal look at 52 of the library's models, so "
            "their scores do not tell how often a rendered thing is named; the vision prompts are "
            "nouns that the image tower's 1000 ImageNet classes contain or nearly contain."
        ),
        "studio_turns_deg": list(scouting.STUDIO_TURNS_DEG),
        "recording_turns_deg": {place.label: place.turn_deg for place in scene.PLACES},
        "scores": [score._asdict() for score in scouting.read_report()],
    }


def _models() -> dict[str, Any]:
    """Where the 3-D models come from."""
    return {
        "package": library.DEB_NAME,
        "sha256": library.DEB_SHA256,
        "licence": library.LICENCE,
        "files": {
            key: {
                "creator": credit.creator,
                "source": library.SOURCE_URL.format(blend=credit.blend),
            }
            for key, credit in library.CREDITS.items()
        },
    }


def _ns(time_s: float, origin_ns: int) -> int:
    return origin_ns + round(time_s * 1e9)
