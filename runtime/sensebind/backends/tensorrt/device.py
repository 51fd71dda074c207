# SPDX-License-Identifier: Apache-2.0
"""The GPU, and the one thread that deals with it.

A CUDA context is current in a thread, not in a process: memory freed in another one, or a context
left behind at exit, end a program in ways that have nothing to do with what it does. So one thread
retains the primary context, and makes, runs and frees everything in it; other threads ask it to.
It ends when nothing is left on the GPU, or with the interpreter.
"""

from __future__ import annotations

import atexit
import traceback
from queue import SimpleQueue
from threading import Lock, Thread, current_thread
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from sensebind.errors import BackendError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

_PATIENCE_S = 30.0
"""So long a new task waits for the one that runs; a GPU that takes longer hangs."""


class Resident(Protocol):
    """Something that lives on the GPU."""

    def free(self) -> None:
        """Free it; called in the GPU's thread, once."""
        ...


class Device:
    """What work in the GPU's thread is given.

    Attributes:
        cuda: the module pycuda.driver; the context is current.
        name: of the GPU.
        integrated: whether it shares the host's memory, so that nothing has to be copied.
    """

    cuda: Any
    name: str
    integrated: bool

    def __init__(self) -> None:
        self._tasks: SimpleQueue[_Task[Any]] = SimpleQueue()
        self._residents: set[Resident] = set()
        self._context: Any = None
        self._ending = False
        self._thread = Thread(target=self._serve, name="GPU", daemon=True)
        self._thread.start()

    def keep(self, resident: Resident) -> None:
        """Free it at the end, if nobody did before; in the GPU's thread."""
        self._residents.add(resident)

    def let_go(self, resident: Resident) -> None:
        """Free it now; in the GPU's thread. What was freed already is left alone."""
        if resident in self._residents:
            self._residents.remove(resident)
            resident.free()

    def holds(self, resident: Resident) -> bool:
        """Whether it is there still."""
        return resident in self._residents

    def submit(self, task: _Task[Any]) -> None:
        """Have a task run; never waits, so that it serves finalizers too."""
        self._tasks.put(task)

    def is_idle(self) -> bool:
        """Whether nothing is there and nothing is asked for."""
        return not self._residents and self._tasks.empty()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout_s)

    def owns_this_thread(self) -> bool:
        """Whether the calling thread is the GPU's."""
        return current_thread() is self._thread

    def end(self) -> None:
        """Free everything and end the thread after the present task; in the GPU's thread."""
        self._ending = True

    def _serve(self) -> None:
        """The thread."""
        try:
            self._enter()
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asks
            _retire(self)
            self._refuse(error)
            return
        ends = False
        while not ends:
            task = self._tasks.get()
            failed = not task.run(self)
            ends = self._ending or (failed and self._is_broken()) or _retire_idle(self)
            if ends:
                self._leave()
            task.finish()
            del task  # what it holds is its caller's; here it would stay until the next one

    def _enter(self) -> None:
        try:
            import pycuda.driver as cuda
        except ImportError as error:
            raise MissingExtraError(f"Running plans ({error})", "tensorrt") from None
        try:
            cuda.init()
            device = cuda.Device(0)
            self._context = device.retain_primary_context()
        except cuda.Error as error:
            raise BackendError(
                f"the GPU cannot be used: {error}; see nvidia-smi or, on a Jetson, dmesg"
            ) from None
        self._context.push()
        self.cuda = cuda
        self.name = device.name()
        self.integrated = bool(device.get_attribute(cuda.device_attribute.INTEGRATED))

    def _is_broken(self) -> bool:
        """Whether the GPU faulted: nothing works in a context after that."""
        try:
            self._context.synchronize()
        except self.cuda.Error:
            return True
        return False

    def _leave(self) -> None:
        _retire(self)
        while self._residents:
            resident = self._residents.pop()
            try:
                resident.free()
            except (self.cuda.Error, BackendError):  # a broken context takes everything with it
                continue
        context, self._context = self._context, None
        context.pop()
        context.detach()
        self._refuse(
            BackendError("the GPU was let go of before this was done; open the engine again")
        )

    def _refuse(self, error: Exception) -> None:
        """Tell all who wait; nobody submits anything after `_retire`."""
        while not self._tasks.empty():
            self._tasks.get().fail(error)


class _Task(Generic[Result]):
    """Work for the GPU's thread, and what came of it."""

    __slots__ = ("_begun", "_done", "_error", "_result", "_work")

    def __init__(self, work: Callable[[Device], Result]) -> None:
        self._work = work
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._begun, self._done = Lock(), Lock()
        self._done.acquire()

    def run(self, device: Device) -> bool:
        """Do the work, unless nobody waits for it any more; whether nothing was raised."""
        if not self._begun.acquire(blocking=False):
            return True
        try:
            self._result = self._work(device)
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller
            _clear_frames(error)
            self._error = error
        return self._error is None

    def finish(self) -> None:
        """Let the caller go on."""
        self._done.release()

    def fail(self, error: BaseException) -> None:
        """Tell the caller that it was not done."""
        if self._begun.acquire(blocking=False):
            self._error = error
            self.finish()

    def result(self) -> Result:
        """Wait for what came of it.

        Raises:
            BackendError: it has not begun for long, and will not be done.
        """
        if not self._done.acquire(timeout=_PATIENCE_S):
            if self._begun.acquire(blocking=False):
                raise BackendError(
                    f"the GPU has been busy with one task for {_PATIENCE_S:g} s, it hangs: restart "
                    "the program and, if that does not help, the machine"
                )
            self._done.acquire()  # it has begun, and may take its time
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]


def _clear_frames(error: BaseException | None) -> None:
    """Let go of what the failed calls held: it lives on the GPU and has to go in its thread."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


class _Gpu:
    """The process's device: there is one while something is on it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.device: Device | None = None
        self.closed = False

    def forget(self, device: Device) -> None:
        """Give others a new device from now on; with the lock held."""
        if self.device is device:
            self.device = None


_gpu = _Gpu()


def on_device(work: Callable[[Device], Result]) -> Result:
    """Do something in the GPU's thread and wait for it; there, at once.

    Raises:
        BackendError: the GPU cannot be used or hangs, or the program is ending.
        MissingExtraError: pycuda is not installed.
    """
    task = _Task(work)
    with _gpu.lock:
        if _gpu.closed:
            raise BackendError("the program is ending; the GPU cannot be used any more")
        if _gpu.device is None:
            _gpu.device = Device()
        device = _gpu.device
        if not device.owns_this_thread():
            device.submit(task)
    if device.owns_this_thread():
        task.run(device)
        task.finish()
    return task.result()


def free_on_device(resident: Resident) -> None:
    """Free something now, if it is there still."""
    if _gpu.device is not None and not _gpu.closed:
        on_device(lambda device: device.let_go(resident))


def post(work: Callable[[Device], None]) -> None:
    """Have something done in the GPU's thread, if there is one, and do not wait for it.

    For finalizers: it takes no lock, which the thread they interrupt might hold.
    """
    device = _gpu.device
    if device is not None:
        device.submit(_Task(work))


def _retire_idle(device: Device) -> bool:
    """Whether a device has nothing left to do; from then on others get a new one."""
    with _gpu.lock:
        if not device.is_idle():
            return False
        _gpu.forget(device)
        return True


def _retire(device: Device) -> None:
    with _gpu.lock:
        _gpu.forget(device)


def _close() -> None:
    """End the thread before the interpreter ends, so that the context is left in it."""
    with _gpu.lock:
        _gpu.closed = True
        device = _gpu.device
    if device is not None:
        device.submit(_Task(Device.end))
        device.join(_PATIENCE_S)


atexit.register(_close)
