"""The search index: Chroma for meaning, BM25 for words, in a folder named by what it was made of."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import bm25s
import chromadb
import chromadb.errors
import numpy as np
from chromadb.config import Settings as ChromaSettings
from filelock import FileLock, Timeout

from interviewer.errors import SearchIndexError, StorageBusy
from interviewer.language import Lang
from interviewer.library import Library, Passage
from interviewer.retrieval.embedder import Embedder, embedder
from interviewer.settings import Settings

FORMAT = 2
COLLECTION = "passages"
RANK_CONSTANT = 10
"""k of reciprocal-rank fusion (Cormack et al., SIGIR 2009, who use 60): with few hundred passages the first ranks
should weigh more; chosen on questions other than those that measure it."""
CANDIDATES = 30
"""Passages that each half of the fusion may name."""
VECTORS = 3 * CANDIDATES
"""Vectors asked for: a passage has one of its own and one of each point that rests on it."""
LOCK_SECONDS = 120
BATCH = 32
Progress = Callable[[int, int], None]


def index_name(library: Library, model: Embedder) -> str:
    """Return the name of the index: the hash of everything it is made of."""
    digest = hashlib.sha256(f"{FORMAT}\0{model.id}\0{model.dimension}\0".encode())
    for passage in library.passages:
        digest.update(f"{passage.id}\0{passage.heading}\0{passage.text}\0".encode())
        for point in library.points_on.get(passage.id, ()):
            digest.update(f"{point.model_dump_json()}\0".encode())
    glossary = library.folder / "glossary.yaml"
    digest.update(glossary.read_bytes() if glossary.is_file() else b"")
    return digest.hexdigest()[:24]


class SearchIndex:
    """An opened index; read-only."""

    def __init__(self, path: Path, *, library: Library, model: Embedder) -> None:
        self._library = library
        self._model = model
        self._passages = {passage.id: passage for passage in library.passages}
        meta = json.loads((path / "meta.json").read_text("utf-8"))
        if (meta["embedder"], meta["dimension"]) != (model.id, model.dimension):
            raise SearchIndexError(f"index {path.name} was made by {meta['embedder']}; run `interviewer index --force`")
        self._collection = _client(path).get_collection(COLLECTION, embedding_function=None)
        if self._collection.count() != meta["vectors"]:
            raise SearchIndexError(f"index {path.name} is incomplete; run `interviewer index --force`")
        self._bm25 = bm25s.BM25.load(path / "bm25")
        self._ids: list[str] = meta["ids"]

    def search(self, text: str, *, limit: int = 5, lang: Lang | None = None) -> list[tuple[Passage, float]]:
        """Return the passages nearest to a text, best first, with their fused scores."""
        scores: dict[str, float] = {}
        for ranking in (self.dense(text, lang=lang), self.exact(text, lang=lang)):
            for rank, name in enumerate(ranking, start=1):
                scores[name] = scores.get(name, 0.0) + 1.0 / (RANK_CONSTANT + rank)
        best = sorted(scores, key=lambda name: (-scores[name], name))[:limit]
        return [(self._passages[name], round(scores[name], 6)) for name in best]

    def nearness(self, text: str) -> tuple[float, float]:
        """Return the cosine of the nearest passage and the share of the text's terms that any passage holds."""
        terms = set(self._library.glossary.terms(text))
        known = sum(term in self._bm25.vocab_dict for term in terms) / len(terms) if terms else 0.0
        found = self._query(text, limit=1, include=["distances"])
        return 1.0 - float(found["distances"][0][0]), known

    def likeness(self, text: str, others: Sequence[str]) -> list[float]:
        """Return the cosine of a text to each of some others."""
        vectors = self._model.embed([text, *others])
        return [float(cosine) for cosine in vectors[1:] @ vectors[0]]

    def dense(self, text: str, *, lang: Lang | None = None) -> list[str]:
        """Return the ids of the passages nearest in meaning."""
        found = self._query(text, limit=VECTORS, lang=lang, include=["metadatas"])
        return list(dict.fromkeys(row["passage"] for row in found["metadatas"][0]))[:CANDIDATES]

    def _query(self, text: str, *, limit: int, include: list[str], lang: Lang | None = None) -> Any:
        vector = self._model.embed([text])[0]
        return self._collection.query(
            query_embeddings=[vector],
            n_results=limit,
            where={"lang": lang} if lang else None,
            include=include,
        )

    def exact(self, text: str, *, lang: Lang | None = None) -> list[str]:
        """Return the ids of the passages that share the rarest terms (BM25)."""
        vocabulary = self._bm25.vocab_dict
        terms = [term for term in self._library.glossary.terms(text) if term in vocabulary]
        if not terms:
            return []
        scores = self._bm25.get_scores(terms)
        order = np.argsort(-scores, kind="stable")
        found = [self._ids[i] for i in order if scores[i] > 0]
        return [name for name in found if lang is None or self._passages[name].lang == lang][:CANDIDATES]


def index_for(
    settings: Settings, library: Library, *, force: bool = False, progress: Progress | None = None
) -> SearchIndex:
    """Open the index of the settings; build it where it must be. Raises as `open_index`."""
    return open_index(library, embedder(settings.embedder), root=settings.index_root, force=force, progress=progress)


def open_index(
    library: Library, model: Embedder, *, root: Path, force: bool = False, progress: Progress | None = None
) -> SearchIndex:
    """Open the index of a library; build it where it is missing, stale or broken.

    Raises:
        SearchIndexError: it cannot be built.
        StorageBusy: another process has been building it for two minutes.
    """
    path = root / index_name(library, model)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".lock", timeout=LOCK_SECONDS):
            if force or not (opened := _try_open(path, library, model)):
                _build(path, library, model, progress=progress)
                opened = SearchIndex(path, library=library, model=model)
                _forget_old(root, keep=path)
            return opened
    except Timeout as error:
        raise StorageBusy(f"another process is building the index in {root}; try again in a minute") from error
    except (OSError, chromadb.errors.ChromaError) as error:
        raise SearchIndexError(
            f"the index cannot be written in {root}: {error}; free some space or set INTERVIEWER_HOME elsewhere"
        ) from error


def _try_open(path: Path, library: Library, model: Embedder) -> SearchIndex | None:
    if not (path / "meta.json").is_file():
        return None
    # A damaged index shows itself as almost any error (SQLite's, Chroma's, JSON's): it is derived data, so rebuild.
    try:
        opened = SearchIndex(path, library=library, model=model)
        opened.search("attention")
    except Exception:
        return None
    return opened


def _build(path: Path, library: Library, model: Embedder, *, progress: Progress | None) -> None:
    texts = list(_texts(library))
    work = Path(tempfile.mkdtemp(prefix=".building-", dir=path.parent))
    try:
        collection = _client(work).create_collection(
            COLLECTION, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )
        for first in range(0, len(texts), BATCH):
            batch = texts[first : first + BATCH]
            vectors = model.embed([text for _, text in batch])
            collection.upsert(
                ids=[f"{first + number}" for number in range(len(batch))],
                embeddings=list(vectors),
                metadatas=[{"passage": p.id, "lang": p.lang} for p, _ in batch],
            )
            if progress:
                progress(min(first + BATCH, len(texts)), len(texts))
        _bm25(library).save(work / "bm25")
        meta = {
            "embedder": model.id,
            "dimension": model.dimension,
            "vectors": len(texts),
            "ids": [p.id for p in library.passages],
        }
        (work / "meta.json").write_text(json.dumps(meta), "utf-8")
        _close(work)
        if path.exists():
            _close(path)
            shutil.rmtree(path)
        work.rename(path)
    finally:
        _close(work)
        shutil.rmtree(work, ignore_errors=True)


def _texts(library: Library) -> Iterator[tuple[Passage, str]]:
    """Return what is embedded: each passage, and each point that rests on it.

    A point says in one sentence what the passage says in many: people ask in such words.
    """
    for passage in library.passages:
        yield passage, f"{passage.heading}\n{passage.text}"
        for point in library.points_on.get(passage.id, ()):
            yield passage, point.text.get(passage.lang)


def _bm25(library: Library) -> "bm25s.BM25":
    model = bm25s.BM25()
    model.index([_words(passage, library) or ["∅"] for passage in library.passages], show_progress=False)
    return model


def _words(passage: Passage, library: Library) -> list[str]:
    """Return the terms of a passage with those of the points that rest on it, in both languages."""
    said = [passage.heading, passage.text]
    for point in library.points_on.get(passage.id, ()):
        said += [point.text.en, point.text.zh, *(wording for group in point.keys for wording in group)]
    return list(library.glossary.terms(" . ".join(said)))


def _client(path: Path) -> Any:
    return chromadb.PersistentClient(str(path), settings=ChromaSettings(anonymized_telemetry=False))


def _close(path: Path) -> None:
    """Let go of a folder's database: Chroma keeps one open a path for the life of the process."""
    from chromadb.api.shared_system_client import SharedSystemClient

    system = SharedSystemClient._identifier_to_system.pop(str(path), None)
    if system is not None:
        with suppress(Exception):
            system.stop()


def _forget_old(root: Path, *, keep: Path) -> None:
    """Remove older indexes but the newest two, and what crashed builds left."""
    for left in root.glob(".building-*"):
        shutil.rmtree(left, ignore_errors=True)
    others = sorted((p for p in root.iterdir() if p.is_dir() and p != keep), key=lambda p: p.stat().st_mtime)
    for old in others[:-2]:
        shutil.rmtree(old, ignore_errors=True)
