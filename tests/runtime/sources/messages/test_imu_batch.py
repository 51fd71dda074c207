# SPDX-License-Identifier: Apache-2.0
"""Many Imu messages at once are what each of them is alone."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sensebind.sources.messages import imu_batch
from sensebind.sources.messages.cdr import read_imu
from sensebind.sources.messages.imu_batch import ImuBatch, read_imu_batch
from sensebind.sources.messages.wire import DecodeError, unpacked_message
from tests.support import bags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensebind.sources.messages.wire import Wire

START_NS = 1_700_000_000_000_000_000
WIRES: tuple[Wire, ...] = ("cdr", "ros1")


def messages(
    wire: Wire, count: int = 5, frame_id: str = "imu_link", **covariances: Any
) -> list[bytes]:
    rng = np.random.default_rng(0)
    built = (
        bags.imu(
            "/imu", START_NS + k, rng.normal(size=6).tolist(), frame_id=frame_id, **covariances
        )
        for k in range(count)
    )
    return [bags.serialize(message, ros1=wire == "ros1") for message in built]


def expect(batch: ImuBatch, given: Sequence[bytes | memoryview], wire: Wire) -> None:
    """Compare with reading one message after another."""
    kept, stamps_ns, rows, faults = [], [], [], []
    for number, message in enumerate(given):
        try:
            stamp_ns, row = read_imu(unpacked_message(message), wire)
        except DecodeError as error:
            faults.append(str(error))
            continue
        kept.append(number)
        stamps_ns.append(stamp_ns)
        rows.append(row)
    assert batch.kept.tolist() == kept
    assert batch.stamps_ns.tolist() == stamps_ns
    assert batch.stamps_ns.dtype == np.int64
    assert batch.rows.shape == (len(rows), 6)
    assert batch.rows.tobytes() == np.array(rows, np.float64).tobytes()
    assert batch.faults == faults


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("frame_id", ["", "a", "abc", "imu_link", "a_longer_frame_id"])
def test_messages_of_one_form_are_read_together(
    monkeypatch: pytest.MonkeyPatch, wire: Wire, frame_id: str
) -> None:
    given = messages(wire, frame_id=frame_id)
    monkeypatch.setattr(imu_batch, "_one_by_one", None)
    expect(read_imu_batch(given, wire), given, wire)
    views = [memoryview(b"x" + message)[1:] for message in given]
    expect(read_imu_batch(views, wire), views, wire)


@pytest.mark.parametrize("wire", WIRES)
def test_other_forms_are_read_one_by_one(wire: Wire) -> None:
    whole = messages(wire)
    mixed = [whole[0], messages(wire, 1, "other")[0], b"", whole[1][:100], whole[2] + bytes(4)]
    expect(read_imu_batch(mixed, wire), mixed, wire)
    expect(read_imu_batch([], wire), [], wire)
    halves = [whole[0], messages(wire, 1, gyro_covariance=-1.0)[0], whole[3]]
    expect(read_imu_batch(halves, wire), halves, wire)
    absent = messages(wire, 2, acceleration_covariance=-1.0)
    expect(read_imu_batch(absent, wire), absent, wire)


def test_big_endian_and_compressed_messages_are_read() -> None:
    message = bags.imu("/imu", START_NS, [1, 2, 3, 4, 5, 6])
    big = [bags.serialize(message, little_endian=False)] * 3
    expect(read_imu_batch(big, "cdr"), big, "cdr")
    assert read_imu_batch(big, "cdr").rows.tolist() == [[1, 2, 3, 4, 5, 6]] * 3
    packed = [zstandard.compress(each) for each in messages("cdr")]
    expect(read_imu_batch(packed, "cdr"), packed, "cdr")


def test_stamps_before_1970_and_after_2038() -> None:
    for seconds, wire in ((-5, "cdr"), (2**32 - 1, "ros1")):
        given = [bytearray(message) for message in messages(wire, 2)]  # type: ignore[arg-type]
        for message in given:
            message[4:8] = struct.pack("<q", seconds)[:4]
        batch = read_imu_batch([bytes(message) for message in given], wire)  # type: ignore[arg-type]
        assert batch.stamps_ns.tolist() == [seconds * 10**9, seconds * 10**9 + 1]


@given(data=st.data(), wire=st.sampled_from(WIRES))
def test_mutated_messages_are_what_each_is_alone(data: st.DataObject, wire: Wire) -> None:
    given = [bytearray(message) for message in messages(wire, 4)]
    for message in given:
        for _ in range(data.draw(st.integers(0, 2))):
            place = data.draw(st.integers(0, min(60, len(message) - 1)))
            message[place] = data.draw(st.integers(0, 255))
        if data.draw(st.booleans()):
            del message[data.draw(st.integers(0, len(message))) :]
    mutated = [bytes(message) for message in given]
    expect(read_imu_batch(mutated, wire), mutated, wire)
