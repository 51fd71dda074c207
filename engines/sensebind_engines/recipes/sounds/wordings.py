# SPDX-License-Identifier: Apache-2.0
"""Further wordings of training: what is told in two ways only is found by those two words.

Written by hand without looking at any sound; none is a wording of the evaluation.
"""

from __future__ import annotations

from sensebind_engines.recipes.sounds.instruments import INSTRUMENTS

_OF_INSTRUMENTS = ("{} music", "someone plays the {}", "a solo for {}", "a recording of a {}")

_WRITTEN: dict[str, tuple[str, ...]] = {
    "dog bark": ("a dog", "a hound barks at someone", "the dog barks", "woof", "a puppy yaps"),
    "rain": ("rain", "rainfall", "a shower of rain", "raindrops pattering", "heavy rain outdoors"),
    "sea waves": ("the sea", "surf", "ocean waves crashing", "waves roll in", "the ocean's roar"),
    "baby cry": ("a baby", "a newborn wailing", "the baby cries", "a toddler in tears",
                 "a child cries"),
    "clock tick": ("a clock", "tick tock", "the clock ticks", "a pendulum clock",
                   "a watch ticking"),
    "sneeze": ("sneezing", "achoo", "a man sneezes", "a woman sneezes", "a loud sneezing fit"),
    "helicopter": ("helicopter noise", "a chopper hovering", "a helicopter overhead",
                   "rotor blades turning", "an aircraft with a rotor"),
    "chainsaw": ("chainsaw noise", "a motor saw", "sawing with a chainsaw", "felling a tree",
                 "a lumberjack saws"),
    "rooster": ("a rooster", "cock-a-doodle-doo", "the cock crows", "a cockerel",
                "a rooster's call"),
    "fire": ("a fire", "flames", "a campfire", "wood burns in the fireplace",
             "the crackle of flames"),
    "alarm": ("an alarm", "beep beep beep", "an alarm sounds", "an electronic beeper",
              "a warning tone"),
    "siren": ("a siren", "the howl of a siren", "a police car's siren", "a fire engine's siren"),
    "telephone": ("a telephone", "the phone rings", "an incoming call", "an old telephone's bell"),
    "electric motor": ("an electric motor", "motor whine", "a servo turns", "the motor of a robot"),
    "engine": ("an engine", "a diesel engine", "the motor of a truck",
               "a petrol engine turns over"),
    "drill": ("a drill", "a drilling machine", "someone drills into a wall",
              "a screwdriver's motor"),
    "mains hum": ("hum", "mains hum", "a low electrical buzz", "the buzz of a power line"),
    "wind": ("wind", "the wind howls", "a storm", "a strong breeze", "gusty weather"),
    "hissing": ("a hiss", "compressed air escapes", "steam hissing", "a leaking pipe of gas"),
    "dripping": ("drip drop", "drops of water", "a dripping tap", "water drips into a basin"),
    "knock": ("knocking", "a thud", "a bump", "a blow on wood", "something hits an obstacle"),
    "clang": ("a clang", "iron is hit", "a hammer on metal", "a metal rod drops", "clanking"),
    "footsteps": ("steps", "someone is walking", "a person walks along", "shoes on a hard floor"),
    "whistle": ("whistling", "a whistled tone", "a referee's whistle", "a high whistling tone"),
}  # fmt: skip

MORE: dict[str, tuple[str, ...]] = {
    **{name: tuple(form.format(name) for form in _OF_INSTRUMENTS) for name in INSTRUMENTS},
    **_WRITTEN,
}
"""By class, beside the class's own texts."""
