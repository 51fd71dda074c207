# SPDX-License-Identifier: Apache-2.0
"""Which class a model belongs to, by the last word of its name.

The classes and words were chosen by reading the catalogues' names, before anything was trained.
"""

from __future__ import annotations

import re

CLASSES: dict[str, tuple[str, ...]] = {
    "animal": ("bear", "cat", "chicken", "deer", "dog", "horse"),
    "bed": ("bed", "bunkbed", "cradle", "crib"),
    "cabinet": (
        "bookcase",
        "cabinet",
        "chest",
        "cupboard",
        "drawers",
        "dresser",
        "shelves",
        "wardrobe",
    ),
    "car": ("bus", "car", "sedan", "truck", "van"),
    "chair": ("armchair", "bench", "chair", "seat", "seats", "stool"),
    "cup or bowl": ("bottle", "bowl", "cup", "glass", "jar", "mug", "plate", "pot", "vase"),
    "door": ("door", "gate"),
    "lamp": ("chandelier", "lamp", "lantern", "lamppost", "light"),
    "person": ("boy", "child", "female", "girl", "male", "man", "woman"),
    "plant": (
        "bamboo",
        "bush",
        "cactus",
        "ficus",
        "flower",
        "flowers",
        "hedge",
        "maple",
        "orchids",
        "palm",
        "plant",
        "tree",
        "tulips",
    ),
    "sofa": ("couch", "futon", "sofa"),
    "table": ("desk", "table"),
    "window": ("panes", "window"),
}
"""Class to the words that name its models."""

_CLASS_OF = {word: label for label, words in CLASSES.items() for word in words}


def class_of(name: str) -> str | None:
    """Class of a model's name; None if it is none of them.

    The last word counts ("desk lamp" is a lamp), numbers and what stands in brackets do not.
    """
    words = re.findall(r"[a-z]+", re.sub(r"\(.*?\)", " ", name.lower()))
    return _CLASS_OF.get(words[-1]) if words else None
