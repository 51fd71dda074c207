# SPDX-License-Identifier: Apache-2.0
"""What the ROS node costs above its pipeline, and what it adds to a message's way.

An IMU of 400 Hz, a microphone of 16 kHz (100 messages per second) and a 640 x 480 depth camera of
15 Hz are published by a process, over real DDS with the shipped profile, to (1) the node, (2) a
subscriber that takes raw bytes and does nothing, and, without ROS, (3) are played into a pipeline
in one process, from which the playing itself is taken off. In each round all three take the same
time, one after the other:

    CPU(node) - CPU(pipeline) <= CPU(raw subscriber) + 5 % of a core
    delay p99 (publish -> callback -> ring) <= 10 ms + lateness p99 of a bare timer

The timer is a thread of this process, which does nothing else, that only wakes up 400 times a
second while the node runs. Every round is reported. For losses, `--seconds 600 --rounds 1`.

Needs rclpy and sensebind_msgs: `make ros`, then .venv-ros/bin/python -m benchmarks.ros.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks._machine import describe
from benchmarks._ros_roles import STREAMS, TYPES
from sensebind.metrics.timer import TimerLateness
from tests.support.ros import DEACTIVATE, Examiner, NodeUnderTest, Process, environment, own_domain

if TYPE_CHECKING:
    from collections.abc import Iterator

ALLOWED_CPU = 0.05
ALLOWED_MS = 10.0
_TICK_HZ = os.sysconf("SC_CLK_TCK")


class Bench:
    """The processes of the rounds."""

    def __init__(self, folder: Path, bundle: str, seconds: float) -> None:
        self._folder = folder
        self._bundle = bundle
        self._seconds = seconds
        self._logs = 0

    def round(self) -> dict[str, Any]:
        """Node, raw subscriber and bare pipeline, one after the other."""
        load = os.getloadavg()[0]
        node, listener, bare = self._node(), self._listener(), self._bare()
        above = node["cpu_share"] - bare["cpu_share"]
        allowed_ms = ALLOWED_MS + node["timer"]["p99_ms"]
        return {
            "load_average": load,
            "node": node,
            "raw_subscriber": listener,
            "pipeline": bare,
            "node_above_pipeline": above,
            "allowed_above_pipeline": listener["cpu_share"] + ALLOWED_CPU,
            "cpu_met": above <= listener["cpu_share"] + ALLOWED_CPU,
            "delay_p99_ms": node["delay_p99_ms"]["/imu"],
            "allowed_p99_ms": allowed_ms,
            "delay_met": node["delay_p99_ms"]["/imu"] <= allowed_ms,
            "lost": sum(node["sent"].values()) - sum(node["received"].values()),
        }

    def _role(self, role: str, *more: str) -> Process:
        self._logs += 1
        log = self._folder / f"{role}{self._logs}.log"
        return Process("benchmarks._ros_roles", role, str(self._seconds), *more, log=log)

    def _node(self) -> dict[str, Any]:
        examiner = Examiner()
        parameters: dict[str, object] = {"bundle": self._bundle, "diagnostics_period_s": 1.0}
        parameters["streams"] = [name[1:] for name in STREAMS]
        for name, stream in STREAMS.items():
            parameters[f"{name[1:]}.modality"] = stream.modality.value
            parameters[f"{name[1:]}.hop_s"] = stream.hop_s
            parameters[f"{name[1:]}.type"] = TYPES[name]
            if stream.trigger:
                parameters[f"{name[1:]}.trigger"] = stream.trigger
        parameters["depth.queue_s"] = 2.0
        with (
            NodeUnderTest(examiner, self._folder, parameters) as node,
            self._role("publish") as publisher,
        ):
            node.start()
            assert json.loads(publisher.ask()) == "ready"
            begin_s = cpu_seconds(node.popen.pid)
            with TimerLateness() as timer:
                sent = json.loads(publisher.ask("begin"))
            used_s = cpu_seconds(node.popen.pid) - begin_s
            statuses = {
                name: node.until_counted(f"stream {name[1:]}", sent[name]) for name in STREAMS
            }
            assert node.change(DEACTIVATE)
            assert node.interrupt() == 0, node.errors
        examiner.close()
        return {
            "cpu_share": used_s / self._seconds,
            "sent": sent,
            "received": {name: int(each["messages"]) for name, each in statuses.items()},
            "lost_by_middleware": {
                name: int(each["lost by the middleware"]) for name, each in statuses.items()
            },
            "dropped": {name: dropped(each) for name, each in statuses.items()},
            "delay_p50_ms": {name: delay(each, name, "p50") for name, each in statuses.items()},
            "delay_p99_ms": {name: delay(each, name, "p99") for name, each in statuses.items()},
            "timer": msgspec.to_builtins(timer.lateness.summary()),
        }

    def _listener(self) -> dict[str, Any]:
        with self._role("listen") as listener, self._role("publish") as publisher:
            assert json.loads(listener.ask()) == "ready"
            assert json.loads(publisher.ask()) == "ready"
            listener.write("begin")
            publisher.ask("begin")
            told: dict[str, Any] = json.loads(listener.ask())
        return told

    def _bare(self) -> dict[str, Any]:
        with self._role("bare", self._bundle) as bare:
            assert json.loads(bare.ask()) == "ready"
            told: dict[str, Any] = json.loads(bare.ask("begin"))
        return told


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used in all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK_HZ


def delay(status: dict[str, str], topic: str, percentile: str) -> float:
    """Of the messages of a topic, in milliseconds."""
    return float(status[f"delay of {topic[1:]} ever {percentile} (ms)"])


def dropped(status: dict[str, str]) -> int:
    """Windows nobody had time for."""
    return sum(int(count) for cause, count in status.items() if cause.startswith("dropped: "))


def line(one: dict[str, Any]) -> str:
    """A round in words."""
    shares = {part: one[part]["cpu_share"] for part in ("node", "pipeline", "raw_subscriber")}
    told = ", ".join(f"{part.replace('_', ' ')} {share:.1%}" for part, share in shares.items())
    return (
        f"load {one['load_average']:.1f}: {told} of a core: {one['node_above_pipeline']:.1%} above "
        f"the pipeline, allowed {one['allowed_above_pipeline']:.1%}: {verdict(one['cpu_met'])}; "
        "delay p99 "
        f"{one['delay_p99_ms']:.2f} ms, allowed {one['allowed_p99_ms']:.2f} ms (timer p99 "
        f"{one['node']['timer']['p99_ms']:.2f} ms): {verdict(one['delay_met'])}; "
        f"{one['lost']} messages lost of {sum(one['node']['sent'].values())}"
    )


def verdict(met: bool) -> str:
    """A bound in a word."""
    return "met" if met else "MISSED"


def rounds(bench: Bench, count: int) -> Iterator[dict[str, Any]]:
    """Some rounds, each told as it ends."""
    for _ in range(count):
        one = bench.round()
        print(line(one))
        yield one


def main() -> None:
    """Measure, print a line per round and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3, help="each takes three times SECONDS")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each part of a round")
    parser.add_argument("--bundle", help="for IMU, audio and depth; the test bundle if none")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args()
    machine = describe(("sensebind", "numpy", "numba", "onnxruntime", "ros-rclpy"))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bundle = options.bundle
        if bundle is None:
            from sensebind_engines.recipes.test_bundle import build_test_bundle

            bundle = str(build_test_bundle(folder / "test"))
        os.environ |= environment(stack.enter_context(own_domain()))
        done = list(rounds(Bench(folder, bundle, options.seconds), options.rounds))
    above = median(one["node_above_pipeline"] - one["raw_subscriber"]["cpu_share"] for one in done)
    print(f"median above pipeline and raw subscriber: {above:.1%} of a core")
    if options.out:
        document = {"machine": machine, "seconds": options.seconds, "rounds": done}
        options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
