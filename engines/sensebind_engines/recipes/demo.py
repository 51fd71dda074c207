# SPDX-License-Identifier: Apache-2.0
"""The recipe `demo`: the built-in bundle, from the frozen anchor and the trained senses."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import shutil
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from sensebind.bundle import Bundle
from sensebind.bundle_folder import BundleFolder, open_bundle
from sensebind.errors import InputError, MissingExtraError
from sensebind.manifest import EdgeSpec
from sensebind.types import Modality
from sensebind.vocabulary import VOCABULARY_NAME
from sensebind_engines.export.bundle import check_new, new_bundle
from sensebind_engines.half.calibration import training_features
from sensebind_engines.recipes.anchor import build_anchor
from sensebind_engines.recipes.demo_senses import LICENCE, SENSES, BuiltSense, build_sense
from sensebind_engines.recipes.esc10.dataset import FINAL, SOUNDS, clip_rows
from sensebind_engines.recipes.figures_text import evaluation_text
from sensebind_engines.recipes.sample_recording.library import find_package
from sensebind_engines.recipes.sounds.credits import credits_text
from sensebind_engines.recipes.sounds.renders import SOUNDFONT
from sensebind_engines.recipes.vocabulary import measure_vocabulary, vocabulary_arrays
from sensebind_engines.training.config_file import load_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sensebind_engines.export.bundle import BundleDraft

NAME = "demo"
PROMPTS_NAME, NOTICE_NAME = "prompts.json", "NOTICE.txt"
HALF_ROWS = 64
"""Training items on which the half graphs' value ranges are looked at."""

_ANCHOR = (Modality.VISION, Modality.TEXT)
_PACKAGES = ("torch", "mujoco", "numpy", "scipy", "numba", "onnx", "onnxscript", "onnxruntime")
_HEAD = """\
The encoders of depth, thermal, audio and IMU, golden.npz, prompts.json, vocabulary.npz and
EVALUATION.md are SenseBind's own (Apache-2.0). What vision.onnx, text.onnx and tokenizer.json are
made from is told in NOTICE-anchor.txt.

Depth and thermal were trained on pictures of 3-D models of Debian's sweethome3d-furniture 1.8-1:
BlendSwap-CC-0 (Creative Commons Zero); BlendSwap-CC-BY (the BlendSwap contributors), Scopia
(Emmanuel Puybaret / eTeks and Scopia Visual Interfaces Systems, s.l., http://www.scopia.es),
KatorLegaz (Andrew Kator and Jennifer Legaz) and Reallusion (http://www.reallusion.com), all CC BY
3.0. The IMU encoder was trained on motion that SenseBind simulated with MuJoCo.

Audio was trained on:
"""


def build(out: Path, cache: Path, *, seed: int = 0) -> Path:
    """Build the demo bundle into the folder `out`.

    Everything is made in the cache, step by step, and kept there; see `demo_senses`. The same
    packages on the same machine give the same bytes.

    Args:
        out: a new or empty folder.
        cache: holds the recordings of ESC-10 ("esc10"), and receives the rest.
        seed: of the shipped encoders.

    Raises:
        InputError: `out` is not empty, or the cache holds what was made otherwise.
        MissingExtraError, SourceError: a package or data are missing or changed.
        TrainingError, BundleError: as of `sensebind train` and `export`.
    """
    check_new(out)
    notice = check_sources(cache)
    anchor = _anchor(cache)
    senses = [build_sense(sense, cache, seed=seed) for sense in SENSES]
    return assemble(out, anchor, senses, notice)


def check_sources(cache: Path) -> str:
    """Look for all that the recipe cannot make itself, before hours are spent on the rest.

    Args:
        cache: as of `build`; receives the Debian packages.

    Returns:
        the bundle's notice.

    Raises:
        MissingExtraError, SourceError: a package or data are missing or changed.
    """
    for name in (*_PACKAGES, "midirenderer"):
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError(f"The recipe {NAME!r} ({name})", "recipes")
    notice = _HEAD + credits_text(cache)
    for label in SOUNDS:
        clip_rows(cache, cache, label, FINAL)
    find_package(cache)
    SOUNDFONT.find(cache)
    return notice


def assemble(out: Path, anchor: BundleFolder, senses: Sequence[BuiltSense], notice: str) -> Path:
    """Put the bundle together from parts that are whole.

    Args:
        out: a new or empty folder.
        anchor: bundle of the frozen towers; its manifest's `training` tells its figures.
        senses: all trained senses.
        notice: credits.

    Raises:
        InputError: a sense is bound to another anchor.
        BundleError: a file is not as its bundle's manifest lists it.
    """
    for built in senses:
        if built.bundle.manifest.space_id != anchor.manifest.space_id:
            raise InputError(
                f"{built.sense.modality} was bound to the space "
                f"{built.bundle.manifest.space_id[:16]}, the anchor's is "
                f"{anchor.manifest.space_id[:16]}; train it again with this anchor"
            )
    with new_bundle(out) as draft:
        for modality in _ANCHOR:
            draft.adopt(anchor, modality)
        for built in senses:
            draft.adopt(built.bundle, built.sense.modality)
            # Of the bundle that the sense was bound to; this one tells all of it anew.
            (draft.folder / NOTICE_NAME).unlink(missing_ok=True)
            _add_half(draft, built)
        prompts = _prompts(senses)
        draft.put(PROMPTS_NAME, _json(prompts))
        known = {built.sense.modality: built.learnt() for built in senses}
        with Bundle(anchor) as towers:
            checked = measure_vocabulary(towers)
            draft.put(VOCABULARY_NAME, vocabulary_arrays(towers, known, checked.threshold))
        draft.put(NOTICE_NAME, notice.encode())
        figures = [built.figures for built in senses]
        anchor_figures = msgspec.convert(anchor.manifest.training["anchor"], dict[str, float])
        draft.finish(
            name=NAME,
            anchor=_ANCHOR,
            licence=LICENCE,
            binding_graph=_edges(senses),
            training={
                "recipe": NAME,
                "senses": {one.sense: one.provenance for one in figures},
                "anchor": anchor_figures,
                "vocabulary": msgspec.to_builtins(checked),
                "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
            },
            evaluation=evaluation_text(figures, anchor_figures, checked),
        )
    return out


def _anchor(cache: Path) -> BundleFolder:
    """The frozen towers as a bundle of their own, built once."""
    place = cache / "demo-anchor"
    if not place.exists():
        parts = cache / ".demo-anchor.parts"
        shutil.rmtree(parts, ignore_errors=True)
        made = build_anchor(parts)
        with new_bundle(place) as draft:
            for path in sorted(parts.iterdir()):
                draft.put(path.name, path.read_bytes())
            for modality, spec in made.encoders.items():
                golden = {
                    key.partition("/")[2]: array
                    for key, array in made.golden.items()
                    if key.startswith(f"{modality}/")
                }
                draft.add(modality, spec, golden)
            draft.finish(
                name="demo-anchor",
                anchor=_ANCHOR,
                licence=LICENCE,
                binding_graph=_edges(()),
                training={"anchor": made.figures},
            )
        shutil.rmtree(parts)
    return open_bundle(place)


def _add_half(draft: BundleDraft, built: BuiltSense) -> None:
    """The half graph of a sense, unless it came with one."""
    modality = built.sense.modality
    if draft.encoders[modality].fp16 is UNSET:
        config = load_config(str(built.data / built.sense.config), [])
        spec = draft.encoders[modality]
        draft.add_half(modality, training_features(config, spec, modality, HALF_ROWS))


def _edges(senses: Sequence[BuiltSense]) -> tuple[EdgeSpec, ...]:
    """The anchor's edge, each sense's trained one, and those to text that emerged."""
    conse = EdgeSpec(source=Modality.VISION, target=Modality.TEXT, loss="conse", trained=True)
    edges = [conse]
    for built in senses:
        modality = built.sense.modality
        for edge in built.bundle.manifest.binding_graph:
            ends = {edge.source, edge.target}
            if modality in ends and ends & {Modality.VISION, Modality.TEXT}:
                (other,) = ends - {modality}
                edges.append(msgspec.structs.replace(edge, source=modality, target=other))
    return tuple(sorted(edges, key=lambda edge: (not edge.trained, edge.source, edge.target)))


def _prompts(senses: Sequence[BuiltSense]) -> dict[str, dict[str, list[str]]]:
    """Classes and texts of every sense; pictures are asked what depth is asked."""
    found: dict[str, dict[str, list[str]]] = {}
    for built in senses:
        own = built.sense.wordings(built.data)
        found[built.sense.modality.value] = own[built.sense.modality.value]
        if Modality.VISION.value in own:
            found.setdefault(Modality.VISION.value, own[Modality.VISION.value])
    return dict(sorted(found.items()))


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
