# SPDX-License-Identifier: Apache-2.0
"""From the user's ImageBind checkpoint to a bundle, one tower at a time."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sensebind.errors import InputError
from sensebind.manifest import EdgeSpec
from sensebind.specs import ImuSpec, VisionSpec
from sensebind.storage import sha256_of_file
from sensebind.types import Modality
from sensebind_engines.export.bundle import check_new, new_bundle
from sensebind_engines.export.encoder import TOKENIZER, with_tokenizer
from sensebind_engines.imagebind.checkpoint import open_checkpoint
from sensebind_engines.imagebind.keys import require_towers
from sensebind_engines.imagebind.layout import imagebind_config
from sensebind_engines.imagebind.tower import load_tower
from sensebind_engines.models.config import EncoderConfig, Transformer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sensebind_engines.export.bundle import BundleDraft

NAME = "imagebind"
LICENCE = "CC-BY-NC-SA-4.0"
NOTICE = """\
The weights in this bundle are those of ImageBind (Girdhar et al., CVPR 2023, Meta AI), read from a
checkpoint that the user of this bundle supplied, and exported to ONNX. They are licensed under
CC BY-NC-SA 4.0: not for commercial use. SenseBind does not distribute them.
"""

_BATCHES = (1, 3)
"""At which a graph is compared with its module: vision takes seconds for each picture."""

_TEMPERATURES = {
    Modality.AUDIO: 0.05,
    Modality.DEPTH: 0.2,
    Modality.THERMAL: 0.1,
    Modality.IMU: 0.2,
}
"""Fixed temperatures of the pairs with vision (Girdhar et al. 2023, section 4)."""


class Imported(NamedTuple):
    """What `import_imagebind` made.

    Attributes:
        modalities: towers of the bundle.
        anchor: modalities whose towers name the space.
        differences: max |ONNX Runtime - torch| of each tower.
        assumed: fields of the IMU's front end that ImageBind's authors never published.
    """

    modalities: tuple[Modality, ...]
    anchor: tuple[Modality, ...]
    differences: dict[Modality, float]
    assumed: tuple[str, ...]


def import_imagebind(
    checkpoint: Path,
    out: Path,
    modalities: Sequence[Modality] = tuple(Modality),
    *,
    tokenizer: bytes | None = None,
    still: bool = False,
    advance: Callable[[float], None] | None = None,
) -> Imported:
    """Read towers of ``imagebind_huge.pth`` and write them as the bundle `out`.

    The bundle's anchor is vision and text where they are imported, else the one of them that is,
    else all its towers: `space_id` names the towers it can name, so that bundles imported with
    different anchors have different ids although their vectors may be compared.

    Args:
        checkpoint: the user's file.
        out: a new folder.
        modalities: towers to import.
        tokenizer: bytes of CLIP's tokenizer.json; needed for text.
        still: vision takes one picture instead of the first and last frame of a 2 s clip.
        advance: told the share done after each tower.

    Raises:
        InputError: the checkpoint or `out` cannot be used as given, naming what and why.
        BundleError: an exported graph differs from its tower.
        SinkError: the bundle cannot be written.
    """
    wanted = tuple(m for m in Modality if m in set(modalities))
    if Modality.TEXT in wanted and tokenizer is None:
        raise InputError(
            "ImageBind's text tower needs CLIP's tokenizer, which its checkpoint does not hold; "
            "give the tokenizer or leave text out"
        )
    check_new(out)
    require_towers(checkpoint, open_checkpoint(checkpoint), wanted)
    anchor = anchor_of(wanted)
    differences: dict[Modality, float] = {}
    scales: dict[str, float] = {}
    with new_bundle(out) as draft:
        draft.put("NOTICE-imagebind.txt", NOTICE.encode())
        for modality in wanted:
            config = _config(draft, modality, tokenizer, still=still)
            # Opened anew: pages of the tower before are given back with its mapping.
            encoder = load_tower(open_checkpoint(checkpoint), modality, config)
            scales[modality.value] = encoder.scale.item()
            differences[modality] = draft.export(encoder, _BATCHES).largest_difference
            del encoder
            gc.collect()  # a module's graph has cycles; the next tower needs the room
            if advance is not None:
                advance(len(differences) / len(wanted))
        assumed = _assumed(draft)
        draft.finish(
            name=NAME,
            anchor=anchor,
            licence=LICENCE,
            binding_graph=binding_graph(wanted),
            training=_provenance(checkpoint, scales, assumed),
        )
    return Imported(wanted, anchor, differences, assumed)


def anchor_of(modalities: Sequence[Modality]) -> tuple[Modality, ...]:
    """Which of the imported towers name the space; see `import_imagebind`."""
    ends = tuple(m for m in (Modality.VISION, Modality.TEXT) if m in modalities)
    return ends or tuple(modalities)


def binding_graph(modalities: Sequence[Modality]) -> list[EdgeSpec]:
    """The pairs ImageBind was trained on, and those between its towers that emerged."""
    edges = []
    for index, source in enumerate(modalities):
        for target in modalities[index + 1 :]:
            trained = Modality.VISION in (source, target)
            other = target if source is Modality.VISION else source
            edges.append(
                EdgeSpec(
                    source=source,
                    target=target,
                    loss="infonce" if trained else "none",
                    trained=trained,
                    temperature=_TEMPERATURES.get(other) if trained else None,
                )
            )
    return edges


def _config(
    draft: BundleDraft, modality: Modality, tokenizer: bytes | None, *, still: bool
) -> EncoderConfig:
    config = imagebind_config(modality)
    if modality is Modality.VISION and still:
        assert isinstance(config.preprocess, VisionSpec)
        one = msgspec.structs.replace(config.preprocess, frame_positions=(1.0,))
        return msgspec.structs.replace(config, preprocess=one)
    if modality is Modality.TEXT:
        assert tokenizer is not None
        assert isinstance(config.network, Transformer)
        draft.put(TOKENIZER, tokenizer)
        return with_tokenizer(config, draft.folder / TOKENIZER, config.network.context)
    return config


def _assumed(draft: BundleDraft) -> tuple[str, ...]:
    spec = draft.encoders.get(Modality.IMU)
    return spec.preprocess.assumed if spec and isinstance(spec.preprocess, ImuSpec) else ()


def _provenance(
    checkpoint: Path, scales: Mapping[str, float], assumed: Sequence[str]
) -> dict[str, object]:
    return {
        "weights": "ImageBind (Girdhar et al. 2023), read from the user's checkpoint",
        "checkpoint": checkpoint.name,
        "checkpoint_sha256": sha256_of_file(checkpoint),
        "output_scales": dict(scales),
        "assumed": {"imu": list(assumed)} if assumed else {},
    }
