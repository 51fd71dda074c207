# SPDX-License-Identifier: Apache-2.0
"""Scripted behaviours: on the wheels (`Still` to `Bump`) and in a hand (`Fall` to `Shake`).

All parameters are explicit, so a script is deterministic; `episodes` draws them at random.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import mujoco
import numpy as np
from numpy.typing import NDArray

from sensebind_engines.recipes.simulation.mjcf import PHYSICS_HZ
from sensebind_engines.recipes.simulation.robot import CONTROL_HZ, HandGains, Robot

FloatArray = NDArray[np.float64]
Steering: TypeAlias = Callable[[Robot, float], float]
"""(robot, time_s since the behaviour began) -> turning rate, rad/s."""

IMPACT_N = 5.0
"""Chassis contact force above which a collision counts as an impact."""
_RELEASE_S = 0.5
_STEADY = HandGains()
_PUSH = HandGains(900.0, 60.0, 900.0, 60.0)
_GRIP = HandGains(900.0, 45.0, 120.0, 18.0)


def straight(_robot: Robot, _time_s: float) -> float:
    """Steer nowhere."""
    return 0.0


def weave(
    amplitude_rad_s: float, frequency_hz: float, phase_rad: float = 0.0, bias_rad_s: float = 0.0
) -> Steering:
    """Turn left and right sinusoidally about a constant rate."""
    return lambda _, time_s: (
        bias_rad_s + amplitude_rad_s * math.sin(2.0 * math.pi * frequency_hz * time_s + phase_rad)
    )


def along_line(y_m: float, gain: float = 2.0) -> Steering:
    """Follow the line y = `y_m` in the direction of the world's +x."""

    def steer(robot: Robot, _: float) -> float:
        wanted_rad = math.atan2(y_m - float(robot.position_m[1]), 1.0)
        return gain * _wrap(wanted_rad - robot.yaw_rad)

    return steer


def towards(x_m: float, y_m: float, gain: float = 2.0) -> Steering:
    """Turn to a point in the world and drive at it."""

    def steer(robot: Robot, _: float) -> float:
        offset = np.array([x_m, y_m]) - robot.position_m[:2]
        return gain * _wrap(math.atan2(offset[1], offset[0]) - robot.yaw_rad)

    return steer


@dataclass
class _OnWheels:
    """Shared part of what the motors do."""

    duration_s: float
    label: str = ""
    control_hz: int = field(default=CONTROL_HZ, init=False)

    def start(self, _robot: Robot, /) -> None:
        """Nothing to note."""


@dataclass
class Still(_OnWheels):
    """Stand with the motors holding, so that no slope makes the robot creep."""

    label: str = "still"
    _wheels_rad: FloatArray = field(default_factory=lambda: np.zeros(2), init=False, repr=False)

    def start(self, robot: Robot, /) -> None:
        """Note where the wheels are."""
        self._wheels_rad = robot.wheels_rad

    def control(self, robot: Robot, _time_s: float, /) -> None:
        """Hold."""
        robot.hold_wheels(self._wheels_rad)


class Nudge(NamedTuple):
    """A soft push, half a sine long, at the middle of the chassis, in the world frame."""

    start_s: float
    length_s: float
    force_n: tuple[float, float, float]


@dataclass
class Nudged(Still):
    """Stand while someone touches it or its load shifts."""

    nudges: tuple[Nudge, ...] = ()
    control_hz: int = field(default=PHYSICS_HZ, init=False)

    def control(self, robot: Robot, time_s: float, /) -> None:
        """Hold against what pushes."""
        super().control(robot, time_s)
        force_n = np.zeros(3)
        for nudge in self.nudges:
            share = (time_s - nudge.start_s) / nudge.length_s
            if 0.0 < share < 1.0:
                force_n += math.sin(math.pi * share) * np.array(nudge.force_n)
        robot.push(force_n)


@dataclass
class Drive(_OnWheels):
    """Drive with a soft start; a slow wave on the speed is a person's or planner's unevenness.

    Label it "smooth" or "rough"; training uses the measured ride instead (`labels`).

    Attributes:
        speed_m_s: cruising speed; negative drives backwards.
        steer: turning rate law.
        ramp_s: time to reach the speed.
        unevenness: relative amplitude of the 0.2 Hz wave on the speed.
        stop_s: time before the end at which the robot begins to brake (0: it keeps driving).
    """

    label: str = "smooth"
    speed_m_s: float = 0.5
    steer: Steering = straight
    ramp_s: float = 0.6
    unevenness: float = 0.0
    stop_s: float = 0.0

    def control(self, robot: Robot, time_s: float, /) -> None:
        """Follow the speed profile and the steering law."""
        left_s = self.duration_s - time_s
        brake = min(1.0, left_s / self.stop_s) if self.stop_s else 1.0
        wave = 1.0 + self.unevenness * math.sin(1.3 * time_s)
        speed_m_s = self.speed_m_s * min(1.0, time_s / self.ramp_s) * brake * wave
        robot.drive(speed_m_s, self.steer(robot, time_s) * brake)


@dataclass
class Spin(_OnWheels):
    """Turn on the spot; with `stop_yaw_rad`, turn back to that heading in the last 1.5 s."""

    label: str = "spin"
    rate_rad_s: float = 2.2
    ramp_s: float = 0.4
    stop_yaw_rad: float | None = None

    def control(self, robot: Robot, time_s: float, /) -> None:
        """Spin, or settle on the wanted heading."""
        if self.stop_yaw_rad is not None and time_s > self.duration_s - 1.5:
            robot.drive(0.0, 3.0 * _wrap(self.stop_yaw_rad - robot.yaw_rad))
        else:
            robot.drive(0.0, self.rate_rad_s * min(1.0, time_s / self.ramp_s))


@dataclass
class Bump(_OnWheels):
    """Run into what lies ahead, back off, and again until the time is over.

    Impacts are noticed by the chassis's contact force and noted in the log.

    Attributes:
        speed_m_s: approach speed.
        steer: keeps the robot aimed at the obstacle.
        push_s: how long the motors keep pushing after the impact.
        back_off_s: time from the impact to the next approach.
    """

    label: str = "bump"
    speed_m_s: float = 0.6
    steer: Steering = straight
    push_s: float = 0.2
    back_off_s: float = 1.4
    _since_s: float = field(default=0.0, init=False, repr=False)
    _approaching: bool = field(default=True, init=False, repr=False)

    def start(self, _robot: Robot, /) -> None:
        """Begin with an approach."""
        self._since_s, self._approaching = 0.0, True

    def control(self, robot: Robot, time_s: float, /) -> None:
        """Approach until the chassis touches, then push, then back off."""
        phase_s = time_s - self._since_s
        if self._approaching:
            speed_m_s = self.speed_m_s * min(1.0, phase_s / 0.3)
            robot.drive(speed_m_s, self.steer(robot, time_s))
            if robot.chassis_force_n > IMPACT_N and phase_s > 0.2:
                robot.note_impact()
                self._since_s, self._approaching = time_s, False
        else:
            robot.drive(0.3 * self.speed_m_s if phase_s < self.push_s else -0.6 * self.speed_m_s)
            if phase_s > self.back_off_s:
                self._since_s, self._approaching = time_s, True


@dataclass
class _InHand:
    """Shared part of what a hand does: follow a target pose, then let go."""

    duration_s: float
    label: str = ""
    gains: HandGains = _STEADY
    control_hz: int = field(default=PHYSICS_HZ, init=False)
    _origin_m: FloatArray = field(default_factory=lambda: np.zeros(3), init=False, repr=False)
    _yaw_rad: float = field(default=0.0, init=False, repr=False)

    def start(self, robot: Robot, /) -> None:
        """Note where the robot stands."""
        self._origin_m, self._yaw_rad = robot.position_m, robot.yaw_rad

    def target(self, robot: Robot, time_s: float, /) -> tuple[FloatArray, FloatArray] | None:
        """Wanted chassis position (3,) and roll, pitch, yaw (3,); None when the hand is away."""
        raise NotImplementedError

    def control(self, robot: Robot, time_s: float, /) -> None:
        """Pull the robot towards the target; its velocity by a backward difference of 1 ms."""
        robot.drive(0.0)
        now = self.target(robot, time_s)
        if now is None:
            robot.release()
            return
        before = self.target(robot, time_s - 1e-3)
        velocity = np.zeros(3) if before is None else (now[0] - before[0]) / 1e-3
        quaternion = np.zeros(4)
        mujoco.mju_euler2Quat(quaternion, now[1][::-1].copy(), "zyx")
        robot.hold(now[0], velocity, quaternion, self.gains)


@dataclass
class Fall(_InHand):
    """Tip over an edge and lie there; the push is position controlled, so it always succeeds.

    Attributes:
        heading_rad: direction of the fall in the body frame: 0 forwards, pi/2 to the left.
        angle_rad: how far the push goes; gravity does the rest (100 to 170 degrees).
        push_s: how long the push takes; 0.4 is a fall, 1.5 is being laid over.
        wait_s: time standing before the push.
        wheel_rad_s: turning rate commanded to the wheels once it lies there.
    """

    label: str = "fallen"
    gains: HandGains = _PUSH
    heading_rad: float = math.pi / 2
    angle_rad: float = math.radians(105)
    push_s: float = 0.6
    wait_s: float = 0.3
    wheel_rad_s: float = 0.0

    def target(self, robot: Robot, time_s: float, /) -> tuple[FloatArray, FloatArray] | None:
        """Rotate about the bottom edge on the side of the fall."""
        share = (time_s - self.wait_s) / self.push_s
        if not 0.0 <= share <= 1.0:
            return None
        angle_rad = self.angle_rad * _ease(share)
        roll, pitch = -math.sin(self.heading_rad), math.cos(self.heading_rad)
        spec = robot.spec
        reach_m = abs(pitch) * spec.half_length_m + abs(roll) * (
            spec.half_width_m + 2.0 * spec.wheel_gap_m
        )
        height_m = spec.chassis_height_m
        away_m = reach_m - reach_m * math.cos(angle_rad) + height_m * math.sin(angle_rad)
        up_m = reach_m * math.sin(angle_rad) + height_m * math.cos(angle_rad) - height_m
        direction = self._yaw_rad + self.heading_rad
        offset = np.array([away_m * math.cos(direction), away_m * math.sin(direction), up_m])
        turn = np.array([roll * angle_rad, pitch * angle_rad, self._yaw_rad])
        return self._origin_m + offset, turn

    def control(self, robot: Robot, time_s: float, /) -> None:
        """Push, then perhaps let the wheels turn in the air."""
        super().control(robot, time_s)
        if time_s > self.wait_s + self.push_s:
            robot.drive(0.0, self.wheel_rad_s)


@dataclass
class Carry(_InHand):
    """Lift the robot and walk with it; with `place_m`, put it down there before the end.

    Attributes:
        lift_m: how high it is carried above where it stood.
        step_hz: walking steps per second; the bob is at this rate and its double.
        bob_m: amplitude of the bob.
        speed_m_s: walking speed, ignored with `place_m`.
        tilt_rad: constant roll and pitch in the hands.
        sway_rad: amplitude of the swaying roll and pitch.
        turn_rad: amplitude of the slow turn while walking.
        phase_rad: phase of the steps.
        tremor_m: amplitude of the hands' tremor.
        tremor_hz: its rate; physiological tremor is at 8 to 12 Hz.
        place_m: world x, y to put it down at, or None.
    """

    label: str = "carried"
    lift_m: float = 0.7
    step_hz: float = 1.8
    bob_m: float = 0.025
    speed_m_s: float = 0.7
    tilt_rad: tuple[float, float] = (0.1, -0.15)
    sway_rad: float = 0.1
    turn_rad: float = 0.3
    phase_rad: float = 0.0
    tremor_m: float = 0.0
    tremor_hz: float = 9.0
    place_m: tuple[float, float] | None = None

    def target(self, _robot: Robot, time_s: float, /) -> tuple[FloatArray, FloatArray] | None:
        """Lift in 1.2 s, walk, and with `place_m` lower in 1.2 s and let go."""
        up = _ease(time_s / 1.2)
        if self.place_m is not None:
            if time_s > self.duration_s - _RELEASE_S:
                return None
            up *= _ease((self.duration_s - _RELEASE_S - 0.1 - time_s) / 1.2)
        step = 2.0 * math.pi * self.step_hz * time_s + self.phase_rad
        bob_m = self.bob_m * (math.sin(step) + 0.35 * math.sin(2.0 * step + 1.0)) * up
        side_m = 0.4 * self.bob_m * math.sin(step / 2.0) * up
        position = self._origin_m + self._walked_m(time_s)
        position = position + np.array([0.0, side_m, self.lift_m * up + bob_m])
        tremor = 2.0 * math.pi * self.tremor_hz * time_s + np.array([0.0, 2.0, 4.0])
        position += self.tremor_m * up * np.sin(tremor * np.array([1.0, 1.1, 0.93]))
        roll = (self.tilt_rad[0] + self.sway_rad * math.sin(step / 2.0)) * up
        pitch = (self.tilt_rad[1] + 0.6 * self.sway_rad * math.sin(step)) * up
        yaw = self._yaw_rad + self.turn_rad * math.sin(0.5 * time_s) * up
        return position, np.array([roll, pitch, yaw])

    def _walked_m(self, time_s: float) -> FloatArray:
        """How far the carrier has come, eased at both ends."""
        if self.place_m is not None:
            way = np.array([*self.place_m, self._origin_m[2]]) - self._origin_m
            return np.asarray(way * _ease((time_s - 1.0) / (self.duration_s - 3.0)))
        heading = self._yaw_rad + 0.3
        walked_m = self.speed_m_s * max(0.0, time_s - 1.0 + 0.3 * (math.exp(1.0 - time_s) - 1.0))
        return np.array([math.cos(heading), math.sin(heading), 0.0]) * walked_m


@dataclass
class Shake(_InHand):
    """Lift the robot and shake it; never in the training set."""

    label: str = "shaken"
    gains: HandGains = _GRIP
    lift_m: float = 0.6
    rate_hz: float = 4.0
    amplitude_m: float = 0.05

    def target(self, _robot: Robot, time_s: float, /) -> tuple[FloatArray, FloatArray] | None:
        """Swing on two axes at unrelated rates."""
        up = _ease(time_s / 1.2)
        swing = 2.0 * math.pi * self.rate_hz * time_s
        offset = np.array([math.sin(swing), 0.6 * math.sin(1.3 * swing), 0.0]) * self.amplitude_m
        position = self._origin_m + offset * up + np.array([0.0, 0.0, self.lift_m * up])
        return position, np.array([0.0, 0.0, self._yaw_rad])


def _ease(share: float) -> float:
    """Smooth step from 0 to 1 on [0, 1]."""
    share = min(1.0, max(0.0, share))
    return share * share * (3.0 - 2.0 * share)


def _wrap(angle_rad: float) -> float:
    return (angle_rad + math.pi) % (2.0 * math.pi) - math.pi
