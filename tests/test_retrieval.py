"""The index is rebuilt when it must be, and finds what is asked for in either language."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from interviewer.errors import SearchIndexError
from interviewer.library import Library, read_library
from interviewer.retrieval.embedder import Embedder
from interviewer.retrieval.index import index_name, open_index
from tests.conftest import Run

SENTENCES = Path(__file__).parents[1] / "training" / "sentences.txt"
REFERENCE = Path(__file__).parent / "data" / "minilm_reference.npz"


def test_int8_stays_close_to_the_original(minilm: Embedder) -> None:
    text = SENTENCES.read_bytes()
    reference = np.load(REFERENCE, allow_pickle=False)
    assert str(reference["sentences_sha256"]) == hashlib.sha256(text).hexdigest()
    lines = text.decode().splitlines()
    assert len(lines) == 200
    cosines = (minilm.embed(lines) * reference["embeddings"].astype(np.float32)).sum(axis=1)
    assert cosines.mean() >= 0.98


def test_second_open_does_not_rebuild(library: Library, minilm: Embedder, tmp_path: Path) -> None:
    built: list[int] = []
    open_index(library, minilm, root=tmp_path, progress=lambda done, _: built.append(done))
    assert built
    built.clear()
    open_index(library, minilm, root=tmp_path, progress=lambda done, _: built.append(done))
    assert not built


def test_broken_index_is_rebuilt(library: Library, minilm: Embedder, tmp_path: Path) -> None:
    open_index(library, minilm, root=tmp_path)
    folder = tmp_path / index_name(library, minilm)
    (folder / "meta.json").write_text("{", "utf-8")
    assert open_index(library, minilm, root=tmp_path).search("forgetting")


def test_index_of_another_model_is_rebuilt(library: Library, minilm: Embedder, tmp_path: Path) -> None:
    open_index(library, minilm, root=tmp_path)
    meta = tmp_path / index_name(library, minilm) / "meta.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text("utf-8")), "dimension": 7}), "utf-8")
    assert open_index(library, minilm, root=tmp_path).search("forgetting")
    assert json.loads(meta.read_text("utf-8"))["dimension"] == 384


def test_changed_note_is_a_new_index(knowledge: Path, library: Library, minilm: Embedder) -> None:
    note = next((knowledge / "notes").glob("*.md"))
    note.write_text(note.read_text("utf-8") + "\nOne more line.\n", "utf-8")
    assert index_name(read_library(knowledge), minilm) != index_name(library, minilm)


def test_index_that_cannot_be_written_says_what_to_do(library: Library, minilm: Embedder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SearchIndexError, match="INTERVIEWER_HOME"):
        open_index(library, minilm, root=tmp_path / "file" / "index")


def test_passages_know_their_lines(library: Library) -> None:
    for passage in library.passages:
        lines = (library.folder / passage.file).read_text("utf-8").split("\n")
        first, last = passage.lines
        assert passage.text.split("\n")[0] == lines[first - 1]
        assert passage.text.split("\n")[-1] == lines[last - 1]


def test_search_prints_file_heading_lines_text_score(run: Run) -> None:
    result = run("search", "灾难性遗忘", "--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert set(found[0]) == {"file", "heading", "lines", "text", "score"}
    assert found[0]["file"].startswith("notes/forgetting")


def test_search_across_languages(library: Library, minilm: Embedder, tmp_path: Path) -> None:
    index = open_index(library, minilm, root=tmp_path)
    english = index.search("灾难性遗忘为什么会发生", lang="en")
    chinese = index.search("why does catastrophic forgetting happen", lang="zh")
    assert english[0][0].file == "notes/forgetting.en.md"
    assert chinese[0][0].file == "notes/forgetting.zh.md"
