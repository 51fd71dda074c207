# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node: topics in, embeddings and labels out.

configure loads and verifies the bundle and warms it up, activate subscribes and runs, deactivate
stops, cleanup lets go of everything. What fails is told in the log and on /diagnostics, and can be
tried again.
"""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from sensebind.errors import Interrupted
from sensebind.flow.incidents import told
from sensebind_ros.active import Active
from sensebind_ros.configured import Configured
from sensebind_ros.diagnostics import Diagnostics
from sensebind_ros.findings import active_finding, encoder_findings, node_finding
from sensebind_ros.parameters import Parameters
from sensebind_ros.running import check
from sensebind_ros.services import Services
from sensebind_ros.settings import When

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from rclpy.lifecycle import LifecycleState
    from rclpy.timer import Timer

    from sensebind_ros.labels import Labels
    from sensebind_ros.settings import Settings

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
_LOOK_S = 0.2
"""How often the node looks for topics it does not know yet."""
_TICK_S = 1.0
"""How often it tells of itself before it is configured."""


class SenseBindNode(LifecycleNode):
    """Streams of topics through a bundle's encoders."""

    def __init__(
        self,
        name: str = "sensebind",
        interrupts: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Declare the parameters; nothing is loaded.

        Args:
            name: of the node, if no argument of ROS gives another.
            interrupts: lets signals raise Interrupted while the bundle is loaded.
        """
        super().__init__(name)
        self._interrupts = interrupts
        self._configured: Configured | None = None
        self._active: Active | None = None
        self._problem = ""
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._parameter_table = Parameters(self, self._allowed, self._apply)
        self._text_services = Services(self, self._labels, self._space, self._prompts_changed)
        self._diagnostics = Diagnostics(self)
        self._search: Timer | None = None
        self._ticking = self.create_timer(_TICK_S, self._tick, clock=self._steady)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and verify the bundle, and warm it up."""
        return self._transition("configured", lambda: self._configure(state))

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run the pipeline and subscribe."""
        return self._transition("activated", lambda: self._activate(state))

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to nothing, and stop the pipeline when it has encoded what came."""
        done = self._transition("deactivated", self._stop)
        super().on_deactivate(state)
        return done

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of the bundle."""
        del state
        return self._transition("cleaned up", self.close)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and let go of everything."""
        del state
        return self._transition("shut down", self.close)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of everything; the node can be configured again."""
        del state
        return self._transition("recovered", self.close)

    def close(self) -> None:
        """Stop and let go of everything, whatever there is."""
        self._stop()
        configured, self._configured = self._configured, None
        if configured is not None:
            configured.close()

    def _transition(self, done: str, work: Callable[[], None]) -> TransitionCallbackReturn:
        """Do the work of a transition; if it fails, tell why and stay where we were."""
        try:
            work()
        except (Exception, Interrupted) as error:  # noqa: BLE001 - rclpy would swallow it
            self._problem = f"not {done}: {told(error)}"
            self.get_logger().error(self._problem)
            self._tick()
            return FAILURE
        self._problem = ""
        return SUCCESS

    def _configure(self, state: LifecycleState) -> None:
        with self._interrupts():
            configured = Configured(self, self._parameter_table.settings())
        self._configured = configured
        super().on_configure(state)
        bundle = configured.bundle
        self.get_logger().info(
            f"bundle {bundle.name}, backend {bundle.backend} ({bundle.backend_reason})"
        )
        self._tick_every(configured.settings.node.diagnostics_period_s)

    def _activate(self, state: LifecycleState) -> None:
        assert self._configured is not None
        with ExitStack() as stack:  # an active one is closed again if something fails
            active = stack.enter_context(Active(self, self._configured))
            super().on_activate(state)
            waits = active.look()
            stack.pop_all()
        self._active = active
        if waits:
            self._search = self.create_timer(_LOOK_S, self._look, clock=self._steady)

    def _stop(self) -> None:
        """End what is active."""
        self._end_search()
        active, self._active = self._active, None
        if active is not None:
            active.close()

    def _look(self) -> None:
        """Subscribe to topics that have come up."""
        if self._active is None or not self._active.look():
            self._end_search()

    def _end_search(self) -> None:
        search, self._search = self._search, None
        if search is not None:
            self.destroy_timer(search)

    def _tick_every(self, period_s: float) -> None:
        self.destroy_timer(self._ticking)
        self._ticking = self.create_timer(period_s, self._tick, clock=self._steady)

    def _tick(self) -> None:
        """Tell how the node does; what cannot be told is no reason to end."""
        try:
            self._tell()
        except Exception as error:  # noqa: BLE001 - of whatever is looked at
            self.get_logger().error(f"no diagnostics: {told(error)}", throttle_duration_sec=60.0)

    def _tell(self) -> None:
        state = self._state_machine.current_state[1]
        if self._active is None or self._configured is None:
            self._diagnostics.publish([node_finding(state, self._problem)])
            return
        active, configured = self._active, self._configured
        active.running.end_outdated()
        active.look()
        states = active.looking.states()
        self._diagnostics.publish(
            [
                active_finding(state, active.running, active.clock.jumps, active.unpublished),
                *active.looking.findings(states),
                *encoder_findings(configured.bundle, configured.settings, states),
            ]
        )
        self._diagnostics.publish_streams(states, configured.encoders)

    def _allowed(self) -> When:
        """What changes of parameters are possible now."""
        if self._active is not None:
            return When.NEW_RUN
        return When.NOT_CONFIGURED if self._configured is None else When.NOT_ACTIVE

    def _apply(self, settings: Settings, when: When) -> None:
        """Make changed parameters true."""
        if self._configured is None:
            return
        active = self._active if when is When.NEW_RUN else None
        if active is not None:  # before anything changes
            check(self._configured.bundle, settings.pipeline, settings.describing)
        self._configured.apply(settings)
        if active is not None:
            active.change(settings)

    def _labels(self) -> Labels | None:
        return self._configured.labels if self._configured is not None else None

    def _space(self) -> tuple[str, int]:
        assert self._configured is not None
        return self._configured.bundle.space_id, self._configured.bundle.dim

    def _prompts_changed(self) -> None:
        if self._configured is not None:
            self._configured.publish_bundle()
