"""The small cross-encoder that reads a point and an answer together, and says where in the answer it looked.

Made by `training/judge.py`; its card is `judge/NOTICE.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interviewer.labels import LABELS, Label
from interviewer.language import Span
from interviewer.onnx import Numbers, Transformer

MISSED = LABELS.index("missed")
MODEL_FOLDER = Path(__file__).with_name("judge")
MAX_TOKENS = 384
"""Of point and answer together; a longer answer is read in parts."""
MAX_CLAIM = 192
"""Of a point; what is longer is cut off."""
NOTHING = -1e4
"""Logit of what nobody said."""


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
        self._model = Transformer(MODEL_FOLDER / "model.int8.onnx")

    def read(self, claim: str, sentences: Sequence[Span]) -> PairRead:
        """Read a claim and the sentences of an answer; of a long answer, the part that makes the claim most."""
        claim = self._cut(claim, MAX_CLAIM)[0]
        by_sentence = np.full((len(sentences), len(LABELS)), NOTHING, dtype=np.float32)
        parts = []
        for part in self._parts(claim, sentences):
            logits, scores = self._read(claim, [text for _, text in part])
            parts.append(logits)
            for (place, _), score in zip(part, scores, strict=True):
                by_sentence[place] = np.logaddexp(by_sentence[place], score)
        best = min(parts, key=lambda logits: float(logits[MISSED] - logits.max()))
        return PairRead(logits=best, by_sentence=by_sentence)

    def _parts(self, claim: str, sentences: Sequence[Span]) -> list[list[tuple[int, str]]]:
        """Split an answer that is too long for one run between sentences, or inside one that is too long by itself.

        Returns pieces of text with the numbers of their sentences.
        """
        room = MAX_TOKENS - self._size(claim) - 3
        parts: list[list[tuple[int, str]]] = [[]]
        used = 0
        for place, sentence in enumerate(sentences):
            for piece in self._cut(sentence.text, room):
                size = self._size(piece)
                if parts[-1] and used + size > room:
                    parts.append([])
                    used = 0
                parts[-1].append((place, piece))
                used += size
        return parts

    def _cut(self, text: str, size: int) -> list[str]:
        """Cut a text into pieces of at most so many tokens."""
        offsets = self._model.tokenizer.encode(text, add_special_tokens=False).offsets
        if len(offsets) <= size:
            return [text]
        pieces = [offsets[first : first + size] for first in range(0, len(offsets), size)]
        return [text[piece[0][0] : piece[-1][1]] for piece in pieces]

    def _size(self, text: str) -> int:
        return len(self._model.tokenizer.encode(text, add_special_tokens=False).ids)

    def _read(self, claim: str, pieces: Sequence[str]) -> tuple[Numbers, list[Numbers]]:
        """Return the logits of one run, and what each piece of the answer adds to them."""
        encoded = self._model.tokenizer.encode(claim, " ".join(pieces))
        tokens, whole = self._model.run(encoded)
        of_answer = np.array(encoded.type_ids) == 1
        scores = tokens[of_answer]
        starts = np.array([start for (start, _), mine in zip(encoded.offsets, of_answer, strict=True) if mine])
        ends = np.cumsum([len(piece) + 1 for piece in pieces])
        places = np.searchsorted(ends, starts, side="right").clip(max=len(pieces) - 1)
        by_piece = [_log_sum(scores[places == place]) for place in range(len(pieces))]
        return _log_sum(scores) - 0.5 * np.log(len(scores)) + whole, by_piece


def _log_sum(scores: Numbers) -> Numbers:
    if not len(scores):
        return np.full(len(LABELS), NOTHING, dtype=np.float32)
    top = scores.max(axis=0)
    total: Numbers = top + np.log(np.exp(scores - top).sum(axis=0))
    return total
