# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite0: the packaged network, its classes, its preprocessing."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks need the train extra")

import torch
from matplotlib import cbook
from PIL import Image

from sensebind.preprocess.vision import VisionPreprocessor
from sensebind.types import Frame, Window
from sensebind_engines.models import efficientnet_lite
from sensebind_engines.models.efficientnet_lite import (
    PACKAGE,
    PREPROCESS,
    ConvNorm,
    EfficientNetLite,
    Stage,
    folded,
    image_labels,
    imagenet_names,
    normalise,
)
from sensebind_engines.models.weights import package_folder


@pytest.fixture
def tiny() -> EfficientNetLite:
    """A network of three blocks whose normalisations have seen data."""
    torch.manual_seed(0)
    stages = (Stage(1, 3, 1, 1, 8), Stage(2, 5, 2, 2, 8))
    model = EfficientNetLite(stages, stem=8, head=16, classes=5)
    model.train()
    for _ in range(3):
        model(torch.randn(4, 3, 32, 32) * 2 + 1)
    model.eval()
    return model


def test_equals_the_network_of_the_package() -> None:
    package = pytest.importorskip(
        "efficientnet_lite_pytorch", reason="the peer comes with the recipes extra"
    )
    weights = package_folder(PACKAGE, "a test") / "models" / efficientnet_lite._WEIGHT_FILE
    peer = package.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(weights))
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        expected = peer.eval()(images)
        got = efficientnet_lite.load_efficientnet_lite0()(images)
    assert torch.equal(got, expected)


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(RuntimeError, match="Missing key"):
        EfficientNetLite().load_state_dict({})


def test_folding_keeps_the_outputs(tiny: EfficientNetLite) -> None:
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        difference = (folded(tiny)(images) - tiny(images)).abs().max()
    assert difference < 1e-5
    assert not [m for m in folded(tiny).modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert [m for m in tiny.modules() if isinstance(m, torch.nn.BatchNorm2d)], "a copy is folded"


@pytest.mark.parametrize(
    ("kernel", "stride", "before"), [(3, 1, 1), (5, 1, 2), (3, 2, 0), (5, 2, 1)]
)
def test_padding_is_tensorflows_same(kernel: int, stride: int, before: int) -> None:
    # TensorFlow pads (out - 1) * stride + kernel - in, the smaller half before.
    layer = ConvNorm(1, 1, kernel, stride).eval()
    with torch.inference_mode():
        layer.conv.weight.zero_()
        layer.conv.weight[0, 0, before, before] = 1
        image = torch.arange(64.0).reshape(1, 1, 8, 8)
        filtered = layer.conv(torch.nn.functional.pad(image, layer.padding))
    assert torch.equal(filtered, image[:, :, ::stride, ::stride])


def test_class_names_are_imagenets() -> None:
    names = imagenet_names()
    assert len(names) == len(set(names)) == 1000
    known = {0: "tench", 207: "golden retriever", 340: "zebra", 717: "pickup", 999: "toilet tissue"}
    assert {index: names[index] for index in known} == known


def test_a_known_photograph_is_named() -> None:
    # Rear Admiral Grace Hopper in uniform, which comes with matplotlib.
    with Image.open(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))) as image:
        photograph = np.asarray(image.convert("RGB"))
    (best,) = image_labels([photograph], top=3)
    assert "military uniform" in [name for name, _ in best]
    probabilities = [probability for _, probability in best]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0.3 < sum(probabilities) < 1


def test_normalise_takes_the_middle_and_the_trained_range() -> None:
    picture = np.full((256, 512, 3), 255, np.uint8)
    picture[16:240, 144:368] = 127
    picture[16, 144] = (255, 127, 0)
    features = normalise([picture])
    assert features.shape == (1, 3, 224, 224)
    np.testing.assert_allclose(features[0, :, 0, 0], [1, 0, -127 / 128], atol=1e-6)
    np.testing.assert_allclose(features[0, :, 1:, 1:], 0, atol=1e-6)


def test_normalise_equals_the_runtime() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    frame = Frame(picture.tobytes(), "rgb8", 400, 300, 1200)
    window = Window("", 0, 0, 0, 0, 1.0, np.empty(0, np.int64), np.empty((0, 0)), (frame,))
    prepared = VisionPreprocessor(PREPROCESS).prepare(window).features["features"]
    np.testing.assert_allclose(normalise([picture])[0], prepared, atol=1e-6)
