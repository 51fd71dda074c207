# SPDX-License-Identifier: Apache-2.0
"""A checkpoint that is not exactly the towers asked of it is refused, and the report says why."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="checkpoints need the train extra")

import torch

from sensebind.errors import InputError
from sensebind.types import Modality
from sensebind_engines.imagebind.keys import compare_keys, require_towers
from sensebind_engines.imagebind.layout import modality_of
from tests.support.imagebind import all_shapes

FILE = Path("weights.pth")
SMALL = (Modality.DEPTH, Modality.IMU)


def state(**changes: tuple[int, ...] | None) -> dict[str, torch.Tensor]:
    """The whole checkpoint, without memory for it; names with dots as double underscores."""
    shapes: dict[str, tuple[int, ...] | None] = dict(all_shapes())
    shapes |= {name.replace("__", "."): shape for name, shape in changes.items()}
    return {n: torch.empty(s, device="meta") for n, s in shapes.items() if s is not None}


def test_the_whole_checkpoint_passes() -> None:
    assert not compare_keys(all_shapes(), tuple(Modality))
    require_towers(FILE, state(), tuple(Modality))


def test_other_towers_may_be_absent_or_broken() -> None:
    rest = {n: t for n, t in state().items() if modality_of(n) in SMALL}
    require_towers(FILE, rest, SMALL)
    require_towers(FILE, state(modality_trunks__vision__extra=(3,)), SMALL)


def test_the_mask_of_text_may_be_absent() -> None:
    require_towers(FILE, state(modality_preprocessors__text__mask=None), [Modality.TEXT])


def test_cut_blocks_are_told_in_one_line_each_and_whole_towers_named() -> None:
    cut = {
        name: tensor
        for name, tensor in state().items()
        if not any(f"{m}.blocks.{i}." in name for m in ("vision", "text") for i in (2, 3, 5))
    }
    with pytest.raises(InputError) as caught:
        require_towers(FILE, cut, tuple(Modality))
    lines = str(caught.value).splitlines()
    assert lines[0] == (
        "'weights.pth' does not hold ImageBind's vision, text, audio, depth, thermal, imu exactly:"
    )
    assert lines[1:-1] == [
        "  72 missing:",
        "    modality_trunks.vision.blocks.2-3,5: 36 tensors",
        "    modality_trunks.text.blocks.2-3,5: 36 tensors",
    ]
    assert lines[-1] == (
        "whole are: audio, depth, thermal, imu; import these alone with --modality"
    )


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("modality_heads__imu__0__weight", None, r"1 missing:\n +modality_heads.imu.0.weight"),
        ("modality_trunks__imu__blocks__6__norm_1__weight", (512,),
         r"1 unexpected:\n +modality_trunks.imu.blocks.6: 1 tensors"),
        ("something__else", (1,), r"1 unexpected:\n +something.else"),
        ("modality_heads__imu__3__weight", (512, 512),
         r"of another shape:\n +modality_heads.imu.3.weight: \[512, 512\], expected \[1024, 512\]"),
        ("modality_trunks__imu__blocks__0__mlp__fc1__bias", (9,),
         r"blocks.0: 1 tensors \(as 0.mlp.fc1.bias: \[9\], expected \[2048\]\)"),
    ],
)  # fmt: skip
def test_each_kind_of_difference(name: str, shape: tuple[int, ...] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        require_towers(FILE, state(**{name: shape}), [Modality.IMU])


def test_a_foreign_checkpoint_is_told_in_a_few_lines() -> None:
    foreign = {f"layer_{i}.weight": torch.empty(1, device="meta") for i in range(300)}
    with pytest.raises(InputError, match=r"no tower is whole; expected the state dict") as caught:
        require_towers(FILE, foreign, SMALL)
    assert "300 unexpected" in str(caught.value)
    assert "and 294 more groups" in str(caught.value)
    assert len(str(caught.value).splitlines()) < 20
