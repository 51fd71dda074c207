# SPDX-License-Identifier: Apache-2.0
"""Plans that the service makes itself, while it runs: `[engines] build = true` in robot.toml.

An encoder without a plan runs on the CPU at first, or the devices wait for it (`meanwhile`). One
after the other, the smallest first, each lacking plan is built by `sensebind engine build` and
compared with the golden vectors by `sensebind engine verify`. Both are processes of their own: they
give their memory back, and where it runs out it is they who go. A plan that is ready is opened
beside the engine that runs, and the encoder goes on with it between two windows (`Bundle.renew`).
What fails is told once, with the fix, and tried again at the next start.
"""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

from sensebind.closing import Closing
from sensebind.errors import BackendError
from sensebind.flow.incidents import told
from sensebind.flow.run import CLOSE_S
from sensebind.robot.commands import BuildLine, EngineCommands, Stopped
from sensebind.robot.wanted_plans import tensorrt_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensebind.backends.tensorrt.choice import PlanRequest
    from sensebind.robot.wanted_plans import Here, Wanted
    from sensebind.types import Modality

_STEP = 25
"""Percent of a build between two lines about it."""


class PlanBuilds(Closing):
    """Makes the plans that are wanted, in a thread of its own.

    Attributes:
        wanted: as given.
        states: how far each plan is, as a phrase; for all threads. Empty if none are to be built.
        finished: whether nothing more is to be done.
    """

    def __init__(
        self,
        wanted: Wanted,
        meanwhile: str,
        say: Callable[[str], None],
        progress: Callable[[str], None],
        done: Callable[[], None],
    ) -> None:
        """Nothing happens before `start`.

        Args:
            wanted: which plans.
            meanwhile: what is done until they are ready, to be said.
            say: takes a line when something is reached.
            progress: takes a phrase about what is being done; "" at the end.
            done: called once nothing more is to be done, unless `close` ended that.
        """
        self.wanted = wanted
        self.states: dict[Modality, str] = {}
        self.finished = False
        self._meanwhile = meanwhile
        self._say = say
        self._progress = progress
        self._done = done
        self._commands = EngineCommands()
        self._thread = Thread(target=self._work, name="plans", daemon=True)

    def start(self) -> None:
        """Begin, if plans are to be built at all."""
        if self.wanted.engines.build:
            self._thread.start()

    def close(self) -> None:
        """End what is being done; nothing half remains of it."""
        self._commands.stop()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_S)

    def _work(self) -> None:
        """The thread."""
        try:
            self._make_all(tensorrt_here(self.wanted.backend))
        except Stopped:
            return
        except Exception as error:  # noqa: BLE001 - it must not keep the devices waiting
            self.states |= dict.fromkeys(self.wanted.modalities, f"not built: {told(error)}")
            self._say(f"no plans are built: {told(error)}")
        self.finished = True
        self._progress("")
        self._done()

    def _make_all(self, here: Here) -> None:
        requests = self.wanted.requests()
        lacking = [request for request in requests if not self._is_ready(here, request)]
        for request in requests:
            self.states[request.modality] = "waits" if request in lacking else "ready"
        if lacking:
            names = ", ".join(request.modality for request in lacking)
            self._say(f"plans are built, one after the other, of {names}; {self._meanwhile}")
        for request in requests:
            self._make(here, request)

    def _is_ready(self, here: Here, request: PlanRequest) -> bool:
        """Whether there is a plan that may be used."""
        plan, verify = here.plan_of(request), self.wanted.engines.verify
        return plan is not None and (plan.record.verified is not None or not verify)

    def _make(self, here: Here, request: PlanRequest) -> None:
        """Make a plan if it is lacking and have it used, or tell why not."""
        modality, lacking = request.modality, not self._is_ready(here, request)
        try:
            if here.plan_of(request) is None:
                self._build(here, request)
            if not self._is_ready(here, request):
                self._verify(here, request)
            self.wanted.bundle.renew(modality, here.library.name)
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the backend raises
            self.states[modality] = f"failed: {told(error)}"
            self._say(f"no plan of {modality} is used: {told(error)}")
            return
        self.states[modality] = "ready"
        if lacking:
            self._say(f"the plan of {modality} is ready")

    def _build(self, here: Here, request: PlanRequest) -> None:
        modality, memory_mib = request.modality, self.wanted.engines.memory_mib
        said = 0

        def heed(line: BuildLine) -> None:
            nonlocal said
            if line.waiting:
                self.states[modality] = "being built by another process"
                self._say(f"another process builds the plan of {modality}; waiting for it")
            percent = round(100 * (line.share or 0))
            if line.share is not None:
                self._tell_share(modality, percent)
            if percent >= said + _STEP:
                said = percent
                self._say(f"building the plan of {modality}: {percent} %")

        self._tell_share(modality, 0)
        memory = "free" if memory_mib is None else str(memory_mib)
        self._commands.run([*_asked("build", here, request), "--json", "--memory", memory], heed)

    def _tell_share(self, modality: Modality, percent: int) -> None:
        self.states[modality] = f"being built, {percent} %"
        self._progress(f"building the plan of {modality}, {percent} %")

    def _verify(self, here: Here, request: PlanRequest) -> None:
        modality = request.modality
        self.states[modality] = "being compared with the golden vectors"
        self._progress(f"comparing the plan of {modality} with the golden vectors")
        try:
            self._commands.run(_asked("verify", here, request))
        except BackendError:
            if self._is_ready(here, request):
                return  # it is another plan of this encoder that is not good enough
            self.wanted.bundle.renew(modality, "onnxruntime")  # where it was in use already
            raise


def _asked(verb: str, here: Here, request: PlanRequest) -> list[str]:
    which = ["--backend", here.library.name, "--modality", request.modality.value]
    return [verb, request.argument, *which]
