# SPDX-License-Identifier: Apache-2.0
"""Towers in OpenCLIP's layout compute what torch's own attention computes with those weights."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="anchors from weights need the train extra")

import torch
from torch import Tensor, nn
from torch.nn import functional

from sensebind.errors import InputError
from sensebind.specs import VisionSpec
from sensebind.types import Modality
from sensebind_engines.anchors.openclip import openclip_tower

WIDTH, BLOCKS, PATCH, SIDE, DIM, WORDS, CONTEXT = 128, 2, 8, 32, 24, 50, 12


class ResBlock(nn.Module):  # type: ignore[misc, unused-ignore]
    """One block, with the names of OpenCLIP's."""

    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn = nn.MultiheadAttention(WIDTH, WIDTH // 64, batch_first=True)
        self.mlp = nn.ModuleDict(
            {"c_fc": nn.Linear(WIDTH, 4 * WIDTH), "c_proj": nn.Linear(4 * WIDTH, WIDTH)}
        )

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp["c_proj"](functional.gelu(self.mlp["c_fc"](self.ln_2(x))))


class Transformer(nn.Module):  # type: ignore[misc, unused-ignore]
    """Blocks in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(ResBlock() for _ in range(BLOCKS))


class Visual(nn.Module):  # type: ignore[misc, unused-ignore]
    """An image tower."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(WIDTH))
        self.positional_embedding = nn.Parameter(torch.randn((SIDE // PATCH) ** 2 + 1, WIDTH))
        self.ln_pre, self.ln_post = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.transformer = Transformer()
        self.proj = nn.Parameter(torch.randn(WIDTH, DIM))


class Clip(nn.Module):  # type: ignore[misc, unused-ignore]
    """Both towers, written from their published definition."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = Visual()
        self.transformer = Transformer()
        self.token_embedding = nn.Embedding(WORDS, WIDTH)
        self.positional_embedding = nn.Parameter(torch.randn(CONTEXT, WIDTH))
        self.ln_final = nn.LayerNorm(WIDTH)
        self.text_projection = nn.Parameter(torch.randn(WIDTH, DIM))
        self.logit_scale = nn.Parameter(torch.tensor(3.0))
        self.register_buffer("attn_mask", torch.full((CONTEXT, CONTEXT), -torch.inf).triu(1))

    def image(self, pictures: Tensor) -> Tensor:
        v = self.visual
        patches = v.conv1(pictures).flatten(2).transpose(1, 2)
        first = v.class_embedding.expand(len(pictures), 1, -1)
        x = v.ln_pre(torch.cat([first, patches], 1) + v.positional_embedding)
        for block in v.transformer.resblocks:
            x = block(x, None)
        return v.ln_post(x[:, 0]) @ v.proj

    def text(self, ids: Tensor) -> Tensor:
        x = self.token_embedding(ids) + self.positional_embedding
        for block in self.transformer.resblocks:
            x = block(x, self.attn_mask)
        return self.ln_final(x)[torch.arange(len(ids)), ids.argmax(1)] @ self.text_projection


@pytest.fixture(scope="module")
def clip() -> Clip:
    """Random towers whose norms are not the identity."""
    torch.manual_seed(0)
    made = Clip()
    made.eval()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "ln_" in name or name.endswith("bias"):
                weight += 0.1 * torch.randn_like(weight)
    return made


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_image_tower(clip: Clip, prefix: str) -> None:
    state = {prefix + name: tensor for name, tensor in clip.state_dict().items()}
    tower = openclip_tower(state, Modality.VISION)
    pictures = torch.randn(3, 3, SIDE, SIDE)
    with torch.inference_mode():
        expected = functional.normalize(clip.image(pictures), dim=-1)
        assert torch.allclose(tower(pictures), expected, atol=2e-6)
    assert isinstance(tower.config.preprocess, VisionSpec)
    assert tower.config.preprocess.size == SIDE
    assert tower.scale.item() == 1.0


def test_the_text_tower(clip: Clip) -> None:
    tower = openclip_tower(clip.state_dict(), Modality.TEXT)
    ids = torch.zeros(2, CONTEXT, dtype=torch.long)
    ids[0, :4], ids[1] = torch.tensor([48, 3, 4, 49]), torch.arange(CONTEXT)
    ids[1, -1] = 49
    mask = (torch.arange(CONTEXT) <= ids.argmax(1)[:, None]).long()
    with torch.inference_mode():
        expected = functional.normalize(clip.text(ids), dim=-1)
        assert torch.allclose(tower(ids, mask), expected, atol=2e-6)
    assert tower.scale.item() == pytest.approx(torch.e**3)


@pytest.mark.parametrize(
    ("change", "modality", "message"),
    [
        ({"visual.proj": None}, "vision", "have no 'visual.proj', which OpenCLIP's vision"),
        ({"visual.ln_pre.weight": None}, "vision", "have no 'visual.ln_pre.weight'; the file is"),
        ({"visual.attn_pool.q": (3,)}, "vision", "have 'visual.attn_pool.q' and 0 more"),
        ({"visual.transformer.resblocks.0.mlp.c_fc.bias": (500,)}, "vision",
         r"c_fc.bias' has the shape \[500\], .* expected \[512\]: another architecture"),
        ({"adapter.weight": (2,)}, "text", "have 'adapter.weight' and 0 more"),
        ({}, "audio", "have vision and text, not audio"),
    ],
)  # fmt: skip
def test_another_architecture_is_refused(
    clip: Clip, change: dict[str, tuple[int, ...] | None], modality: str, message: str
) -> None:
    state = dict(clip.state_dict())
    for name, shape in change.items():
        if shape is None:
            del state[name]
        else:
            state[name] = torch.zeros(shape)
    with pytest.raises(InputError, match=message):
        openclip_tower(state, Modality(modality))
