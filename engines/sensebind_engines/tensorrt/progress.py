# SPDX-License-Identifier: Apache-2.0
"""How far a build is.

TensorRT tells phases within phases, each with a number of steps that is known when it begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def progress_monitor(trt: Any, advance: Callable[[float], None]) -> Any:  # noqa: ANN401
    """A monitor that tells the share done, 0 to 1, and ends the build on Ctrl-C."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc, name-defined, unused-ignore]
        """Called by TensorRT, in its own threads."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.interrupted = False
            self._share = Share()

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            """A phase begins inside another, or by itself."""
            self._share.begin(name, parent or "", steps)

        def step_complete(self, name: str, step: int) -> bool:
            """A step of it is done; False ends the build."""
            try:
                advance(self._share.step(name, step))
            except KeyboardInterrupt:
                self.interrupted = True
            return not self.interrupted

        def phase_finish(self, name: str) -> None:
            """A phase is over."""
            self._share.end(name)

    return Monitor()


class Share:
    """The share done of phases within phases; never falls."""

    def __init__(self) -> None:
        self._phases: dict[str, tuple[str, int, int]] = {}  # parent, steps, steps done
        self._shown = 0.0

    def begin(self, name: str, parent: str, steps: int) -> None:
        """Note a phase of so many steps."""
        self._phases[name] = (parent, max(steps, 1), 0)

    def step(self, name: str, done: int) -> float:
        """Note that step number `done`, from 0, is over; the share of all."""
        if name in self._phases:
            parent, steps, _ = self._phases[name]
            self._phases[name] = (parent, steps, min(done + 1, steps))
        outer = next((n for n, (parent, _, _) in self._phases.items() if not parent), None)
        if outer is not None:
            self._shown = max(self._shown, self._of(outer))
        return self._shown

    def end(self, name: str) -> None:
        """Forget a phase that is over."""
        self._phases.pop(name, None)

    def _of(self, name: str) -> float:
        _, steps, done = self._phases[name]
        inner = [self._of(n) for n, (parent, _, _) in self._phases.items() if parent == name]
        part = max(inner, default=0.0) if done < steps else 0.0
        return (done + part) / steps
