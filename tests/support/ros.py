# SPDX-License-Identifier: Apache-2.0
"""Real nodes in processes of their own, over real DDS, for tests that await what they expect."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tests.support import bags
from tests.support.ros_subscriber import Got

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from typing_extensions import Self

    from tests.support.bags import Message
    from tests.support.ros_publisher import Plan

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / "launch/sensebind_bringup/config/fastdds.xml"
PATHS = ("runtime", "engines", "calibration", "ros_nodes/sensebind_ros", ".")
PATIENCE_S = 60.0
"""For what takes milliseconds on a machine with nothing else to do."""

CONFIGURE, CLEANUP, ACTIVATE, DEACTIVATE = 1, 2, 3, 4
SHUTDOWN = {"unconfigured": 5, "inactive": 6, "active": 7}
_DOMAINS = (*range(215, 233), *range(81, 101))
"""Those whose ports Linux does not give to others."""
_locks: list[int] = []


@contextmanager
def own_domain() -> Iterator[int]:
    """A ROS domain that no other test process on this machine uses meanwhile.

    Processes inherit the lock, so one that is left behind keeps its domain to itself.
    """
    for domain in _DOMAINS:
        path = Path("/tmp") / f"sensebind-ros-domain-{domain}"
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            _locks.append(lock.fileno())
            try:
                yield domain
            finally:
                _locks.remove(lock.fileno())
            return
    raise RuntimeError("no ROS domain is free")


def environment(domain: int, *, profile: bool = True) -> dict[str, str]:
    """Variables of processes that talk to each other and to nobody else."""
    found = {
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "PYTHONPATH": os.pathsep.join(str(ROOT / path) for path in PATHS),
        "OMP_NUM_THREADS": "1",
    }
    if profile:
        found["FASTDDS_DEFAULT_PROFILES_FILE"] = str(PROFILE)
        found["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(PROFILE)
    return found


class Process:
    """A Python module in a process; a context manager that ends it."""

    def __init__(self, module: str, *arguments: str, log: Path, **variables: str) -> None:
        self.log = log
        with log.open("wb") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **variables},
                cwd=log.parent,
                pass_fds=_locks,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.popen.poll() is None:  # the test failed
            self.popen.terminate()  # a supervisor that is killed leaves its nodes in the domain
            self.end()

    def ask(self, line: str = "") -> str:
        """Write a line, if any, and read one."""
        assert self.popen.stdout is not None
        if line:
            self.write(line)
        answer = self.popen.stdout.readline().strip()
        assert answer, self.errors
        return answer

    def write(self, line: str) -> None:
        """Write a line."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(f"{line}\n")
        self.popen.stdin.flush()

    @property
    def errors(self) -> str:
        """What it has written to its standard error."""
        return self.log.read_text(errors="replace")

    def end(self) -> int:
        """Close its input and wait; the exit code."""
        assert self.popen.stdin is not None
        self.popen.stdin.close()
        try:
            code = self.popen.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"it did not end:\n{self.errors}") from None
        finally:
            assert self.popen.stdout is not None
            self.popen.stdout.close()
        return code

    def interrupt(self, number: int = signal.SIGINT) -> int:
        """Send a signal and wait; the exit code."""
        self.popen.send_signal(number)
        return self.end()


class Examiner:
    """A ROS node in the test's own process, that asks others and listens."""

    def __init__(self) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray

        with warnings.catch_warnings():  # its parsers use old modules
            warnings.simplefilter("ignore")
            import_module("rosidl_generator_py")
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = Node("examiner", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.statuses: dict[str, Any] = {}
        self._clients: dict[str, Any] = {}
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._take, 50)

    def close(self) -> None:
        """End it."""
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()

    def spin(self) -> None:
        """Let something happen, if anything does soon."""
        self.executor.spin_once(timeout_sec=0.05)

    def until(self, what: Callable[[], bool], hint: Callable[[], str] = str) -> None:
        """Wait for something to become true."""
        until_s = time.monotonic() + PATIENCE_S
        while not what():
            self.spin()
            assert time.monotonic() < until_s, hint()

    def call(self, kind: Any, name: str, request: Any) -> Any:
        """Call a service and return its response."""
        future = self.client(kind, name).call_async(request)
        self.until(future.done, lambda: f"no answer from {name}")
        return future.result()

    def client(self, kind: Any, name: str) -> Any:
        """The client of a service that is there."""
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
        client = self._clients[name]
        self.until(client.service_is_ready, lambda: f"no service {name}")
        return client

    def subscribe(self, kind: Any, topic: str, qos: Any = 50) -> list[Any]:
        """A list that messages are added to."""
        got: list[Any] = []
        self.node.create_subscription(kind, topic, got.append, qos)
        return got

    def _take(self, message: Any) -> None:
        for status in message.status:
            self.statuses[status.name] = status


class Sender:
    """Publishes serialized messages from the test's own process."""

    def __init__(self, examiner: Examiner, topic: str, kind: str, *, reliable: bool = True) -> None:
        from rclpy.event_handler import PublisherEventCallbacks
        from rclpy.qos import QoSProfile, ReliabilityPolicy

        package, _, name = kind.partition("/msg/")
        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        self._examiner = examiner
        self._topic = topic
        self._publisher = examiner.node.create_publisher(
            getattr(import_module(f"{package}.msg"), name),
            topic,
            QoSProfile(depth=2000, reliability=reliability),
            event_callbacks=PublisherEventCallbacks(use_default_callbacks=False),
        )

    def matched(self, called: str | None = None) -> Sender:
        """Wait until the node under test and this publisher know of each other.

        What is sent before the subscriber knows of it is lost, also where the publisher knows of
        the subscriber already.

        Args:
            called: the topic as the node's parameters have it, which /diagnostics tells publishers
                by; "" for one that it does not tell of. The topic without its slash if None.
        """
        names = {self._topic, self._topic.lstrip("/")} if called is None else {called}
        self._examiner.until(
            lambda: (
                self._publisher.get_subscription_count() > 0
                and (called == "" or self._is_known(names))
            )
        )
        return self

    def _is_known(self, names: set[str]) -> bool:
        """Whether the nodes that tell of a topic know as many publishers as there are."""
        there = self._examiner.node.count_publishers(self._topic)
        keys = {f"publishers of {name}" for name in names}
        told = [
            int(each.value)
            for status in self._examiner.statuses.values()
            for each in status.values
            if each.key in keys
        ]
        return bool(told) and min(told) >= there

    def send(self, messages: Sequence[Message | bytes]) -> None:
        """Publish, one after the other."""
        for message in messages:
            raw = message if isinstance(message, bytes) else bags.serialize(message)
            self._publisher.publish(raw)

    def close(self) -> None:
        """Publish no more."""
        self._examiner.node.destroy_publisher(self._publisher)


class NodeUnderTest(Process):
    """The lifecycle node in a process."""

    def __init__(
        self,
        examiner: Examiner,
        folder: Path,
        values: Mapping[str, object],
        *arguments: str,
        name: str = "/sensebind",
        module: str = "sensebind_ros.node",
        **variables: str,
    ) -> None:
        self.name = name
        self._examiner = examiner
        examiner.statuses.clear()
        parameters = folder / f"{name.replace('/', '_')}.yaml"
        given = {"diagnostics_period_s": 0.1, **values}
        parameters.write_text(
            "/**:\n  ros__parameters:\n"
            + "".join(
                f"    {key}: {msgspec.json.encode(value).decode()}\n"
                for key, value in given.items()
            )
        )
        super().__init__(
            module,
            *("--ros-args", "--params-file", str(parameters), *arguments),
            log=folder / f"{name.replace('/', '_')}.log",
            **variables,
        )

    def change(self, transition: int) -> bool:
        """Ask for a transition of the lifecycle; whether it succeeded."""
        from lifecycle_msgs.msg import Transition
        from lifecycle_msgs.srv import ChangeState

        request = ChangeState.Request(transition=Transition(id=transition))
        done: bool = self._call(ChangeState, "change_state", request).success
        return done

    def request_change(self, transition: int) -> None:
        """Ask for a transition and do not wait for it."""
        from lifecycle_msgs.msg import Transition
        from lifecycle_msgs.srv import ChangeState

        request = ChangeState.Request(transition=Transition(id=transition))
        self._examiner.client(ChangeState, f"{self.name}/change_state").call_async(request)
        self._examiner.spin()

    def start(self) -> None:
        """Configure and activate."""
        assert self.change(CONFIGURE), self.errors
        assert self.change(ACTIVATE), self.errors

    @property
    def state(self) -> str:
        """Of the lifecycle."""
        from lifecycle_msgs.srv import GetState

        label: str = self._call(GetState, "get_state", GetState.Request()).current_state.label
        return label

    def set(self, **values: object) -> str:
        """Set parameters together, "__" standing for "."; why not, "" if it was done."""
        from rcl_interfaces.srv import SetParametersAtomically
        from rclpy.parameter import Parameter

        parameters = [
            Parameter(name.replace("__", "."), value=value).to_parameter_msg()
            for name, value in values.items()
        ]
        request = SetParametersAtomically.Request(parameters=parameters)
        result = self._call(SetParametersAtomically, "set_parameters_atomically", request).result
        assert result.successful == (not result.reason), result
        reason: str = result.reason
        return reason

    def status(self, of: str) -> dict[str, str]:
        """The newest diagnostic values of "stream imu", "encoder imu" or "node"."""
        status = self._examiner.statuses.get(f"{self.name[1:]}: {of}")
        if status is None:
            return {}
        values = {each.key: each.value for each in status.values}
        return {**values, "LEVEL": str(status.level[0]), "MESSAGE": status.message}

    def until_status(self, of: str, fits: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """Wait for a status that fits, and return it."""

        def hint() -> str:
            return f"{of}: {self.status(of)}\n{self.errors}"

        def told() -> bool:
            assert self.popen.poll() is None, self.errors
            status = self.status(of)
            return bool(status) and fits(status)

        self._examiner.until(told, hint)
        return self.status(of)

    def until_known(self, *streams: str) -> None:
        """Wait until the node knows a publisher of each stream, whose topics are called alike."""
        for name in streams:
            key = f"publishers of {name}"
            self.until_status(f"stream {name}", partial(_is_set, key))

    def until_received(self, stream: str, count: int) -> dict[str, str]:
        """Wait until so many messages of a stream were received."""
        return self.until_status(stream, lambda s: int(s.get("messages", 0)) >= count)

    def until_counted(self, stream: str, count: int) -> dict[str, str]:
        """Wait until so many messages of a stream were received or lost by the middleware."""

        def all_told(status: dict[str, str]) -> bool:
            told = (status.get("messages", "0"), status.get("lost by the middleware", "0"))
            return sum(map(int, told)) >= count

        return self.until_status(stream, all_told)

    def _call(self, kind: Any, service: str, request: Any) -> Any:
        return self._examiner.call(kind, f"{self.name}/{service}", request)


def _is_set(key: str, status: dict[str, str]) -> bool:
    return int(status.get(key, 0)) > 0


def publisher(folder: Path, plan: Plan, name: str = "publisher") -> Process:
    """A process that publishes a plan."""
    path = folder / f"{name}.msgpack"
    path.write_bytes(msgspec.msgpack.encode(plan))
    return Process("tests.support.ros_publisher", str(path), log=folder / f"{name}.log")


def subscriber(folder: Path, node: str, *streams: str) -> Process:
    """A process that receives the embeddings of a node's streams."""
    log = folder / "subscriber.log"
    return Process("tests.support.ros_subscriber", node, *streams, log=log)


def received(process: Process, count: int, labels: int = 0) -> list[Got]:
    """What a subscriber has got once it has so many embeddings and labels, or after a minute."""
    return msgspec.json.decode(process.ask(f"{count} {labels} {PATIENCE_S}"), type=list[Got])
