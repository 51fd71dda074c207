# SPDX-License-Identifier: Apache-2.0
"""What happens around a robot, synthesised: alarms, impacts, motors, wind and others.

Plausible, not calibrated; no recorded sound is in them. Each event has one parameter whose range is
split: what is tested lies above everything that is trained, what choices are made on below. All
constants were fixed before anything was trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sensebind_engines.recipes.sounds import synthesis

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Make = Callable[[float, np.random.Generator], NDArray[np.float64]]


class Ranges(NamedTuple):
    """Where the parameter of an event is drawn from, for each split; they do not overlap."""

    dev: tuple[float, float]
    train: tuple[float, float]
    test: tuple[float, float]


class Event(NamedTuple):
    """A class.

    Attributes:
        make: synthesises it from its parameter.
        ranges: of the parameter, in Hz: a tone, a rate, or the edge of a band.
        texts: wordings of training.
        prompts: wordings of the evaluation, none of them trained.
    """

    make: Make
    ranges: Ranges
    texts: tuple[str, ...]
    prompts: tuple[str, ...]


EVENTS: dict[str, Event] = {
    "alarm": Event(
        synthesis.alarm,
        Ranges((650, 880), (900, 2400), (2500, 3400)),
        ("an alarm beeping", "a beeping alarm"),
        ("the beep of a warning signal", "an alarm goes off"),
    ),
    "siren": Event(
        synthesis.siren,
        Ranges((420, 520), (540, 1200), (1250, 1700)),
        ("a siren wailing", "the sound of a siren"),
        ("an ambulance passes with its siren", "a wailing siren"),
    ),
    "telephone": Event(
        synthesis.telephone,
        Ranges((620, 720), (740, 1300), (1350, 1800)),
        ("a telephone ringing", "the ring of a phone"),
        ("a phone call comes in", "a ringing telephone"),
    ),
    "electric motor": Event(
        synthesis.electric_motor,
        Ranges((22, 29), (30, 95), (100, 150)),
        ("an electric motor running", "the whir of a gear motor"),
        ("a robot's motors at work", "the whine of an electric drive"),
    ),
    "engine": Event(
        synthesis.engine,
        Ranges((11, 14), (15, 40), (42, 60)),
        ("an engine running", "an engine idling"),
        ("the rumble of a combustion engine", "a car with its motor running"),
    ),
    "drill": Event(
        synthesis.drill,
        Ranges((190, 235), (240, 520), (540, 750)),
        ("a drill running", "the sound of a power drill"),
        ("drilling a hole", "an electric drill at work"),
    ),
    "mains hum": Event(
        synthesis.mains_hum,
        Ranges((80, 92), (95, 125), (130, 150)),
        ("an electric hum", "a transformer humming"),
        ("the hum of mains current", "a humming power supply"),
    ),
    "wind": Event(
        synthesis.wind,
        Ranges((140, 190), (200, 520), (550, 800)),
        ("wind blowing", "the sound of wind"),
        ("a gust of wind", "a windy day outside"),
    ),
    "hissing": Event(
        synthesis.hissing,
        Ranges((1500, 1900), (2000, 3800), (4000, 5000)),
        ("air hissing", "a hissing leak"),
        ("gas escaping from a valve", "the hiss of steam"),
    ),
    "dripping": Event(
        synthesis.dripping,
        Ranges((450, 580), (600, 1400), (1500, 2200)),
        ("water dripping", "the drip of water"),
        ("drops falling from a tap", "a leaking faucet drips"),
    ),
    "knock": Event(
        synthesis.knock,
        Ranges((100, 135), (140, 420), (440, 650)),
        ("a knock", "something knocks against a box"),
        ("a dull thump", "a collision with an obstacle"),
    ),
    "clang": Event(
        synthesis.clang,
        Ranges((480, 580), (600, 1700), (1800, 2600)),
        ("a metallic clang", "metal being struck"),
        ("a metal part falls on the floor", "the clank of iron"),
    ),
    "footsteps": Event(
        synthesis.footsteps,
        Ranges((1.1, 1.35), (1.4, 2.2), (2.3, 3.0)),
        ("footsteps", "the sound of footsteps"),
        ("a person walking by", "someone walks across the floor"),
    ),
    "whistle": Event(
        synthesis.whistle,
        Ranges((750, 950), (1000, 2300), (2400, 3200)),
        ("a whistle", "someone whistling"),
        ("a person whistles a tone", "the blow of a whistle"),
    ),
}
