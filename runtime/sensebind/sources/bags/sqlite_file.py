# SPDX-License-Identifier: Apache-2.0
"""rosbag2 .db3 files, read row by row through the standard library's sqlite3."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING
from urllib.parse import quote

from sensebind.errors import SourceError
from sensebind.sources.bags.containers import (
    EVERYTHING,
    ColumnBuilder,
    Span,
    Stretch,
    Topic,
    merged_topics,
)
from sensebind.sources.bags.ordering import HORIZON_NS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from sensebind.sources.base import SourceReport

_TOPICS = """
    SELECT id, name, type, serialization_format, coalesce(n, 0) FROM topics
    LEFT JOIN (SELECT topic_id, count(*) AS n FROM messages GROUP BY topic_id) ON topic_id = id
    ORDER BY id
"""
_DEFINITIONS = "SELECT topic_type, encoded_message_definition, encoding FROM message_definitions"
_MESSAGES = """
    SELECT topic_id, timestamp, data FROM messages
    WHERE topic_id IN (SELECT value FROM json_each(?))
"""
_WITHIN = " AND timestamp BETWEEN ? AND ?"
_SPAN = "SELECT min(timestamp), max(timestamp) FROM messages WHERE typeof(timestamp) = 'integer'"
_BY_TIME, _BY_ROW = " ORDER BY timestamp, rowid", " ORDER BY rowid"

# What SQLite says of a damaged schema quotes it, and need not be text.
_FAULTS = (sqlite3.Error, UnicodeDecodeError)


class SqliteFile:
    """One rosbag2 SQLite storage file, opened read-only."""

    def __init__(self, path: Path, report: SourceReport) -> None:
        self.fraction = 0.0
        self._path = path
        self._report = report
        # A write-ahead log left by a crashed recorder is only read without `immutable`.
        with_log = path.with_name(path.name + "-wal").exists()
        mode = "mode=ro" if with_log else "mode=ro&immutable=1"
        uri = f"file:{quote(str(path.absolute()))}?{mode}"
        try:
            self._database = sqlite3.connect(uri, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._damaged(error) from None
        self._database.text_factory = lambda octets: octets.decode("utf-8", "replace")
        try:
            rows = [row for row in self._database.execute(_TOPICS) if _is_topic(row)]
            definitions = self._definitions()
            first_ns, last_ns = self._database.execute(_SPAN).fetchone()
            # Without an index on the time SQLite would sort all pixels; rows are nearly in order.
            indexes = self._database.execute("SELECT sql FROM sqlite_master WHERE type = 'index'")
            self._indexed = any("timestamp" in str(sql) for (sql,) in indexes)
        except _FAULTS as error:
            self.close()
            raise self._damaged(error) from None
        self.span = None if first_ns is None else Span(first_ns, last_ns + 1)
        self._names = {row[0]: row[1] for row in rows}
        self.topics = merged_topics(
            [
                Topic(name, kind, wire, count, *definitions.get(kind, (b"", "")))
                for _, name, kind, wire, count in rows
            ]
        )

    def stretches(self, topics: Collection[str], span: Span = EVERYTHING) -> Iterator[Stretch]:
        """Yield the messages of some topics, stretch by stretch in order of receipt."""
        order, behind_ns = (_BY_TIME, 0) if self._indexed else (_BY_ROW, HORIZON_NS)
        everything = span == EVERYTHING  # receive times of other types too, which are counted
        query = _MESSAGES + ("" if everything else _WITHIN) + order
        total = sum(topic.count for topic in self.topics if topic.name in topics)
        wanted = json.dumps([key for key, name in self._names.items() if name in topics])
        limits = () if everything else (span.begin_ns, span.end_ns - 1)
        builder = ColumnBuilder()
        done = 0
        try:
            for key, log_ns, data in self._database.execute(query, (wanted, *limits)):
                done += 1
                if isinstance(log_ns, int) and isinstance(data, bytes):
                    builder.add(self._names[key], log_ns, data)
                else:  # SQLite columns take values of any type
                    self._report.skip(self._names[key], "malformed message")
                if builder.is_full:
                    self.fraction = min(done / max(total, 1), 1.0)
                    yield builder.taken(behind_ns)
        except _FAULTS as error:
            raise self._damaged(error) from None
        yield builder.taken(behind_ns)

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def _definitions(self) -> dict[str, tuple[bytes, str]]:
        """Definition and its format by message type; files before version 4 have none."""
        try:
            rows = self._database.execute(_DEFINITIONS).fetchall()
        except sqlite3.OperationalError:
            return {}
        return {
            str(name): (definition.encode(), str(layout))
            for name, definition, layout in rows
            if isinstance(definition, str)
        }

    def _damaged(self, error: Exception) -> SourceError:
        name = self._path.name
        cause = "damaged text" if isinstance(error, UnicodeError) else error
        return SourceError(
            f"{self._path}: not a readable rosbag2 database ({cause}); if it was cut short, try: "
            f"sqlite3 {name} .recover | sqlite3 repaired.db3"
        )


def _is_topic(row: tuple[object, ...]) -> bool:
    """Whether a row of the topics is what it should be; SQLite columns take values of any type."""
    key, *texts, _ = row
    return isinstance(key, int) and all(isinstance(text, str) for text in texts)
