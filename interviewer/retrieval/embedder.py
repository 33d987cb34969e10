"""Sentence embeddings behind one small Protocol."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from interviewer.errors import ConfigError
from interviewer.onnx import Transformer
from interviewer.settings import MINILM

Vectors = npt.NDArray[np.float32]
MODEL_FOLDER = Path(__file__).with_name("minilm")
MAX_TOKENS = 256
"""What the original was trained to read."""


class Embedder(Protocol):
    """What retrieval needs from an embedding model of both languages."""

    id: str
    dimension: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a text, shape (len(texts), dimension)."""
        ...


class TokenEmbedder(Embedder, Protocol):
    """What grading needs: the vectors of single tokens as well."""

    def tokens(self, text: str) -> Vectors:
        """Return one unit vector a token of a text, shape (tokens, dimension)."""
        ...


class MiniLM:
    """all-MiniLM-L6-v2, taught Chinese, as int8 ONNX in the package (`training/bilingual.py`)."""

    id = f"{MINILM}-int8"
    dimension = 384

    def __init__(self) -> None:
        self._model = Transformer(MODEL_FOLDER / "model.int8.onnx")
        self._model.tokenizer.enable_truncation(MAX_TOKENS)
        # A sentence is asked for its own vector and for those of its tokens.
        self._states = lru_cache(maxsize=256)(self._run)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a text; one run a text, so that a vector never depends on its neighbours."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.stack([_unit(self._states(text).mean(axis=0)) for text in texts])

    def tokens(self, text: str) -> Vectors:
        """Return one unit vector a token, first and last mark left out."""
        states = self._states(text)
        inner: Vectors = states[1:-1] if len(states) > 2 else states
        unit: Vectors = inner / np.maximum(np.linalg.norm(inner, axis=1, keepdims=True), 1e-9)
        return unit

    def _run(self, text: str) -> Vectors:
        (states,) = self._model.run(self._model.tokenizer.encode(text))
        return states


def _unit(vector: Vectors) -> Vectors:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


class HubModel:
    """Any sentence-transformers model of both languages (extra `hub`)."""

    def __init__(self, name: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise ConfigError(
                f"INTERVIEWER_EMBEDDER={name} needs sentence-transformers: pip install 'interviewer[hub]'"
            ) from error
        try:
            self._model = SentenceTransformer(name)
        except Exception as error:  # the hub's errors have no common root
            raise ConfigError(f"embedder {name} cannot be loaded: {error}; unset INTERVIEWER_EMBEDDER") from error
        self.id = name
        self.dimension = int(self._model.get_sentence_embedding_dimension())

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a text."""
        return np.asarray(self._model.encode(list(texts), normalize_embeddings=True), dtype=np.float32)


@lru_cache(maxsize=2)
def embedder(name: str) -> Embedder:
    """Return the embedder of a name.

    Raises:
        ConfigError: it cannot be loaded here.
    """
    return bilingual() if name == MINILM else HubModel(name)


@lru_cache(maxsize=1)
def bilingual() -> TokenEmbedder:
    """Return the embedder that ships."""
    return MiniLM()
