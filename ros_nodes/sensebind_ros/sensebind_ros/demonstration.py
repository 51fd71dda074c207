# SPDX-License-Identifier: Apache-2.0
"""Starting the node and the player on the sample recording, and telling what comes of it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rclpy

from sensebind.bundle import Bundle
from sensebind.demo import RECORDING_NAME, TRUTH_NAME, evaluate_truth, read_prompts, read_truth
from sensebind.errors import InputError
from sensebind.flow.signals import HEARING_S
from sensebind.grid import NS_PER_S
from sensebind.records import Record
from sensebind.storage import data_folder
from sensebind.types import Modality
from sensebind_ros.keeping import Pairs, embedding_of, scores_of
from sensebind_ros.outputs import our_messages
from sensebind_ros.program import joined, spinning
from sensebind_ros.recording import QUEUE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rclpy.node import Node

    from sensebind.demo import SegmentResult
    from sensebind_ros.program import Ending

BUNDLE = "demo"
NODE = "/sensebind"
SENSES = ("imu", "audio", "vision", "depth", "thermal")


class Listener:
    """Receives the embeddings of all streams, and the scores of one.

    Attributes:
        counts: embeddings received, by stream.
        records: of the labelled stream, in the order they came.
        labels: of the scores.
    """

    def __init__(self, node: Node, sense: str, begin_ns: int) -> None:
        """Subscribe.

        Args:
            node: subscribes.
            sense: the stream whose labels are printed.
            begin_ns: stamp from which times are told.

        Raises:
            InputError: if sensebind_msgs is not installed.
        """
        messages = our_messages()
        if messages is None:
            raise InputError("sensebind_msgs is not installed; build it with: make ros")
        self.counts: Counter[str] = Counter()
        self.records: list[Record] = []
        self.labels: tuple[str, ...] = ()
        self._sense = sense
        self._begin_ns = begin_ns
        self._shown = ""
        self._pairs = Pairs()
        for stream in SENSES:
            topic = f"{NODE}/embedding/{stream}"
            node.create_subscription(messages.Embedding, topic, self._take, QUEUE)
        topic = f"{NODE}/zero_shot/{sense}"
        node.create_subscription(messages.ZeroShot, topic, self._take_scores, QUEUE)

    def _take(self, message: Any) -> None:  # noqa: ANN401 - a generated class
        self.counts[message.stream] += 1
        if message.stream == self._sense:
            self._keep(self._pairs.take_embedding(message))

    def _take_scores(self, message: Any) -> None:  # noqa: ANN401
        self._keep(self._pairs.take_scores(message))

    def _keep(self, pair: tuple[Any, Any] | None) -> None:
        if pair is None:
            return
        embedding, scores = embedding_of(pair[0]), scores_of(pair[1])
        self.labels = tuple(pair[1].labels)
        self.records.append(Record(embedding, pair[1].label, scores))
        if pair[1].label != self._shown:
            self._shown = pair[1].label
            at_s = (embedding.grid_ns - self._begin_ns) / NS_PER_S
            _say(f"{at_s:7.1f} s  {embedding.stream}: {self._shown} ({scores.max():.2f})")


def show(sense: str, rate: str, ending: Ending) -> int:
    """Play the sample and print its labels; the exit code, see `program`.

    Args:
        sense: whose labels are printed.
        rate: how many times faster than it was recorded.
        ending: tells when to stop.
    """
    sample = data_folder() / "sample"
    truth = read_truth(sample / TRUTH_NAME)
    modality = Modality(sense)
    begin_ns = min(segment.start_ns for segment in truth.segments)
    with ending.interrupts(), Bundle.load(BUNDLE) as bundle:
        prompts = read_prompts(bundle)[modality]
    _say(f"{truth.nature_of(modality)} recording; labels as {NODE}/zero_shot/{sense} tells them:")
    with tempfile.TemporaryDirectory(prefix="sensebind-ros-") as folder:
        path = Path(folder) / "prompts.json"
        path.write_text(json.dumps(prompts), encoding="utf-8")
        words = [f"bag:={sample / RECORDING_NAME}", f"rate:={rate}", f"prompts:={path}"]
        with _listening(sense, begin_ns) as listener:
            status = _played([*words, "log_level:=warn"], ending)
    if ending.asked:
        return 0
    if status == 0:
        _tell(evaluate_truth(listener.records, truth.segments, modality, listener.labels), begin_ns)
        counts = ", ".join(f"{listener.counts[each]} {each}" for each in SENSES)
        _say(f"embeddings received: {counts}")
    return int(status != 0 or not listener.records)


def _played(words: list[str], ending: Ending) -> int:
    """Start the node and the player, and wait until the recording has been played."""
    command = [sys.executable, "-m", "sensebind_bringup.supervisor", "replay", *words]
    told = False
    # A session of its own: Ctrl-C reaches it once, from us.
    with subprocess.Popen(command, start_new_session=True) as child:  # noqa: S603 - our own module
        while True:
            with suppress(subprocess.TimeoutExpired):
                return child.wait(HEARING_S)
            if ending.asked and not told:
                child.terminate()
                told = True


@contextmanager
def _listening(sense: str, begin_ns: int) -> Iterator[Listener]:
    """Listen in a thread while the block runs."""
    with ExitStack() as stack:
        stack.enter_context(joined(["demo"]))
        node = rclpy.create_node("sensebind_demo")
        stack.callback(node.destroy_node)
        listener = Listener(node, sense, begin_ns)
        stack.enter_context(spinning(node))
        yield listener


def _tell(results: list[SegmentResult], begin_ns: int) -> None:
    """The stretches of the recording whose truth is known, and what they were labelled."""
    _say("\n   begin      end  truth     label of the stretch (mean score, windows)")
    for result in results:
        segment = result.segment
        begin_s, end_s = ((t - begin_ns) / NS_PER_S for t in (segment.start_ns, segment.end_ns))
        label = result.label or "no window fits"
        mark = "" if result.right else "  <- wrong"
        _say(
            f"{begin_s:6.1f} s {end_s:6.1f} s  {segment.label:<9} {label} ({result.score:.2f}, "
            f"{result.windows}){mark}"
        )
    _say(f"right: {sum(result.right for result in results)} of {len(results)}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
