# SPDX-License-Identifier: Apache-2.0
"""What a run saw and said, over time, for Rerun's viewer (extra `viz`).

Everything is shown at its stamps: the samples of the encoded windows, the log-mel features and
pictures as their encoders got them, and the scores of the prompts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.closing import Closing
from sensebind.errors import InputError, MissingExtraError, SinkError
from sensebind.grid import NS_PER_S
from sensebind.preprocess.grey_frames import grey_pixels
from sensebind.preprocess.pictures import decode_frame
from sensebind.types import Modality

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.preprocess.base import Prepared
    from sensebind.records import Record
    from sensebind.types import Frame, Window

_TIMELINE = "stamp"
_WAVEFORM_HZ = 1_000
"""Points per second a waveform is drawn with; each is the largest of its samples."""
_AXES = ("x", "y", "z")


class RerunView(Closing):
    """Writes an .rrd file for Rerun's viewer; a context manager.

    Each method may be called from a thread of its own.
    """

    def __init__(self, path: Path, labels: tuple[str, ...] = ()) -> None:
        """Begin the file.

        Args:
            path: the file, written anew.
            labels: names of a record's scores.

        Raises:
            MissingExtraError: if Rerun's SDK is not installed.
            SinkError: if the file cannot be written.
        """
        try:
            import rerun
        except ImportError:
            raise MissingExtraError("writing a recording for Rerun", "viz") from None
        self._rerun: Any = rerun
        self._labels = labels
        self._recording = rerun.RecordingStream("sensebind")
        self._recording.set_log_time_enabled(False)  # stamps alone tell when something was
        self._recording.set_log_tick_enabled(False)
        self._views: dict[str, Any] = {}
        self._shown_ns: dict[str, int] = {}
        try:
            with path.open("wb"):  # Rerun's own error does not tell the reason
                self._recording.save(path)
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SinkError(
                f"cannot write {str(path)!r}: {reason}; choose another file or free some space"
            ) from None

    def show_window(self, modality: Modality, window: Window, prepared: Prepared) -> None:
        """Show what a window holds that no earlier window of its stream held."""
        since_ns = self._shown_ns.get(window.stream, window.start_ns)
        self._shown_ns[window.stream] = max(since_ns, window.end_ns)
        if modality is Modality.IMU:
            self._show_motion(window, since_ns)
        elif modality is Modality.AUDIO:
            self._show_waveform(window, since_ns)
            self._show_log_mel(window, prepared)
        elif window.frames:
            self._show_frame(modality, window, window.frames[-1])

    def show_record(self, record: Record) -> None:
        """Show the scores of the prompts, or without prompts the coverage."""
        embedding = record.embedding
        stamps_ns = np.array([embedding.grid_ns])
        if record.scores is None:
            coverage = np.array([[embedding.coverage]])
            self._curves(embedding.stream, "coverage", ("coverage",), stamps_ns, coverage)
        else:
            scores = record.scores[np.newaxis].astype(np.float64)
            self._curves(embedding.stream, "scores", self._labels, stamps_ns, scores)

    def close(self) -> None:
        """Lay out the views and finish the file."""
        from rerun import blueprint

        if self._views:
            layout = blueprint.Blueprint(blueprint.Grid(*self._views.values()))
            self._recording.send_blueprint(layout)
        self._recording.flush()
        self._recording.disconnect()

    def _show_motion(self, window: Window, since_ns: int) -> None:
        new = (window.stamps_ns >= since_ns) & (window.stamps_ns < window.end_ns)
        stamps_ns, values = window.stamps_ns[new], window.values[new].astype(np.float64)
        self._curves(window.stream, "acceleration", _AXES, stamps_ns, values[:, :3])
        self._curves(window.stream, "angular_velocity", _AXES, stamps_ns, values[:, 3:])

    def _show_waveform(self, window: Window, since_ns: int) -> None:
        count = len(window.values)
        rate_hz = count * NS_PER_S / (window.end_ns - window.start_ns)
        first = max(0, round((since_ns - window.start_ns) * rate_hz / NS_PER_S))
        step = max(1, round(rate_hz / _WAVEFORM_HZ))
        samples = window.values[first:, 0]
        samples = samples[: len(samples) // step * step].reshape(-1, step)
        peaks = np.take_along_axis(samples, np.abs(samples).argmax(axis=1)[:, np.newaxis], axis=1)
        offsets = (first + step * np.arange(len(peaks))) * (NS_PER_S / rate_hz)
        stamps_ns = window.start_ns + offsets.astype(np.int64)
        self._curves(window.stream, "waveform", ("peak",), stamps_ns, peaks.astype(np.float64))

    def _show_log_mel(self, window: Window, prepared: Prepared) -> None:
        for features in prepared.features.values():
            picture = self._rerun.DepthImage(
                np.ascontiguousarray(features[0, ::-1], dtype=np.float32),
                colormap=self._rerun.components.Colormap.Viridis,
            )
            self._picture(window, "log_mel", picture)

    def _show_frame(self, modality: Modality, window: Window, frame: Frame) -> None:
        try:
            if modality is Modality.VISION:
                self._picture(window, "picture", self._rerun.Image(np.asarray(decode_frame(frame))))
                return
            pixels = np.ascontiguousarray(grey_pixels(frame))
        except InputError:  # its window fails and is counted; there is nothing to show
            return
        native = pixels.astype(pixels.dtype.newbyteorder("="))
        self._picture(window, modality.value, self._rerun.DepthImage(native))

    def _picture(self, window: Window, what: str, picture: object) -> None:
        path = self._path(window.stream, what)
        self._view(path, self._rerun.blueprint.Spatial2DView)
        self._recording.set_time(_TIMELINE, timestamp=np.datetime64(window.end_ns, "ns"))
        self._recording.log(path, picture)

    def _curves(
        self,
        stream: str,
        what: str,
        names: tuple[str, ...],
        stamps_ns: NDArray[np.int64],
        values: NDArray[np.float64],
    ) -> None:
        """Draw `values` (n, len(names)) at `stamps_ns` (n,)."""
        if len(stamps_ns) == 0:
            return
        path = self._path(stream, what)
        if self._view(path, self._rerun.blueprint.TimeSeriesView):
            self._recording.log(path, self._rerun.SeriesLines(names=list(names)), static=True)
        times = stamps_ns.astype("datetime64[ns]")
        self._recording.send_columns(
            path,
            indexes=[self._rerun.TimeColumn(_TIMELINE, timestamp=times)],
            columns=self._rerun.Scalars.columns(scalars=values),
        )

    def _path(self, stream: str, what: str) -> str:
        parts = [*(part for part in stream.split("/") if part), what]
        return str(self._rerun.new_entity_path(parts))

    def _view(self, path: str, kind: type) -> bool:
        """Give a path a view of its own; whether it had none."""
        if path in self._views:
            return False
        self._views[path] = kind(origin=path, name=path)
        return True
