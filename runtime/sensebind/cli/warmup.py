# SPDX-License-Identifier: Apache-2.0
"""`sensebind warmup`: compile every kernel and load every engine of a bundle once."""

from typing import TYPE_CHECKING

from sensebind.cli import output
from sensebind.cli.options import BackendOption, BundleOption, JsonOption, ThreadsOption

if TYPE_CHECKING:
    from sensebind.warmup import Warmed


def warmup(
    bundle: BundleOption = "demo",
    backend: BackendOption = "auto",
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Compile the kernels and load the engines of a bundle, so that a later start is quick."""
    from dataclasses import asdict

    from sensebind.bundle import Bundle
    from sensebind.preprocess._compile import kernel_cache
    from sensebind.warmup import warm_up

    with Bundle.load(bundle, backend=backend, threads=threads) as loaded:
        warmed = []
        with output.progress(f"warming up {loaded.name}", shown=not json) as advance:
            for item in warm_up(loaded):
                warmed.append(item)
                advance(len(warmed) / len(loaded.modalities))
        summary = {"bundle": loaded.name, "backend": loaded.backend, "kernels": str(kernel_cache())}
    if json:
        output.show_json({**summary, "encoders": [asdict(item) for item in warmed]})
        return
    output.say(f"{summary['bundle']} on {summary['backend']}, times in milliseconds")
    headers = ["modality", "open", "prepare first", "again", "encode first", "again"]
    output.say(output.table(headers, [_row(item) for item in warmed]))
    output.say(f"compiled kernels are kept in {summary['kernels']}")


def _row(item: "Warmed") -> list[object]:
    seconds = (
        item.open_s,
        item.prepare_first_s,
        item.prepare_again_s,
        item.encode_first_s,
        item.encode_again_s,
    )
    return [item.modality.value, *("-" if s is None else f"{s * 1e3:.2f}" for s in seconds)]
