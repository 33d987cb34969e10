"""The small cross-encoder that reads a point and an answer together, and says where in the answer it looked.

Made by `training/judge.py`; its card is `judge/NOTICE.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from interviewer.labels import LABELS, Label
from interviewer.language import Span

MISSED = LABELS.index("missed")
MODEL_FOLDER = Path(__file__).with_name("judge")
MAX_TOKENS = 384
"""Of point and answer together; a longer answer is read in parts."""
Numbers = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRead:
    """A point and an answer read together; verdicts are in the order of `LABELS`."""

    logits: Numbers
    """Shape (4,)."""
    by_sentence: Numbers
    """What each sentence of the answer adds to each verdict, shape (sentences, 4)."""

    def carrier(self, verdict: Label) -> int:
        """Return the number of the sentence that carries a verdict most."""
        return int(self.by_sentence[:, LABELS.index(verdict)].argmax())


class CrossEncoder:
    """Reads one pair a run, so that what it says of a point never depends on the other points."""

    def __init__(self) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        options.log_severity_level = 3
        # Two models take turns: the threads of one must not spin while the other works.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            MODEL_FOLDER / "model.int8.onnx", options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(MODEL_FOLDER / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS, strategy="only_second")

    def read(self, claim: str, sentences: Sequence[Span]) -> PairRead:
        """Read a claim and the sentences of an answer; of a long answer, the part that makes the claim most."""
        parts = self._parts(claim, sentences)
        reads = [self._read(claim, [sentences[i] for i in part]) for part in parts]
        best = min(reads, key=lambda read: float(read.logits[MISSED] - read.logits.max()))
        return PairRead(logits=best.logits, by_sentence=np.concatenate([read.by_sentence for read in reads]))

    def _parts(self, claim: str, sentences: Sequence[Span]) -> list[list[int]]:
        """Split an answer that is too long for one run between sentences."""
        room = MAX_TOKENS - len(self._tokenizer.encode(claim).ids) - 1
        parts: list[list[int]] = [[]]
        used = 0
        for i, sentence in enumerate(sentences):
            size = len(self._tokenizer.encode(sentence.text, add_special_tokens=False).ids)
            if parts[-1] and used + size > room:
                parts.append([])
                used = 0
            parts[-1].append(i)
            used += size
        return parts

    def _read(self, claim: str, sentences: Sequence[Span]) -> PairRead:
        text, ends = _joined(sentences)
        encoded = self._tokenizer.encode(claim, text)
        types = np.array(encoded.type_ids, dtype=np.int64)
        ids = np.array([encoded.ids], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": types[None]}
        tokens, whole = self._session.run(None, inputs)
        of_answer = types == 1
        scores = tokens[0][of_answer]
        starts = np.array([start for (start, _), mine in zip(encoded.offsets, of_answer, strict=True) if mine])
        places = np.searchsorted(ends, starts, side="right").clip(max=len(sentences) - 1)
        by_sentence = np.full((len(sentences), len(LABELS)), -1e4, dtype=np.float32)
        for place in np.unique(places):
            by_sentence[place] = _log_sum(scores[places == place])
        return PairRead(logits=_log_sum(scores) - 0.5 * np.log(len(scores)) + whole[0], by_sentence=by_sentence)


def _joined(sentences: Sequence[Span]) -> tuple[str, npt.NDArray[np.int64]]:
    """Return the sentences as one text, and where each ends in it."""
    return " ".join(s.text for s in sentences), np.cumsum([len(s.text) + 1 for s in sentences])


def _log_sum(scores: Numbers) -> Numbers:
    top = scores.max(axis=0)
    total: Numbers = top + np.log(np.exp(scores - top).sum(axis=0))
    return total
