# SPDX-License-Identifier: Apache-2.0
"""Audio files as uniform streams, decoded block by block by libsndfile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.errors import ConfigError, SourceError
from sensebind.grid import NS_PER_S
from sensebind.sources.base import StreamInfo, StreamKind
from sensebind.sources.files.image_files import time_in_name
from sensebind.types import UniformBlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind.config import StreamConfig

_BLOCK_SAMPLES = 4096


class AudioFile:
    """One WAV, FLAC or OGG file; its first sample is at the time in its name, else at 0."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.fraction = 0.0
        self._path = path
        self._start_ns = time_in_name(path.stem) or 0

    def info(self) -> StreamInfo:
        """Describe the stream; a file libsndfile cannot open is of kind OTHER."""
        import soundfile

        try:
            format_name = soundfile.info(str(self._path)).subtype_info
        except soundfile.LibsndfileError as error:
            note = f"not a readable audio file ({error.error_string})"
            return StreamInfo(self.name, StreamKind.OTHER, "audio file", note=note)
        return StreamInfo(self.name, StreamKind.UNIFORM, "audio file", format_name)

    def blocks(self, config: StreamConfig) -> Iterator[UniformBlock]:
        """Yield blocks of up to 4096 samples.

        Raises:
            ConfigError: if the options tell another format than the file.
            SourceError: if the file is damaged on the way.
        """
        import soundfile

        if config.format is not None or config.channels is not None:
            raise ConfigError(
                f"stream {self.name!r} is an audio file, which tells format and channels itself; "
                "leave these options out"
            )
        done = 0
        try:
            with soundfile.SoundFile(str(self._path)) as sound:
                rate_hz = config.rate_hz or float(sound.samplerate)
                while len(values := sound.read(_BLOCK_SAMPLES, "float32", always_2d=True)):
                    stamp_ns = self._start_ns + round(done * NS_PER_S / rate_hz)
                    done += len(values)
                    self.fraction = done / max(sound.frames, 1)
                    yield UniformBlock(self.name, stamp_ns, rate_hz, values)
        except soundfile.LibsndfileError as error:
            raise SourceError(
                f"{self._path}: damaged after {done} samples ({error.error_string}); "
                "convert or copy the file again"
            ) from None
