# SPDX-License-Identifier: Apache-2.0
"""Classes by the last word of a name."""

from __future__ import annotations

import pytest

from sensebind_engines.recipes.object_renders.classes import CLASSES, class_of


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Desk lamp", "lamp"),
        ("Desk", "table"),
        ("Armchair 2", "chair"),
        ("Cup (with table)", "cup or bowl"),
        ("Lamp table", "table"),
        ("Piano", None),
        ("7", None),
    ],
)
def test_the_last_word_counts(name: str, label: str | None) -> None:
    assert class_of(name) == label


def test_no_word_is_of_two_classes() -> None:
    words = [word for words in CLASSES.values() for word in words]
    assert len(words) == len(set(words))
