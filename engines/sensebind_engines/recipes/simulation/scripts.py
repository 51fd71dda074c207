# SPDX-License-Identifier: Apache-2.0
"""What robots do: a random script for every intent, from the ranges of a domain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sensebind_engines.recipes.simulation import behaviours as act
from sensebind_engines.recipes.simulation.labels import DRIVE, UNSEEN_CLASS
from sensebind_engines.recipes.simulation.mjcf import GRAVITY_M_S2, Scene

if TYPE_CHECKING:
    import numpy as np

    from sensebind_engines.recipes.simulation.domains import Domain
    from sensebind_engines.recipes.simulation.robot import Behaviour

EPISODE_S = 8.0
INTENTS = ("still", DRIVE, "spin", "bump", "fallen", "carried", UNSEEN_CLASS)


def sample_behaviour(intent: str, rng: np.random.Generator, domain: Domain) -> Behaviour:
    """A behaviour of the given intent with random parameters."""
    return _SAMPLERS[intent](rng, domain)


def run_up_m(behaviour: Behaviour) -> float:
    """How far behind the middle of the floor to start, so that a drive crosses it."""
    if isinstance(behaviour, act.Drive):
        return 0.5 * EPISODE_S * behaviour.speed_m_s
    return 0.0


def obstacle(rng: np.random.Generator, yaw_rad: float, *, pushable: bool) -> Scene:
    """A wall, or a box that gives way, 0.8 to 1.5 m ahead of the middle along `yaw_rad`.

    Its surface is anything from metal to upholstery: time constants of 4 to 80 ms.
    """
    ahead_m = float(rng.uniform(0.8, 1.5))
    x_m, y_m = ahead_m * math.cos(yaw_rad), ahead_m * math.sin(yaw_rad)
    turn_deg = math.degrees(yaw_rad) + float(rng.uniform(-45.0, 45.0))
    softness_s = math.exp(rng.uniform(math.log(0.004), math.log(0.08)))
    surface = f'priority="2" solref="{softness_s} 1"'
    if pushable:
        mass_kg = float(rng.uniform(4.0, 15.0))
        return Scene(
            bodies=f'<body pos="{x_m} {y_m} .21" euler="0 0 {turn_deg}"><freejoint/>'
            f'<geom type="box" size=".15 .3 .2" mass="{mass_kg}" {surface}/></body>'
        )
    return Scene(
        bodies=f'<geom type="box" pos="{x_m} {y_m} .4" euler="0 0 {turn_deg}" size=".1 3 .4" '
        f"{surface}/>"
    )


def _sign(rng: np.random.Generator, negative: float = 0.5) -> float:
    return -1.0 if rng.uniform() < negative else 1.0


def _still(rng: np.random.Generator, domain: Domain) -> Behaviour:
    """Stand; every second one is touched now and then, with up to a quarter of its weight."""
    if rng.uniform() < 0.5:
        return act.Still(EPISODE_S)
    most_n = GRAVITY_M_S2 / 4.0 * domain.mass_kg[0]
    nudges = [
        act.Nudge(
            start_s=float(rng.uniform(0.0, EPISODE_S)),
            length_s=float(rng.uniform(0.05, 0.4)),
            force_n=tuple(rng.uniform(-most_n, most_n, 3).tolist()),
        )
        for _ in range(int(rng.integers(1, 6)))
    ]
    return act.Nudged(EPISODE_S, nudges=tuple(nudges))


def _drive(rng: np.random.Generator, domain: Domain) -> Behaviour:
    """Drive: straight on or in a curve, weaving, now and then stopping at the end."""
    amplitude, frequency, phase = rng.uniform((0.0, 0.1, 0.0), (0.5, 0.4, 6.28))
    curve_rad_s = float(rng.uniform(-0.9, 0.9)) * float(rng.uniform() < 0.4)
    return act.Drive(
        EPISODE_S,
        label=DRIVE,
        speed_m_s=_sign(rng, 0.2) * float(rng.uniform(*domain.speed_m_s)),
        steer=act.weave(float(amplitude), float(frequency), float(phase), curve_rad_s),
        ramp_s=float(rng.uniform(0.3, 1.5)),
        unevenness=float(rng.uniform(0.0, 0.2)),
        stop_s=float(rng.uniform(0.4, 2.0)) * float(rng.uniform() < 0.3),
    )


def _spin(rng: np.random.Generator, domain: Domain) -> Behaviour:
    return act.Spin(EPISODE_S, rate_rad_s=_sign(rng) * float(rng.uniform(*domain.spin_rad_s)))


def _bump(rng: np.random.Generator, domain: Domain) -> Behaviour:
    push_s, back_off_s = rng.uniform((0.0, 1.0), (0.4, 1.8))
    return act.Bump(
        EPISODE_S,
        speed_m_s=float(rng.uniform(*domain.speed_m_s)),
        push_s=float(push_s),
        back_off_s=float(back_off_s),
    )


def _fall(rng: np.random.Generator, _domain: Domain) -> Behaviour:
    sideways = rng.uniform() < 0.7
    heading_rad = _sign(rng) * math.pi / 2 if sideways else (0.0, math.pi)[int(rng.integers(2))]
    return act.Fall(
        EPISODE_S,
        heading_rad=heading_rad,
        angle_rad=math.radians(float(rng.uniform(95.0, 170.0))),
        push_s=float(rng.uniform(0.3, 1.2)),
        wait_s=float(rng.uniform(0.1, 1.5)),
        wheel_rad_s=float(rng.uniform(0.0, 2.0)) * float(rng.uniform() < 0.3),
    )


def _carry(rng: np.random.Generator, domain: Domain) -> Behaviour:
    """Carry: walking, or for every third one standing, which leaves sway and tremor."""
    standing = rng.uniform() < 1 / 3
    lift, bob, speed, sway, turn, phase, tremor_m_s2, tremor_hz = rng.uniform(
        (0.4, 0.006, 0.3, 0.03, -0.6, 0.0, 0.05, 8.0), (1.1, 0.035, 1.3, 0.2, 0.6, 6.28, 0.3, 12.0)
    )
    calm = 0.1 if standing else 1.0
    tilt = rng.uniform(-domain.tilt_rad, domain.tilt_rad, 2)
    return act.Carry(
        EPISODE_S,
        lift_m=float(lift),
        step_hz=float(rng.uniform(*domain.step_hz)) * (0.3 if standing else 1.0),
        bob_m=float(bob * calm),
        speed_m_s=0.0 if standing else float(speed),
        tilt_rad=(float(tilt[0]), float(tilt[1])),
        sway_rad=float(sway * calm),
        turn_rad=float(turn * calm),
        phase_rad=float(phase),
        tremor_m=float(tremor_m_s2 / (2.0 * math.pi * tremor_hz) ** 2),
        tremor_hz=float(tremor_hz),
    )


def _shake(rng: np.random.Generator, _domain: Domain) -> Behaviour:
    rate, amplitude = rng.uniform((3.0, 0.03), (5.0, 0.06))
    return act.Shake(EPISODE_S, rate_hz=float(rate), amplitude_m=float(amplitude))


_SAMPLERS = {
    "still": _still,
    DRIVE: _drive,
    "spin": _spin,
    "bump": _bump,
    "fallen": _fall,
    "carried": _carry,
    UNSEEN_CLASS: _shake,
}
