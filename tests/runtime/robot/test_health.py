# SPDX-License-Identifier: Apache-2.0
"""Health in a file and at an address."""

from __future__ import annotations

import json
import socket
import threading
from http.client import HTTPConnection
from struct import pack
from typing import TYPE_CHECKING

import msgspec
import pytest

from sensebind.errors import InputError
from sensebind.robot.config import HealthConfig
from sensebind.robot.health import Health, HealthEndpoint, HealthFile, health_reports
from tests.support.running import PATIENCE_S

if TYPE_CHECKING:
    from pathlib import Path

WELL = Health(
    status="running", stamp_ns=1, pid=1, version="1", uptime_s=2.0, config="robot.toml",
    config_error=None, bundle="demo", backend="onnxruntime", plans={}, streams={}, queues={},
    written={}, incidents=[], resident_bytes=0,
)  # fmt: skip


def ask(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content


def test_the_address_answers_with_the_state() -> None:
    states = [WELL, msgspec.structs.replace(WELL, status="stuck")]
    with HealthEndpoint(0, lambda: states.pop(0)) as endpoint:
        code, content = ask(endpoint.port, "/health")
        assert (code, json.loads(content)["status"]) == (200, "running")
        code, content = ask(endpoint.port, "/health?pretty")
        assert (code, json.loads(content)["status"]) == (503, "stuck")


@pytest.mark.parametrize("fails", [False, True])
def test_of_a_client_that_is_gone_nothing_is_told(
    capsys: pytest.CaptureFixture[str], *, fails: bool
) -> None:
    asked, gone = threading.Event(), threading.Event()

    def health() -> Health:
        asked.set()
        assert gone.wait(PATIENCE_S)
        if fails:
            raise RuntimeError("a bug")
        return WELL

    before = set(threading.enumerate())
    with HealthEndpoint(0, health) as endpoint:
        client = socket.create_connection(("127.0.0.1", endpoint.port))
        client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert asked.wait(PATIENCE_S)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))
        client.close()  # at once
        answering = set(threading.enumerate()) - before
        gone.set()
    for thread in answering:
        thread.join(PATIENCE_S)
    told = capsys.readouterr().err
    assert ("a bug" in told) == ("Traceback" in told) == fails


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "/", "404 Not Found: there is GET /health only\n"),
        ("GET", "/<b>", "404 Not Found: there is GET /health only\n"),
        ("POST", "/health", "501 Unsupported method ('POST'): there is GET /health only\n"),
    ],
)
def test_whoever_asks_for_something_else_is_told_what_there_is(
    method: str, path: str, told: str
) -> None:
    with HealthEndpoint(0, lambda: WELL) as endpoint:
        assert ask(endpoint.port, path, method) == (int(told[:3]), told.encode())


def test_a_port_that_is_taken_is_told() -> None:
    with (
        HealthEndpoint(0, lambda: WELL) as endpoint,
        pytest.raises(InputError, match=rf"health\.port is {endpoint.port}, which cannot be liste"),
    ):
        HealthEndpoint(endpoint.port, lambda: WELL)


def test_the_file_holds_the_state_and_the_last_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "health.json"
    states = [WELL]
    with HealthFile(path, 3600, lambda: states[0]):
        assert json.loads(path.read_text())["status"] == "running"
        states[0] = msgspec.structs.replace(WELL, status="stopping")
    assert json.loads(path.read_text())["status"] == "stopping"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_costs_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with HealthFile(tmp_path / "nowhere" / "health.json", 3600, lambda: WELL):
        pass
    assert sum("cannot be written" in r.getMessage() for r in caplog.records) == 1


def test_nothing_is_told_unless_asked_for() -> None:
    assert health_reports(HealthConfig(), lambda: WELL) == []
