"""Weighs what words, embeddings and the cross-encoder say into one calibrated probability a verdict.

Multinomial logistic regression and one temperature, fitted by `training/stack.py` on the dev split.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from interviewer.grading.crossencoder import MODEL_FOLDER
from interviewer.grading.signals import Signals
from interviewer.labels import LABELS, Label
from interviewer.onnx import Numbers

Doubles = npt.NDArray[np.float64]
FILE = MODEL_FOLDER / "stack.json"
CROSS = tuple(f"cross_{verdict}" for verdict in LABELS)


def features_of(signals: Signals, logits: Numbers) -> tuple[float, ...]:
    """Return the features of one point: the signals, then the cross-encoder's log-probabilities."""
    shifted = logits - logits.max()
    return (*signals.as_features(), *(shifted - np.log(np.exp(shifted).sum())).tolist())


@dataclass(frozen=True)
class Stack:
    """The fitted weights."""

    data: dict[str, object]

    @classmethod
    def read(cls, path: Path = FILE) -> "Stack":
        """Read the shipped weights."""
        return cls(json.loads(path.read_text("utf-8")))

    @cached_property
    def _weights(self) -> tuple[Doubles, ...]:
        return tuple(np.array(self.data[name], dtype=np.float64) for name in ("mean", "scale", "weights", "bias"))

    @property
    def unsure(self) -> float:
        """Probability of the likeliest verdict under which the judge says that it can't tell."""
        return float(self.data["unsure"])  # type: ignore[arg-type]

    def probabilities(self, features: Sequence[float]) -> dict[Label, float]:
        """Return the probability of each verdict, summing to 1."""
        mean, scale, weights, bias = self._weights
        logits = weights @ ((np.array(features) - mean) / scale) + bias
        shares = np.exp((logits - logits.max()) / float(self.data["temperature"]))  # type: ignore[arg-type]
        shares /= shares.sum()
        return {label: float(share) for label, share in zip(LABELS, shares, strict=True)}
