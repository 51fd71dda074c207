# SPDX-License-Identifier: Apache-2.0
"""A differential-drive robot in MuJoCo, driven by scripted behaviours and logged at 2 kHz.

Typical use (a recording with its own room, cameras and objects)::

    robot = Robot(RobotSpec(), scene=Scene(bodies="<geom .../>"), pose_log_hz=10.0)
    robot.perform(Still(6.0))
    robot.perform(Drive(10.0, speed_m_s=0.4, steer=along_line(0.0)))
    log = robot.log()                       # clean truth at 2 kHz, poses, labelled intervals
    imu = sensors.measure_imu(log, sensors.sample_imu_model(rng), rng)

World and body axes follow REP 103: x forward, y left, z up (FLU). The IMU site has the body's axes,
so the accelerometer reads +9.81 m/s^2 on z at rest (specific force).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import mujoco
import numpy as np

from sensebind.errors import SenseBindError
from sensebind_engines.recipes.simulation.floors import PLANE, Floor
from sensebind_engines.recipes.simulation.ground import Ground
from sensebind_engines.recipes.simulation.log import Impact, Interval, SimLog
from sensebind_engines.recipes.simulation.mjcf import (
    GRAVITY_M_S2,
    PHYSICS_HZ,
    TIMESTEP_S,
    RobotSpec,
    Scene,
    robot_mjcf,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTROL_HZ = 200
_SETTLE_S = 1.0
_HOLD_PER_S = 20.0
_UNSTABLE = (
    mujoco.mjtWarning.mjWARN_BADQPOS,
    mujoco.mjtWarning.mjWARN_BADQVEL,
    mujoco.mjtWarning.mjWARN_BADQACC,
)


class Behaviour(Protocol):
    """What `Robot.perform` runs: a label, a duration and a control law."""

    @property
    def label(self) -> str:
        """Class of the interval; '' for a transition that belongs to no class."""

    @property
    def duration_s(self) -> float:
        """How long the behaviour lasts, in seconds."""

    @property
    def control_hz(self) -> int:
        """How often `control` is called: `CONTROL_HZ` for wheels, `PHYSICS_HZ` for hand forces."""

    def start(self, robot: Robot, /) -> None:
        """Note the state the behaviour begins in."""

    def control(self, robot: Robot, time_s: float, /) -> None:
        """Set wheel speeds or the hand's wrench at `time_s` since the behaviour began."""


@dataclass(frozen=True)
class HandGains:
    """Stiffness (1/s^2) and damping (1/s) of a hand, per unit mass and inertia."""

    position: float = 160.0
    velocity: float = 22.0
    rotation: float = 120.0
    rate: float = 18.0


@dataclass
class _Tape:
    """What has been recorded so far, one entry per performed behaviour or pose."""

    sensors: list[NDArray[np.float32]] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    impacts: list[Impact] = field(default_factory=list)
    pose_times_s: list[float] = field(default_factory=list)
    poses: list[NDArray[np.float64]] = field(default_factory=list)


class Robot:
    """The simulated robot, its world and its log.

    Args:
        spec: dimensions and dynamics of the robot.
        floor: ground surface; `floors.PLANE` is a perfectly flat one.
        scene: extra MJCF (assets, bodies, cameras) and the files it refers to.
        start_xy_m: where the robot starts, metres in the world frame.
        start_yaw_rad: its first heading about +z, radians.
        slope_rad: slope of the ground; made by turning gravity about a horizontal axis.
        slope_heading_rad: direction in the world towards which the ground falls.
        pose_log_hz: rate of the full `qpos` log (for rendering); 0 keeps none.

    Attributes:
        model, data: the MuJoCo objects, for rendering and for control laws.
    """

    def __init__(
        self,
        spec: RobotSpec,
        floor: Floor = PLANE,
        scene: Scene | None = None,
        *,
        start_xy_m: tuple[float, float] = (0.0, 0.0),
        start_yaw_rad: float = 0.0,
        slope_rad: float = 0.0,
        slope_heading_rad: float = 0.0,
        pose_log_hz: float = 0.0,
    ) -> None:
        scene = scene or Scene()
        self.spec = spec
        self.model = mujoco.MjModel.from_xml_string(
            robot_mjcf(spec, floor, scene), dict(scene.files)
        )
        _fill_relief(self.model, floor)
        down = math.sin(slope_rad)
        self.model.opt.gravity[:] = GRAVITY_M_S2 * np.array(
            [
                down * math.cos(slope_heading_rad),
                down * math.sin(slope_heading_rad),
                -math.cos(slope_rad),
            ]
        )
        self.data = mujoco.MjData(self.model)
        self._body = self.model.body("base").id
        # A scene's free bodies may come first, so the robot's own joint is found by name.
        joint = self.model.joint("base")
        self._qpos = self.data.qpos[joint.qposadr[0] :][:7]
        self._qvel = self.data.qvel[joint.dofadr[0] :][:6]
        self._mass_kg = float(self.model.body_subtreemass[self._body])
        self._inertia = self._mass_kg * (spec.half_length_m**2 + spec.half_width_m**2) / 3.0
        self._pose_every = round(PHYSICS_HZ / pose_log_hz) if pose_log_hz else 0
        self._tape = _Tape()
        self._steps = 0
        self._ground = Ground(self.model, floor)
        self._place(start_xy_m, start_yaw_rad)

    def _place(self, xy_m: tuple[float, float], yaw_rad: float) -> None:
        """Drop the robot from just above the ground and let it settle, unlogged."""
        self._qpos[:2] = xy_m
        self._qpos[2] += self._ground.height_m(*xy_m)
        self._qpos[3:] = [math.cos(yaw_rad / 2), 0.0, 0.0, math.sin(yaw_rad / 2)]
        mujoco.mj_forward(self.model, self.data)
        for _ in range(round(_SETTLE_S * PHYSICS_HZ)):
            self._step()
        self.data.time = 0.0

    # ---- state, for control laws

    @property
    def time_s(self) -> float:
        """Simulated seconds since the log began."""
        return self._steps * TIMESTEP_S

    @property
    def position_m(self) -> NDArray[np.float64]:
        """Chassis centre, (3,) float64, metres in the world frame (a copy)."""
        return np.array(self.data.xpos[self._body])

    @property
    def rotation(self) -> NDArray[np.float64]:
        """Body to world rotation, (3, 3) float64 (a copy)."""
        return np.array(self.data.xmat[self._body]).reshape(3, 3)

    @property
    def yaw_rad(self) -> float:
        """Heading about the world's +z, radians in (-pi, pi]."""
        rotation = self.data.xmat[self._body]
        return math.atan2(rotation[3], rotation[0])

    @property
    def tilt_rad(self) -> float:
        """Angle between the body's z axis and the world's, radians in [0, pi]."""
        return math.acos(min(1.0, max(-1.0, float(self.data.xmat[self._body][8]))))

    @property
    def wheels_rad(self) -> NDArray[np.float64]:
        """Angle of the left and of the right wheel, (2,) float64 (a copy)."""
        return np.array([self.data.joint(f"axle_{side}").qpos[0] for side in ("left", "right")])

    @property
    def chassis_force_n(self) -> float:
        """Sum of normal contact forces on the chassis (not wheels or caster), newtons."""
        return float(self.data.sensor("touch_chassis").data[0])

    # ---- actuation

    def drive(self, speed_m_s: float, yaw_rate_rad_s: float = 0.0) -> None:
        """Command forward speed (m/s) and turning rate (rad/s, counter-clockwise positive)."""
        half_track_m = self.spec.half_width_m + self.spec.wheel_gap_m
        turn_m_s = yaw_rate_rad_s * half_track_m
        radius_m = self.spec.wheel_radius_m
        self.data.ctrl[:2] = (speed_m_s - turn_m_s) / radius_m, (speed_m_s + turn_m_s) / radius_m

    def hold_wheels(self, angles_rad: NDArray[np.float64]) -> None:
        """Turn the wheels back to their angles (2,), as a position servo does."""
        self.data.ctrl[:2] = _HOLD_PER_S * (angles_rad - self.wheels_rad)

    def hold(
        self,
        position_m: NDArray[np.float64],
        velocity_m_s: NDArray[np.float64],
        quaternion: NDArray[np.float64],
        gains: HandGains,
    ) -> None:
        """Pull the chassis towards a pose with a spring and a damper, gravity compensated.

        Call it at `PHYSICS_HZ`: a wrench held for several steps is a staircase that the IMU hears.

        Args:
            position_m: (3,) wanted chassis centre, world frame.
            velocity_m_s: (3,) its wanted velocity, world frame.
            quaternion: (4,) wanted orientation, w x y z.
            gains: how stiff the hand is.
        """
        data, body = self.data, self._body
        force = gains.position * (position_m - data.xpos[body])
        force += gains.velocity * (velocity_m_s - self._qvel[:3]) - self.model.opt.gravity
        inverse, error, turn = np.zeros(4), np.zeros(4), np.zeros(3)
        mujoco.mju_negQuat(inverse, data.xquat[body])
        mujoco.mju_mulQuat(error, quaternion, inverse)
        mujoco.mju_quat2Vel(turn, error, 1.0)
        rate = data.xmat[body].reshape(3, 3) @ self._qvel[3:]
        data.xfrc_applied[body, :3] = self._mass_kg * force
        data.xfrc_applied[body, 3:] = self._inertia * (gains.rotation * turn - gains.rate * rate)

    def push(self, force_n: NDArray[np.float64]) -> None:
        """Push the middle of the chassis with (3,) newtons in the world frame, until released."""
        self.data.xfrc_applied[self._body, :3] = force_n

    def release(self) -> None:
        """Take the hand away."""
        self.data.xfrc_applied[self._body] = 0.0

    def note_impact(self) -> None:
        """Record that the chassis hit something now."""
        self._tape.impacts.append(Impact(self.time_s, self.chassis_force_n))

    # ---- running and reading

    def perform(self, behaviour: Behaviour) -> Interval:
        """Run one behaviour to its end and return its interval.

        Raises:
            SimulationError: the physics became unstable (NaN or huge accelerations).
        """
        steps = round(behaviour.duration_s * PHYSICS_HZ)
        every = PHYSICS_HZ // behaviour.control_hz
        readings = np.empty((steps, self.model.nsensordata), np.float32)
        begin_s = self.time_s
        behaviour.start(self)
        for step in range(steps):
            if step % every == 0:
                behaviour.control(self, step * TIMESTEP_S)
            self._log_pose()
            self._step()
            readings[step] = self.data.sensordata
            self._steps += 1
        self.release()
        interval = Interval(begin_s, self.time_s, behaviour.label)
        self._check_stable(readings, interval)
        self._tape.sensors.append(readings)
        self._tape.intervals.append(interval)
        return interval

    def log(self) -> SimLog:
        """Everything recorded so far."""
        tape = self._tape
        poses = np.array(tape.poses).reshape(len(tape.poses), self.model.nq)
        return SimLog.from_readings(
            np.concatenate(tape.sensors),
            intervals=tuple(tape.intervals),
            impacts=tuple(tape.impacts),
            pose_times_s=np.array(tape.pose_times_s),
            poses=poses,
        )

    def _step(self) -> None:
        self._ground.lay(self.data)
        mujoco.mj_step(self.model, self.data)

    def _log_pose(self) -> None:
        if self._pose_every and self._steps % self._pose_every == 0:
            self._tape.pose_times_s.append(self.time_s)
            self._tape.poses.append(self.data.qpos.copy())

    def _check_stable(self, readings: NDArray[np.float32], interval: Interval) -> None:
        unstable = any(self.data.warning[kind].number for kind in _UNSTABLE)
        if unstable or not np.isfinite(readings).all():
            raise SimulationError(
                f"physics became unstable in {interval.label!r} between {interval.start_s:.2f} s "
                f"and {interval.end_s:.2f} s for {self.spec!r}; expected finite accelerations; "
                "use a heavier robot, softer suspension or slower motion"
            )


class SimulationError(SenseBindError):
    """The simulated physics became unstable."""


def _fill_relief(model: mujoco.MjModel, floor: Floor) -> None:
    """Write the visible relief into the compiled model (its heights are shares of the range)."""
    if floor.heights_m is not None:
        low_m = floor.heights_m.min()
        model.hfield_data[: floor.heights_m.size] = (
            (floor.heights_m - low_m) / max(float(np.ptp(floor.heights_m)), 1e-6)
        ).ravel()
