# SPDX-License-Identifier: Apache-2.0
"""Files of weights as anchors: imported once, into a bundle in the user's cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filelock import FileLock

from sensebind.bundle_folder import MANIFEST_NAME
from sensebind.errors import InputError, SinkError
from sensebind.storage import acquire, cache_folder, sha256_of_file
from sensebind.types import Modality
from sensebind_engines.anchors.openclip import MARK, openclip_tower
from sensebind_engines.export.bundle import new_bundle
from sensebind_engines.export.encoder import TOKENIZER, with_tokenizer
from sensebind_engines.imagebind.checkpoint import open_checkpoint
from sensebind_engines.imagebind.importer import import_imagebind
from sensebind_engines.imagebind.tokenizer import clip_tokenizer_json
from sensebind_engines.models.config import Transformer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

_BATCHES = (1, 3)
_TOWERS = (Modality.VISION, Modality.TEXT)


def bundle_of_weights(path: Path, modalities: Sequence[Modality] = ()) -> Path:
    """Import the towers of a file, or find what an earlier call made of the same bytes.

    Args:
        path: weights written by ``torch.save``, in ImageBind's layout or in OpenCLIP's (see
            `sensebind_engines.anchors.openclip`).
        modalities: towers to import; vision and text if none are named.

    Returns:
        folder of a bundle with these towers, in the user's cache.

    Raises:
        InputError: no such towers are in it, or text is asked for and CLIP's tokenizer is missing.
        SinkError: the cache cannot be written.
    """
    wanted = tuple(m for m in Modality if m in (modalities or _TOWERS))
    folder = cache_folder() / "anchors" / sha256_of_file(path)
    out = folder / "-".join(wanted)
    lock = FileLock(folder / f"{out.name}.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        acquire(lock)
    except OSError as error:
        raise SinkError(
            f"the anchor cannot be kept in {str(folder)!r}: {error.strerror or error}; name "
            "another folder with SENSEBIND_CACHE"
        ) from error
    try:
        if not (out / MANIFEST_NAME).is_file():
            _import(path, out, wanted)
    finally:
        lock.release()
    return out


def _import(path: Path, out: Path, wanted: Sequence[Modality]) -> None:
    state = open_checkpoint(path)
    names = {name.removeprefix("module.") for name in state}
    tokenizer = clip_tokenizer_json() if Modality.TEXT in wanted else None
    if any(name.startswith("modality_trunks.") for name in names):
        import_imagebind(path, out, wanted, tokenizer=tokenizer)
    elif MARK in names:
        _import_openclip(path, state, out, wanted, tokenizer)
    else:
        raise InputError(
            f"{str(path)!r} holds neither ImageBind's nor OpenCLIP's towers: its first tensor is "
            f"{next(iter(names), None)!r}, expected modality_trunks.* or {MARK}"
        )


def _import_openclip(
    path: Path,
    state: dict[str, Tensor],
    out: Path,
    wanted: Sequence[Modality],
    tokenizer: bytes | None,
) -> None:
    with new_bundle(out) as draft:
        for modality in wanted:
            encoder = openclip_tower(state, modality)
            if tokenizer is not None and modality is Modality.TEXT:
                draft.put(TOKENIZER, tokenizer)
                network = encoder.config.network
                assert isinstance(network, Transformer)
                encoder.config = with_tokenizer(
                    encoder.config, draft.folder / TOKENIZER, network.context
                )
            draft.export(encoder, _BATCHES)
        draft.finish(
            name="openclip",
            anchor=wanted,
            licence="LicenseRef-of-the-weights",
            training={"weights": "read from the user's file", "file": path.name},
        )
