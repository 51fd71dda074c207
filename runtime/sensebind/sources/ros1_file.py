# SPDX-License-Identifier: Apache-2.0
"""ROS 1 .bag files, indexed and decompressed by rosbags, decoded by our own views."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from sensebind.errors import SourceError
from sensebind.sources.containers import RawMessage, Topic, merged_topics

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from sensebind.sources.base import SourceReport

# rosbags checks some of a file by assertions and lets the decompressors' errors through
_FAULTS = (OSError, ValueError, KeyError, EOFError, RuntimeError, AssertionError, struct.error)


class Ros1File:
    """A ROS 1 bag of version 2.0, chunks uncompressed, bz2 or lz4."""

    def __init__(self, path: Path, report: SourceReport) -> None:
        from rosbags.rosbag1 import Reader, ReaderError

        self.fraction = 0.0
        self._path = path
        self._report = report
        self._faults = (ReaderError, *_FAULTS)
        self._reader = Reader(path)
        try:
            self._reader.open()
        except self._faults as error:
            raise SourceError(
                f"{path}: the bag is damaged or cut short ({error}); repair it with: "
                f"rosbag reindex {path.name}"
            ) from None
        self.topics = merged_topics(
            [
                Topic(
                    connection.topic,
                    connection.msgtype,
                    "ros1",
                    connection.msgcount,
                    connection.msgdef.data.encode(),
                    "ros1msg",
                )
                for connection in self._reader.connections
            ]
        )

    def messages(self, topics: Collection[str]) -> Iterator[RawMessage]:
        """Yield the messages of some topics in receive-time order, streaming."""
        wanted = [c for c in self._reader.connections if c.topic in topics]
        total = sum(connection.msgcount for connection in wanted)
        done = 0
        try:
            for connection, log_ns, data in self._reader.messages(wanted) if wanted else ():
                yield RawMessage(connection.topic, log_ns, data)
                done += 1
                self.fraction = done / total
        except self._faults as error:
            raise SourceError(
                f"{self._path}: damaged after {done} of {total} messages ({error}); repair it "
                f"with: rosbag reindex {self._path.name}"
            ) from None

    def close(self) -> None:
        """Release the file."""
        self._reader.close()
