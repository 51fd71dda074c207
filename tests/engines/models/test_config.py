# SPDX-License-Identifier: Apache-2.0
"""Configurations of encoders: declared sizes, changes of them, and what they refuse."""

from __future__ import annotations

import math
import subprocess
import sys

import msgspec
import pytest

from sensebind.errors import ConfigError
from sensebind.specs import LogMelSpec, TextSpec
from sensebind.types import Modality
from sensebind_engines.models.config import EncoderConfig, encoder_spec, input_specs
from sensebind_engines.models.sizes import SIZES, default_config

CASES = [
    (modality, size)
    for modality in Modality
    for size in SIZES
    if not (modality is Modality.TEXT and size.startswith("conv"))
]


@pytest.mark.parametrize(("modality", "size"), CASES)
def test_every_size_survives_json(modality: Modality, size: str) -> None:
    config = default_config(modality, size, 48)
    assert msgspec.json.decode(msgspec.json.encode(config), type=EncoderConfig) == config
    assert config.family == ("conv" if size.startswith("conv") else "transformer")


def test_a_part_is_changed_and_the_rest_stays() -> None:
    changed = default_config("audio", "tiny", 48, {"network": {"blocks": 2}, "dim": 12})
    before = default_config("audio", "tiny", 48)
    assert changed.dim == 12
    assert changed.network == msgspec.structs.replace(before.network, blocks=2)
    assert changed.preprocess == before.preprocess == LogMelSpec()


def test_another_family_replaces_the_network_whole() -> None:
    network = {"family": "conv", "widths": [8], "kernels": [3], "hidden": 4}
    changed = default_config("depth", "tiny", 48, {"network": network})
    assert changed.family == "conv"
    assert changed.network.hidden == 4  # type: ignore[union-attr]


def test_a_window_changes_the_features() -> None:
    config = default_config("imu", "tiny", 8, {"window": {"length_s": 1.0}})
    assert input_specs(config)[0].shape == ("batch", 6, 200)
    assert encoder_spec(config).output.shape == ("batch", 8)


def test_text_gets_its_tokenizer_later() -> None:
    config = default_config("text", "tiny", 8)
    assert [spec.name for spec in input_specs(config)] == ["input_ids", "attention_mask"]
    with pytest.raises(ConfigError, match="the text encoder has no tokenizer yet"):
        encoder_spec(config)
    text = TextSpec(tokenizer="tokenizer.json", tokenizer_sha256="0" * 64, max_tokens=77)
    assert encoder_spec(msgspec.structs.replace(config, preprocess=text)).onnx == "text.onnx"


@pytest.mark.parametrize(
    ("modality", "size", "overrides", "message"),
    [
        ("audio", "giant", {}, "no encoder size 'giant'; the sizes are: imagebind, base, small"),
        ("text", "conv-tiny", {}, "there is no convolutional text encoder"),
        ("audio", "tiny", {"networks": {}}, "audio encoder's configuration: .*`networks`"),
        ("audio", "tiny", {"network": {"depth": 3}}, r"unknown field `depth` - at `\$.network`"),
        ("audio", "tiny", {"network": {"blocks": 0}}, r">= 1 - at `\$.network.blocks`"),
        ("audio", "tiny", {"network": {"heads": 3}}, "width is 128, expected a multiple of heads"),
        ("audio", "tiny", {"preprocess": {"type": "thermal", "size": 9}}, "preprocess is Thermal"),
        ("audio", "tiny", {"window": None}, "the audio encoder's window is None"),
        ("imu", "conv-tiny", {"network": {"kernels": [3]}}, "kernels has 1 entries, expected one"),
        (
            "text",
            "tiny",
            {"preprocess": {"type": "text", "tokenizer": "t", "tokenizer_sha256": "0" * 64,
                            "max_tokens": 78}},
            "max_tokens is 78, expected at most its context of 77",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(
    modality: str, size: str, overrides: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        default_config(modality, size, 8, overrides)


def test_imagebinds_features_have_its_shapes() -> None:
    shapes = {m: input_specs(default_config(m, "imagebind"))[0].shape[1:] for m in Modality}
    assert shapes == {
        "vision": (2, 3, 224, 224),
        "text": ("tokens",),
        "audio": (1, 128, 204),
        "depth": (1, 224, 224),
        "thermal": (1, 224, 224),
        "imu": (6, 2000),
    }
    assert math.prod(shapes[Modality.IMU]) == 12000


def test_configurations_need_no_torch() -> None:
    code = "import sys, sensebind_engines.models.sizes; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
