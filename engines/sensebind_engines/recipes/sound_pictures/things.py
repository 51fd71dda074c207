# SPDX-License-Identifier: Apache-2.0
"""Things that are heard in `sounds` and of which there are 3-D models under permissive terms.

Chosen by reading the names in the models' catalogues, before anything was trained.
"""

from __future__ import annotations

from typing import NamedTuple


class Thing(NamedTuple):
    """A class of `sounds`.

    Attributes:
        models: names of 3-D models in the catalogues of `sweethome3d-furniture`.
        prompts: what is asked afterwards; no text is in the training.
    """

    models: tuple[str, ...]
    prompts: tuple[str, ...]


THINGS: dict[str, Thing] = {
    "dog bark": Thing(("Dog",), ("a dog",)),
    "rooster": Thing(("Chicken",), ("a rooster", "a chicken")),
    "clock tick": Thing(("Cuckoo clock", "Clock"), ("a clock",)),
    "fire": Thing(("Fireplace",), ("a fire in a fireplace",)),
    "piano": Thing(("Grand piano", "Upright piano"), ("a piano",)),
    "electric guitar": Thing(("Electric guitar",), ("an electric guitar",)),
    "telephone": Thing(("Phone", "Wireless phone", "Mobile phone"), ("a telephone",)),
    "drill": Thing(("Drill",), ("an electric drill",)),
    "dripping": Thing(("Garden faucet", "Shower head and faucet"), ("a faucet",)),
    "engine": Thing(("Car model", "Smart car"), ("a car",)),
}
