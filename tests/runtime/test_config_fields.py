# SPDX-License-Identifier: Apache-2.0
"""Fields of configurations as values: what the classes say, and what msgspec checks."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from sensebind.changes import ChangeConfig
from sensebind.config import PipelineConfig, StreamConfig
from sensebind.config_fields import ConfigField, config_fields, field_at
from sensebind.fusion import FusionConfig
from sensebind.labelling import LabelConfig

CONFIGS = (PipelineConfig, StreamConfig, LabelConfig, FusionConfig, ChangeConfig)


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """Some fields.

    Attributes:
        mode: which one; a text that
            goes on.
        share, most: two at once.
        axes: a name or numbers.
        names: several.

    A sentence behind: not an attribute.
    """

    mode: Literal["fast", "exact"]
    share: Annotated[float, Meta(gt=0, lt=1)] | None = None
    most: Annotated[int, Meta(ge=1, le=9)] = 3
    axes: str | tuple[float, ...] | None = None
    names: tuple[str, ...] = ()
    weights: dict[str, Annotated[float, Meta(ge=0)]] = {}
    on: bool = False


def test_every_kind_of_field() -> None:
    mode, share, most, axes, names, weights, on = config_fields(Example)
    assert mode == ConfigField(
        "mode",
        "text",
        required=True,
        choices=("exact", "fast"),
        description="which one; a text that goes on.",
    )
    assert (share.kind, share.optional, share.least, share.greatest) == ("float", True, 0, 1)
    assert (share.above_least, share.below_greatest) == (True, True)
    assert (most.kind, most.default, most.least, most.greatest) == ("int", 3, 1, 9)
    assert share.description == most.description == "two at once."
    assert (axes.kind, axes.or_text, axes.optional) == ("numbers", True, True)
    assert (names.kind, names.default) == ("texts", ())
    assert (weights.kind, weights.default, weights.least) == ("table", {}, 0)
    assert (on.kind, on.default, on.description) == ("bool", False, "")


def test_what_is_expected() -> None:
    expected = {field.name: field.expected for field in config_fields(Example)}
    assert expected["mode"] == "one of exact, fast"
    assert expected["share"] == "above 0, below 1"
    assert expected["most"] == "at least 1, at most 9"
    assert expected["on"] == ""


@pytest.mark.parametrize("config", CONFIGS)
def test_every_field_of_ours_is_described(config: type[msgspec.Struct]) -> None:
    fields = config_fields(config)
    assert [field.name for field in fields] == list(config.__struct_fields__)
    assert not [field.name for field in fields if not field.description]


@pytest.mark.parametrize("config", CONFIGS)
def test_ranges_are_those_that_are_checked(config: type[msgspec.Struct]) -> None:
    given = {"modality": "imu"} if config is StreamConfig else {}
    for field in config_fields(config):
        if field.kind not in ("int", "float") or field.greatest is None:
            continue
        beyond = field.greatest if field.below_greatest else field.greatest + 1
        with pytest.raises(msgspec.ValidationError, match=f"[$].{field.name}"):
            msgspec.convert({**given, field.name: beyond}, config, strict=False)


def test_a_type_no_configuration_has() -> None:
    class Odd(msgspec.Struct):
        when: bytes

    with pytest.raises(TypeError, match="field 'when' is of the type"):
        config_fields(Odd)


def test_two_types_in_one_field() -> None:
    class Odd(msgspec.Struct):
        what: bool | int

    with pytest.raises(TypeError, match="field 'what' is one of"):
        config_fields(Odd)


@pytest.mark.parametrize(
    ("name", "value"), [("mode", "slow"), ("names", ["a", 1]), ("weights", {"b": -1.0})]
)
def test_the_field_that_an_error_names(name: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError, match=rf"at `\$\.{name}") as told:
        msgspec.convert({"mode": "fast", name: value}, Example)
    assert field_at(told.value) == name
