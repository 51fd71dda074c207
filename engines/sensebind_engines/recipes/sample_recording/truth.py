# SPDX-License-Identifier: Apache-2.0
"""What each sense must show, and when: the contents of `truth.json`."""

from __future__ import annotations

import json
from importlib import metadata
from typing import TYPE_CHECKING, Any, NamedTuple

from sensebind_engines.recipes.sample_recording import bag, library, scene, scouting
from sensebind_engines.recipes.sample_recording.episode import Act
from sensebind_engines.recipes.simulation.labels import window_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sensebind_engines.recipes.sample_recording.sounds import Heard
    from sensebind_engines.recipes.simulation.log import SimLog

FORMAT = 2
GENERATOR_VERSION = 2

_STATEMENT = (
    "SIMULATED: motion and contacts by MuJoCo, sensor errors by the stated models, pictures, "
    "depth and thermal frames by software rendering of 3-D models with stereo noise and invented "
    "temperatures, sound from contact forces and wheel speeds, with instruments of a soundfont "
    "and synthesised events mixed in, without a room. Everything is from the test side of what "
    "the demo bundle was trained on: models of the test split, a robot, floors and an IMU outside"
    " of the training ranges, pitches and parameters of sounds that no training saw. No seed and "
    "nothing else was chosen by results of the trained encoders; the models were chosen because "
    "the frozen image tower can name them (see objects_choice)."
)
_NATURES = {
    "imu": "simulated",
    "vision": "simulated",
    "depth": "simulated",
    "thermal": "simulated",
    "audio": "simulated",
}

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
    heard: tuple[Heard, ...]


Span = tuple[float, float, Act]


def segments(log: SimLog, spans: tuple[Span, ...], heard: Sequence[Heard]) -> list[Segment]:
    """All truth segments in order of their start."""
    seen = [
        segment._replace(modality=modality)
        for segment in _view_segments(spans)
        for modality in ("vision", "depth", "thermal")
    ]
    sounds = [Segment(sound.start_s, sound.end_s, "audio", sound.label) for sound in heard]
    return sorted([*_imu_segments(log, spans), *seen, *sounds])


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
    """First and last index of the longest run of one class; '' is none."""
    best: tuple[int, int] | None = None
    begin = 0
    for index, label in enumerate(labels):
        if label != labels[begin]:
            begin = index
        is_longer = best is None or index - begin > best[1] - best[0]
        if label and is_longer:
            best = (begin, index)
    return best


def _view_segments(spans: tuple[Span, ...]) -> Iterator[Segment]:
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


def write_truth(
    path: Path,
    origin: Origin,
    rows: list[Segment],
    sensors: Mapping[str, object],
    log: SimLog,
) -> None:
    """Write `truth.json`; all times are int64 nanoseconds in the clock of header.stamp."""
    document = {
        "format": FORMAT,
        "recording": {"file": origin.recording, "sha256": origin.sha256},
        "nature": "simulated",
        "natures": _NATURES,
        "statement": _STATEMENT,
        "generator": _generator(origin),
        "streams": _streams(),
        "segments": [_segment(row, origin.origin_ns) for row in rows],
        "events": _events(origin, log),
        "sensors": sensors,
        "objects_choice": _objects_choice(),
        "credits": _credits(origin.heard),
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _generator(origin: Origin) -> dict[str, Any]:
    packages = ("mujoco", "numpy", "scipy", "pillow", "rosbags", "mcap", "soundfile", "soxr")
    return {
        "name": __package__,
        "version": GENERATOR_VERSION,
        "seed": origin.seed,
        "packages": {name: metadata.version(name) for name in packages},
    }


def _streams() -> dict[str, dict[str, str]]:
    """How each topic is to be read: the options of a stream, by topic."""
    return {
        bag.IMU_TOPIC: {"modality": "imu"},
        bag.COLOUR_TOPIC: {"modality": "vision"},
        bag.DEPTH_TOPIC: {"modality": "depth"},
        bag.THERMAL_TOPIC: {"modality": "thermal", "unit": "centikelvin"},
        bag.AUDIO_TOPIC: {"modality": "audio"},
    }


def _segment(row: Segment, origin_ns: int) -> dict[str, Any]:
    return {
        "start_ns": _ns(row.start_s, origin_ns),
        "end_ns": _ns(row.end_s, origin_ns),
        "modality": row.modality,
        "label": row.label,
    }


def _events(origin: Origin, log: SimLog) -> list[dict[str, Any]]:
    """Gap and impacts, by time."""
    spans = [("imu_gap", *origin.gap_s)]
    spans += [("impact", impact.time_s, impact.time_s) for impact in log.impacts]
    return [
        {
            "kind": kind,
            "start_ns": _ns(start_s, origin.origin_ns),
            "end_ns": _ns(end_s, origin.origin_ns),
        }
        for kind, start_s, end_s in sorted(spans, key=lambda span: span[1])
    ]


def _objects_choice() -> dict[str, Any]:
    return {
        "rule": (
            "of each class the test model with the largest mean margin among those at least "
            f"{scouting.MIN_HEIGHT_M} m tall that the frozen image tower names rightly in at least "
            f"{scouting.REQUIRED_SHARE:.0%} of their studio views (other room, light, angles and "
            f"distances than here); the {scouting.CHOSEN} classes of the largest margins"
        ),
        "note": "So vision does better here than on things it was not asked about before.",
        "studio_turns_deg": list(scouting.STUDIO_TURNS_DEG),
        "recording_turns_deg": {place.label: place.turn_deg for place in scene.PLACES},
        "scores": [score._asdict() for score in scouting.read_report()],
    }


def _credits(heard: Sequence[Heard]) -> dict[str, Any]:
    """Where the 3-D models and the sounds come from."""
    models = {
        f"{place.library}/{place.model}": library.CREDITS[place.library]._asdict()
        for place in scene.PLACES
    }
    return {
        "package": {"name": library.DEB_NAME, "sha256": library.DEB_SHA256},
        "models": models,
        "sounds": {s.label: s.credit or "synthesised by this project" for s in heard},
    }


def _ns(time_s: float, origin_ns: int) -> int:
    return origin_ns + round(time_s * 1e9)
