"""Writes a transformer as int8 ONNX without traces of the machine it was written on."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def export_float(model: torch.nn.Module, target: Path, *, outputs: tuple[str, ...]) -> None:
    """Write a model of (ids, mask, types) as float32 ONNX with a free batch size and length."""
    ids = torch.tensor([[101, 2054, 2003, 3086, 1029, 102], [101, 2339, 1029, 102, 0, 0]])
    mask = (ids != 0).long()
    dynamic = torch.export.Dim.DYNAMIC
    torch.onnx.export(
        model.eval(),
        (ids, mask, torch.zeros_like(ids)),
        target,
        input_names=list(INPUTS),
        output_names=list(outputs),
        dynamic_shapes={name: {0: dynamic, 1: dynamic} for name in INPUTS},
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def quantise(source: Path, target: Path) -> None:
    """Write the int8 model: weights per channel, activations scaled at run time.

    Weights keep 7 of the 8 bits (reduce_range), so that x86 processors without VNNI do not saturate when they
    add two products in 16 bits.
    """
    model = onnx.load(source)
    strip_traces(model)
    with tempfile.TemporaryDirectory() as name:
        clean, prepared = Path(name) / "clean.onnx", Path(name) / "prepared.onnx"
        onnx.save(model, clean)
        quant_pre_process(clean, prepared, skip_symbolic_shape=True)
        quantize_dynamic(prepared, target, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
    model = onnx.load(target)
    strip_traces(model)
    _keep_used_opsets(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, target)


def strip_traces(model: onnx.ModelProto) -> None:
    """Drop the exporter's notes, which hold stack traces with paths of the machine it ran on."""
    model.doc_string = ""
    for holder in (model, model.graph, *model.graph.node, *model.graph.initializer, *model.graph.value_info):
        holder.ClearField("metadata_props")
    for item in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer):
        item.ClearField("doc_string")
    for value in (*model.graph.input, *model.graph.output):
        value.ClearField("metadata_props")
        for dim, name in zip(value.type.tensor_type.shape.dim, ("batch", "length"), strict=False):
            dim.dim_param = name
    model.graph.ClearField("value_info")


def _keep_used_opsets(model: onnx.ModelProto) -> None:
    """Drop the operator sets that no node uses, which an older onnxruntime may not know."""
    used = {node.domain for node in model.graph.node}
    kept = [item for item in model.opset_import if item.domain in used]
    model.ClearField("opset_import")
    model.opset_import.extend(kept)
