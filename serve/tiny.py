"""Makes a Qwen3-architecture model with random weights and its tokenizer, to run a real server without a hub.

It speaks nonsense: it is there for tests and benchmarks of serving, never for an interview. Runs in `.venv-vllm`:
`python serve/tiny.py --size 5m FOLDER`.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SEED = 20260101
CONTEXT = 16384
END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL = (END, START, STOP, "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
WORDS = r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s*[\r\n]+|\s+(?!\S)|\s+"
"""Pieces within which bytes are merged. Line ends stay together whatever follows, as in the tokenizers of Qwen and
Llama 3; where they don't (GPT-2), the end of a prompt is cut differently once a reply stands behind it."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a model; head dimension 64 where the hidden size allows."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    ffn: int


SHAPES = {
    "5m": Shape(vocabulary=8192, hidden=192, layers=8, heads=6, kv_heads=2, head=32, ffn=512),
    "100m": Shape(vocabulary=16384, hidden=768, layers=14, heads=12, kv_heads=4, head=64, ffn=2048),
    "350m": Shape(vocabulary=16384, hidden=1024, layers=26, heads=16, kv_heads=8, head=64, ffn=3072),
}


def make_tokenizer(folder: Path, *, vocabulary: int) -> None:
    """Train a byte-level BPE tokenizer on the notes, cards and prompts, and write it."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    paths = sorted(path for name in ("knowledge", "prompts") for path in (ROOT / name).rglob("*"))
    texts = [path.read_text("utf-8") for path in paths if path.suffix in (".md", ".yaml")]
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(WORDS), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=STOP, pad_token=END, model_max_length=CONTEXT)
    fast.chat_template = (ROOT / "serve" / "templates" / "chatml.jinja").read_text("utf-8")
    fast.save_pretrained(folder)


def make_model(folder: Path, shape: Shape) -> int:
    """Write the model; returns its number of parameters."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(SEED)
    config = Qwen3Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head,
        intermediate_size=shape.ffn,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        eos_token_id=SPECIAL.index(STOP),
        pad_token_id=SPECIAL.index(END),
        dtype="bfloat16",
    )
    model = Qwen3ForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


def main() -> None:
    """Make the model of the size asked for, unless it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=SHAPES, default="5m")
    wanted = parser.parse_args()
    shape = SHAPES[wanted.size]
    made = wanted.folder / "made.json"
    if not made.exists():
        wanted.folder.mkdir(parents=True, exist_ok=True)
        make_tokenizer(wanted.folder, vocabulary=shape.vocabulary)
        made.write_text(json.dumps({"size": wanted.size, "parameters": make_model(wanted.folder, shape)}), "utf-8")
    print(made.read_text("utf-8"))


if __name__ == "__main__":
    main()
