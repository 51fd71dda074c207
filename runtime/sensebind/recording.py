# SPDX-License-Identifier: Apache-2.0
"""What a recording of ours says of itself: the names and metadata that writer and reader share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sensebind.config import StreamConfig, options_of
from sensebind.errors import InputError
from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Mapping

METADATA_NAME = "sensebind.recording"
"""Name of the MCAP metadata record by which a recording of ours is known."""

LOSSES_NAME = "sensebind.recording.losses"
"""Name of the metadata record, written at the end, that counts what could not be kept."""

BREAK_TOPIC = "/sensebind/break"
"""Topic of the breaks: std_msgs/String messages that hold the stream's name."""

STREAM_KEY = "sensebind.stream"
"""Key of a channel's metadata that holds the stream's name; a topic's name may differ from it."""

PICTURE_KEY = "sensebind.picture"
"""Key of a channel's metadata that holds what all its frames have in common; see PictureFacts."""

UNFINISHED_SUFFIX = ".part"
"""Added to the name of a recording for as long as it is not complete."""

_READING_OPTIONS: dict[Modality, dict[str, Any]] = {
    Modality.IMU: {"unit": None},
    Modality.AUDIO: {"rate_hz": None, "format": None, "channels": None},
}
"""Options that were applied before the samples were recorded, by sense."""


class RecordedStream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of a recording.

    Attributes:
        config: how it was windowed; replay uses it again. Options that tell how its samples are to
            be read and that were applied before they were recorded are left out.
        applied: the options that were set, as text, those that are left out above among them.
        kind: how it is stamped, the name of a StreamKind; "" if unknown.
        clock: name of the clock that stamped it; "" if unknown.
        rate_hz: nominal rate; 0 if unknown.
        serial: number of the device; "" if unknown.
        about: what the device is, for people.
    """

    config: StreamConfig
    applied: dict[str, str] = {}
    kind: str = ""
    clock: str = ""
    rate_hz: float = 0.0
    serial: str = ""
    about: str = ""


class RecordingMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """Metadata of a recording, each value JSON.

    Attributes:
        version: SenseBind version.
        streams: by name, in the order they were configured.
        facts: anything else worth knowing (device, calibration, host), by name.
    """

    version: str
    streams: dict[str, RecordedStream]
    facts: dict[str, str] = {}

    def encode(self) -> dict[str, str]:
        """Key-value form for an MCAP metadata record."""
        return {
            name: msgspec.json.encode(getattr(self, name)).decode()
            for name in self.__struct_fields__
        }

    @classmethod
    def decode(cls, keys: Mapping[str, str], where: str) -> RecordingMetadata:
        """The inverse of `encode`.

        Raises:
            InputError: naming `where`, what is wrong and which version wrote it.
        """
        known = {
            name: msgspec.Raw(keys[name].encode()) for name in cls.__struct_fields__ if name in keys
        }
        try:
            return msgspec.json.decode(msgspec.json.encode(known), type=cls)
        except (msgspec.MsgspecError, InputError) as error:
            raise InputError(
                f"{where}: its settings cannot be read ({error}); it was recorded by SenseBind "
                f"{keys.get('version', 'of unknown version')}, read it with that version or newer"
            ) from None


class PictureFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What ROS messages do not tell of a frame; each field is that of `types.Frame`.

    Sizes and byte order are those of compressed pictures: raw ones tell them themselves.
    """

    scale: float | None = None
    focal_px: float | None = None
    width: int = 0
    height: int = 0
    step: int = 0
    big_endian: bool = False

    def encode(self) -> str:
        """The facts as JSON; numbers read back as the same bits."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, text: str) -> PictureFacts:
        """The inverse of `encode`.

        Raises:
            msgspec.MsgspecError: if it is none.
        """
        return msgspec.json.decode(text, type=cls)


def recorded_stream(config: StreamConfig, **known: Any) -> RecordedStream:  # noqa: ANN401
    """What is kept of a stream, given its configuration and the other fields of RecordedStream."""
    for_replay = msgspec.structs.replace(config, **_READING_OPTIONS.get(config.modality, {}))
    return RecordedStream(config=for_replay, applied=options_of(config), **known)
