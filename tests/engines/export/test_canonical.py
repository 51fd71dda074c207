# SPDX-License-Identifier: Apache-2.0
"""Equal networks have equal bytes, whoever spelt them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="export needs the train extra")

from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from sensebind_engines.export.canonical import canonicalise

LABELS = st.lists(
    st.text("abcdefg_", min_size=1, max_size=6), min_size=6, max_size=6, unique=True
).filter(lambda names: not {"x", "y"} & set(names))


def _model(names: list[str]) -> ModelProto:
    """y = relu(x @ w + w2) + w2, with names of our choice."""
    product, total, active, weight, bias, node = names
    nodes = [
        helper.make_node("MatMul", ["x", weight], [product], name=node, doc_string="/home/me"),
        helper.make_node("Add", [product, bias], [total]),
        helper.make_node("Relu", [total], [active]),
        helper.make_node("Add", [active, bias], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(np.ones(2, np.float32), bias),
        numpy_helper.from_array(np.eye(2, dtype=np.float32), weight),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 2]) for n in "xy"]
    graph = helper.make_graph(nodes, "/home/me/model", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, producer_name="pytorch", producer_version="2.13")
    helper.set_model_props(model, {"stack_trace": "/home/me/train.py"})
    return model


REFERENCE = canonicalise(_model(["a", "b", "c", "d", "e", "f"])).SerializeToString()


@given(LABELS)
def test_names_do_not_matter(names: list[str]) -> None:
    assert canonicalise(_model(names)).SerializeToString() == REFERENCE


def test_nothing_of_the_build_stays() -> None:
    clean = canonicalise(_model(["a", "b", "c", "d", "e", "f"]))
    assert b"/home/me" not in REFERENCE
    assert (clean.producer_name, clean.producer_version) == ("sensebind", "")
    assert not clean.metadata_props


def test_a_second_pass_changes_nothing() -> None:
    once = canonicalise(_model(["a", "b", "c", "d", "e", "f"]))
    assert canonicalise(once).SerializeToString() == once.SerializeToString()


def test_weights_named_by_their_module_keep_their_names() -> None:
    clean = canonicalise(_model(["a", "b", "c", "layer.weight", "layer.bias", "f"]))
    assert [weight.name for weight in clean.graph.initializer] == ["layer.weight", "layer.bias"]


def test_unused_weights_are_dropped() -> None:
    model = _model(["a", "b", "c", "d", "e", "f"])
    model.graph.initializer.append(numpy_helper.from_array(np.ones(9, np.float32), "unused"))
    assert canonicalise(model).SerializeToString() == REFERENCE


def test_ends_can_be_renamed() -> None:
    clean = canonicalise(_model(["a", "b", "c", "d", "e", "f"]), {"x": "features", "y": "a"})
    assert clean.graph.input[0].name == clean.graph.node[0].input[0] == "features"
    assert clean.graph.output[0].name == clean.graph.node[-1].output[0] == "a"
