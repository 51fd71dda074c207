# SPDX-License-Identifier: Apache-2.0
"""The instruments: which General-MIDI programs are heard in training, and which one is kept aside.

Chosen by reading the list of programs, before anything was rendered or trained.
"""

from __future__ import annotations

from typing import NamedTuple


class Instrument(NamedTuple):
    """A class.

    Attributes:
        programs: General-MIDI programs from 0, of training and of held-out phrases.
        held_out: a program that is only tested; None if there is no other of this name.
        pitches: lowest and highest MIDI pitch that is played.
        voices: notes that sound at once.
        texts: wordings of training.
        prompts: wordings of the evaluation, none of them trained.
    """

    programs: tuple[int, ...]
    held_out: int | None
    pitches: tuple[int, int]
    voices: int
    texts: tuple[str, ...]
    prompts: tuple[str, ...]


def _told(name: str, *more: str) -> tuple[str, ...]:
    article = "an" if name[0] in "aeiou" else "a"
    return (f"{article} {name} playing", f"the sound of {article} {name}", *more)


def _asked(name: str) -> tuple[str, ...]:
    article = "an" if name[0] in "aeiou" else "a"
    return (f"music played on {article} {name}", f"a melody on the {name}")


def _instrument(
    name: str,
    programs: tuple[int, ...],
    held_out: int | None,
    pitches: tuple[int, int],
    voices: int = 1,
) -> Instrument:
    return Instrument(programs, held_out, pitches, voices, _told(name), _asked(name))


INSTRUMENTS: dict[str, Instrument] = {
    "piano": _instrument("piano", (0, 2, 3), 1, (36, 88), 3),
    "harpsichord": _instrument("harpsichord", (6,), None, (41, 84), 3),
    "glockenspiel": _instrument("glockenspiel", (9,), None, (72, 103)),
    "music box": _instrument("music box", (10,), None, (60, 96), 2),
    "vibraphone": _instrument("vibraphone", (11,), None, (53, 89), 2),
    "marimba": _instrument("marimba", (12,), None, (45, 84), 2),
    "xylophone": _instrument("xylophone", (13,), None, (65, 100)),
    "tubular bells": Instrument(
        (14,),
        None,
        (60, 79),
        1,
        ("tubular bells ringing", "the sound of church bells"),
        ("music played on tubular bells", "bells that chime"),
    ),
    "organ": _instrument("organ", (16, 17, 19), 18, (36, 84), 3),
    "accordion": _instrument("accordion", (21,), 23, (53, 88), 2),
    "harmonica": _instrument("harmonica", (22,), None, (60, 88)),
    "acoustic guitar": _instrument("acoustic guitar", (24,), 25, (40, 81), 3),
    "electric guitar": _instrument("clean electric guitar", (27, 28), 26, (40, 84), 2),
    "distorted guitar": _instrument("distorted guitar", (29,), 30, (40, 80), 2),
    "bass guitar": _instrument("bass guitar", (32, 33, 34), 35, (28, 55)),
    "violin": _instrument("violin", (40,), 110, (55, 96)),
    "cello": _instrument("cello", (42,), None, (36, 70)),
    "string orchestra": _instrument("string orchestra", (48, 50), 49, (36, 88), 3),
    "harp": _instrument("harp", (46,), None, (36, 96), 2),
    "timpani": Instrument(
        (47,),
        None,
        (36, 57),
        1,
        ("timpani being struck", "the sound of kettledrums"),
        ("music played on timpani", "a roll of the kettledrum"),
    ),
    "choir": Instrument(
        (52, 54),
        53,
        (48, 79),
        3,
        ("a choir singing", "the sound of a choir"),
        ("voices singing together", "music sung by a choir"),
    ),
    "trumpet": _instrument("trumpet", (56,), 59, (55, 84)),
    "trombone": _instrument("trombone", (57,), None, (40, 70)),
    "tuba": _instrument("tuba", (58,), None, (28, 58)),
    "french horn": _instrument("french horn", (60,), None, (41, 77)),
    "saxophone": _instrument("saxophone", (64, 66, 67), 65, (44, 80)),
    "oboe": _instrument("oboe", (68,), None, (58, 89)),
    "bassoon": _instrument("bassoon", (70,), None, (34, 67)),
    "clarinet": _instrument("clarinet", (71,), None, (50, 88)),
    "flute": _instrument("flute", (73,), 72, (60, 96)),
    "pan flute": _instrument("pan flute", (75,), None, (60, 88)),
    "sitar": _instrument("sitar", (104,), None, (48, 77)),
    "banjo": _instrument("banjo", (105,), None, (48, 84)),
    "bagpipes": Instrument(
        (109,),
        None,
        (55, 79),
        1,
        ("bagpipes playing", "the sound of bagpipes"),
        ("music played on the bagpipes", "a piper's tune"),
    ),
    "steel drums": Instrument(
        (114,),
        None,
        (52, 84),
        1,
        ("steel drums playing", "the sound of a steelpan"),
        ("music played on steel drums", "a Caribbean steel band"),
    ),
}
