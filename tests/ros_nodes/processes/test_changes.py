# SPDX-License-Identifier: Apache-2.0
"""Parameters and prompts that change while the node runs, and its services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind import Bundle, ZeroShot
from tests.support import bags
from tests.support.ros import ACTIVATE, CONFIGURE, DEACTIVATE, Examiner, NodeUnderTest, Sender

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bags import Message

pytestmark = pytest.mark.ros

IMU = "sensor_msgs/msg/Imu"
S = 1_000_000_000


def values(bundle: Path, **more: object) -> dict[str, object]:
    found: dict[str, object] = {"bundle": str(bundle), "streams": ["imu"], "imu.type": IMU}
    found["imu.policy"] = "block"
    # Best effort may lose the end of a burst on a busy machine, and nobody can tell.
    found["imu.reliability"] = "reliable"
    return {**found, **more}


def seconds_of_imu(begin_s: int, seconds: int) -> list[Message]:
    noise = np.random.default_rng(begin_s)
    return [
        bags.imu("/imu", begin_s * S + k * 5_000_000, list(noise.standard_normal(6)))
        for k in range(200 * seconds)
    ]


def service(examiner: Examiner, node: NodeUnderTest, name: str, **fields: Any) -> Any:
    from sensebind_msgs import srv

    kind = {"embed_text": srv.EmbedText, "set_prompts": srv.SetPrompts}[name]
    return examiner.call(kind, f"{node.name}/{name}", kind.Request(**fields))


def classes(*labels: str) -> list[Any]:
    from sensebind_msgs.msg import PromptClass

    return [PromptClass(label=label, prompts=[f"the {label}"]) for label in labels]


def test_texts_are_embedded_as_the_bundle_does(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    texts = ["a dog", "the rain"]
    with Bundle.load(bundle_folder) as bundle:
        expected, space_id = bundle.encode_text(texts), bundle.space_id
    with NodeUnderTest(examiner, tmp_path, values(bundle_folder)) as node:
        answer = service(examiner, node, "embed_text", texts=texts)
        assert not answer.success
        assert answer.message.startswith("the node has no bundle yet; configure it first")
        assert not service(examiner, node, "set_prompts", classes=classes("a", "b")).success
        assert node.change(CONFIGURE), node.errors  # inactive is enough
        answer = service(examiner, node, "embed_text", texts=texts)
        assert (answer.success, answer.message, answer.space_id) == (True, "", space_id)
        assert np.array(answer.vectors, np.float32).tobytes() == expected.tobytes()
        assert answer.dim == expected.shape[1]
        answer = service(examiner, node, "embed_text", texts=[""])
        assert not answer.success
        assert answer.message == "a text is '', expected at least one word"
        assert node.interrupt() == 0, node.errors


def test_prompts_by_parameter_and_by_service(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from sensebind_msgs.msg import BundleInfo, Embedding
    from sensebind_msgs.msg import ZeroShot as ZeroShotMessage

    with NodeUnderTest(examiner, tmp_path, values(bundle_folder, prompts="still, moving")) as node:
        labelled = examiner.subscribe(ZeroShotMessage, "/sensebind/zero_shot/imu")
        vectors = examiner.subscribe(Embedding, "/sensebind/embedding/imu")
        node.start()
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        told = examiner.subscribe(BundleInfo, "/sensebind/bundle", latched)
        examiner.until(lambda: bool(told))
        assert (told[-1].labels, told[-1].kind) == (["still", "moving"], "test")
        sender = Sender(examiner, "/imu", IMU).matched()
        sender.send(seconds_of_imu(1, 2))
        examiner.until(lambda: len(labelled) >= 2 and len(vectors) >= 2)
        assert labelled[-1].labels == ["still", "moving"]
        with Bundle.load(bundle_folder) as bundle:
            classifier = ZeroShot(bundle, {"still": ["still"], "moving": ["moving"]})
        by_grid = {each.grid_ns: np.array(each.vector, np.float32) for each in vectors}
        for message in labelled[:2]:
            scores = classifier.scores(by_grid[message.grid_ns])
            np.testing.assert_array_equal(np.array(message.scores, np.float32), scores)
            assert message.label == classifier.labels[int(scores.argmax())]

        answer = service(
            examiner, node, "set_prompts", classes=classes("a", "b", "c"), prompt_set="x"
        )
        assert answer.success, answer.message
        assert (answer.prompt_set, list(answer.labels)) == ("x", ["a", "b", "c"])
        assert set(answer.prompt_sets) == {"", "x"}
        examiner.until(lambda: told[-1].labels == ["a", "b", "c"])
        labelled.clear()
        sender.send(seconds_of_imu(3, 1))
        examiner.until(lambda: bool(labelled))
        assert (labelled[-1].labels, labelled[-1].prompt_set) == (["a", "b", "c"], "x")
        answer = service(examiner, node, "set_prompts", prompt_set="y")
        assert not answer.success
        assert "no prompt set 'y'; there are: '', 'x'" in answer.message
        answer = service(examiner, node, "set_prompts", classes=classes("a", "a"))
        assert "class 'a' is given twice" in answer.message

        assert node.set(prompts="hot, cold", labels__min_score=0.99) == ""
        labelled.clear()
        sender.send(seconds_of_imu(4, 1))
        examiner.until(lambda: bool(labelled))
        assert (labelled[-1].labels, labelled[-1].label) == (["hot", "cold"], "unknown")
        assert "1 were given (only)" in node.set(prompts="only")
        assert node.interrupt() == 0, node.errors


def test_other_windows_while_it_runs(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    from sensebind_msgs.msg import Embedding

    given = values(bundle_folder, **{"imu.hop_s": 0.5})
    with NodeUnderTest(examiner, tmp_path, given) as node:
        vectors = examiner.subscribe(Embedding, "/sensebind/embedding/imu")
        node.start()
        sender = Sender(examiner, "/imu", IMU).matched()
        sender.send(seconds_of_imu(1, 2))
        examiner.until(lambda: len(vectors) >= 2)
        assert {each.grid_ns % (S // 2) for each in vectors} == {0}
        assert node.set(imu__hop_s=0.1, imu__priority=3) == ""
        node.until_status(
            "node", lambda s: (s.get("runs"), s.get("takes messages")) == ("2", "yes")
        )
        vectors.clear()
        sender.send(seconds_of_imu(10, 2))
        examiner.until(lambda: len(vectors) >= 10)
        assert any(each.grid_ns % (S // 2) for each in vectors)
        node.until_status(
            "stream imu",
            lambda s: int(s.get("pushed", 0)) + int(s.get("not running", 0)) == 800,
        )
        for name, value, told in (
            ("imu__hop_s", -1.0, "out of range"),
            ("imu__policy", "perhaps", "imu.policy is 'perhaps', expected one of"),
            ("imu__frame", "sideways", "frame=sideways: expected one of body"),
            ("bundle", "other", "bundle can be changed before it is configured only; deactivate"),
            ("streams", ["imu", "b"], "streams can be changed before it is configured only"),
            ("imu__topic", "/other", "imu.topic can be changed while not active only"),
            ("imu__queue", "many", "imu.queue is 'many', expected a whole number, at least 1"),
            ("imu__queue", 0, "out of range"),
        ):
            assert told in node.set(**{name: value})
        assert node.change(DEACTIVATE)
        assert node.set(imu__topic="/other") == ""
        assert node.change(ACTIVATE), node.errors
        Sender(examiner, "/other", IMU).matched()
        assert node.interrupt() == 0, node.errors


def test_a_change_that_is_refused_changes_nothing(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    given = values(bundle_folder, **{"streams": ["imu", "mic"], "mic.modality": "audio"})
    with NodeUnderTest(examiner, tmp_path, given) as node:
        assert "streams is [1], expected a list of texts" in node.set(streams=[1])
        node.start()
        before = node.until_status("node", lambda s: s.get("takes messages") == "yes")
        assert "1 were given (only)" in node.set(imu__hop_s=0.1, prompts="only")
        assert "hop" in node.set(mic__hop_s=0.123, prompts="hot, cold")
        told = node.set(imu__hop_s=0.1, mic__format="mp3")
        assert told.startswith("mic.format=mp3: expected one of")
        assert node.set(imu__hop_s=None).startswith("imu.hop_s cannot be deleted; set it to ''")
        examiner.statuses.clear()
        after = node.until_status("node", lambda s: s.get("takes messages") == "yes")
        assert (before["runs"], after["runs"]) == ("1", "1")
        answer = service(examiner, node, "set_prompts", prompt_set="")
        assert answer.message == "no prompt set ''; there are: none"
        assert node.interrupt() == 0, node.errors


def test_names_namespaces_and_neighbours(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    """Two nodes at once, in namespaces, with a topic remapped and one relative."""
    from sensebind_msgs.msg import Embedding

    left = ("-r", "__ns:=/left", "-r", "__node:=eyes", "-r", "imu:=sensor/imu")
    right = (
        "-r",
        "__ns:=/right",
    )
    with (
        NodeUnderTest(examiner, tmp_path, values(bundle_folder), *left, name="/left/eyes") as one,
        NodeUnderTest(
            examiner, tmp_path, values(bundle_folder), *right, name="/right/sensebind"
        ) as two,
    ):
        vectors = [
            examiner.subscribe(Embedding, f"{node.name}/embedding/imu") for node in (one, two)
        ]
        for node, topic in ((one, "/left/sensor/imu"), (two, "/right/imu")):
            node.start()
            Sender(examiner, topic, IMU).matched("imu").send(seconds_of_imu(1, 2))
        examiner.until(lambda: all(len(each) >= 2 for each in vectors))
        first, second = vectors
        assert bytes(memoryview(first[0].vector)) == bytes(memoryview(second[0].vector))
        for node in (one, two):
            assert node.interrupt() == 0, node.errors
