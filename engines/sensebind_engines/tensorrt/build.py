# SPDX-License-Identifier: Apache-2.0
"""One graph to one plan."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from sensebind.backends.tensorrt.logging import Collected, collecting_logger
from sensebind.errors import BackendError, ConfigError
from sensebind_engines.tensorrt.network import Audit, audit, check_audit, promised, read_network
from sensebind_engines.tensorrt.progress import progress_monitor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sensebind_engines.tensorrt.encoders import Lengths
    from sensebind_engines.tensorrt.flavour import Flavour
    from sensebind_engines.tensorrt.options import BuildOptions

    Advance = Callable[[float], None]


class Built(NamedTuple):
    """A plan as it came from the builder.

    Attributes:
        plan: its bytes.
        audit: types of the layers that matter, which are those the graph states.
        layers: number of layers of the network.
        seconds: how long the build took.
        timing_cache: what was timed, for later builds; empty without.
    """

    plan: bytes
    audit: Audit
    layers: int
    seconds: float
    timing_cache: bytes


def build_plan(
    flavour: Flavour,
    path: Path,
    options: BuildOptions,
    lengths: Lengths | None = None,
    timing_cache: bytes = b"",
    advance: Advance | None = None,
) -> Built:
    """Build the plan of a graph; minutes on a board.

    Args:
        flavour: which TensorRT.
        path: the graph; every input's axis 0 is the batch.
        options: how.
        lengths: least, usual and largest length of the graph's other dynamic axes, by name.
        timing_cache: of earlier builds on this GPU.
        advance: told the share done; Ctrl-C ends the build.

    Raises:
        BackendError: the graph is not taken, its types are not as stated, or the build fails.
        ConfigError: an option this TensorRT does not have.
    """
    messages = Collected()
    builder = flavour.trt.Builder(collecting_logger(flavour.trt, messages))
    network, parser = read_network(flavour, builder, path)
    types = audit(network)
    check_audit(types, promised(path), path.name)
    config = _configured(flavour, builder, options)
    _add_profile(builder, network, config, options, lengths or {})
    cache = _attach_timing_cache(flavour, config, options, timing_cache)
    monitor = progress_monitor(flavour.trt, advance) if advance is not None else None
    if monitor is not None:
        config.progress_monitor = monitor
    begin_s = time.perf_counter()
    plan = builder.build_serialized_network(network, config)
    seconds = time.perf_counter() - begin_s
    if monitor is not None and monitor.interrupted:
        raise KeyboardInterrupt
    if plan is None:
        raise BackendError(
            f"{flavour.name} {flavour.version} could not build {path.name}: "
            f"{messages.errors() or 'it gave no reason'}"
        )
    timed = bytes(memoryview(cache.serialize())) if cache is not None else b""
    layers = int(network.num_layers)
    del parser
    return Built(bytes(memoryview(plan)), types, layers, seconds, timed)


def _configured(flavour: Flavour, builder: Any, options: BuildOptions) -> Any:  # noqa: ANN401
    trt = flavour.trt
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib << 20)
    config.builder_optimization_level = options.level
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    levels = trt.HardwareCompatibilityLevel.__members__
    if options.hardware.upper() not in levels:
        raise ConfigError(
            f"hardware is {options.hardware!r}, {flavour.name} {flavour.version} knows "
            f"{', '.join(level.lower() for level in levels)}"
        )
    config.hardware_compatibility_level = levels[options.hardware.upper()]
    if options.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    _set_capabilities(flavour, config, options)
    return config


def _add_profile(
    builder: Any,  # noqa: ANN401
    network: Any,  # noqa: ANN401
    config: Any,  # noqa: ANN401
    options: BuildOptions,
    lengths: Lengths,
) -> None:
    """State the shapes the plan takes."""
    profile = builder.create_optimization_profile()
    for number in range(network.num_inputs):
        tensor = network.get_input(number)
        axes = [
            options.batch if place == 0 else _axis(tensor, place, lengths)
            for place in range(len(tensor.shape))
        ]
        profile.set_shape(tensor.name, *zip(*axes, strict=True))
    config.add_optimization_profile(profile)


def _axis(tensor: Any, place: int, lengths: Lengths) -> tuple[int, int, int]:  # noqa: ANN401
    length = int(tensor.shape[place])
    name = tensor.get_dimension_name(place)
    if length >= 0:
        return (length, length, length)
    if name not in lengths:
        raise BackendError(
            f"the axis {name!r} of the input {tensor.name!r} is dynamic and the manifest states no "
            "limits of it; run this modality on onnxruntime"
        )
    return lengths[name]


def _set_capabilities(flavour: Flavour, config: Any, options: BuildOptions) -> None:  # noqa: ANN401
    if not flavour.is_rtx:
        if options.compute_capabilities:
            raise ConfigError(
                f"compute capabilities {', '.join(options.compute_capabilities)} were asked for; "
                "only tensorrt-rtx builds for other GPUs than the one at hand"
            )
        return
    known = flavour.trt.ComputeCapability.__members__
    config.num_compute_capabilities = len(options.compute_capabilities)
    for number, name in enumerate(options.compute_capabilities):
        if name not in flavour.capabilities:
            raise ConfigError(
                f"compute capability {name!r} is not known to {flavour.name} {flavour.version}, "
                f"which builds for {', '.join(flavour.capabilities)}; Jetson boards are not among "
                "them and use tensorrt"
            )
        config.set_compute_capability(known[f"SM{name}"], number)


def _attach_timing_cache(
    flavour: Flavour,
    config: Any,  # noqa: ANN401
    options: BuildOptions,
    content: bytes,
) -> Any:  # noqa: ANN401
    """The cache the build writes to, None without; TensorRT-RTX's would ask for a GPU."""
    if flavour.is_rtx or not options.timing_cache:
        return None
    cache = config.create_timing_cache(content)
    config.set_timing_cache(cache, ignore_mismatch=False)
    return cache
