"""The index is rebuilt when it must be, and finds what is asked for in either language."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from interviewer.errors import NothingFound, SearchIndexError
from interviewer.library import Library, Note, read_library
from interviewer.retrieval.about import cards_about
from interviewer.retrieval.embedder import Embedder
from interviewer.retrieval.index import SearchIndex, index_name, open_index
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


def test_second_open_does_not_rebuild(few_topics: Path, minilm: Embedder, tmp_path: Path) -> None:
    library = read_library(few_topics)
    built: list[int] = []
    open_index(library, minilm, root=tmp_path, progress=lambda done, _: built.append(done))
    assert built
    built.clear()
    open_index(library, minilm, root=tmp_path, progress=lambda done, _: built.append(done))
    assert not built


def test_broken_index_is_rebuilt(few_topics: Path, minilm: Embedder, tmp_path: Path) -> None:
    library = read_library(few_topics)
    open_index(library, minilm, root=tmp_path)
    folder = tmp_path / index_name(library, minilm)
    (folder / "meta.json").write_text("{", "utf-8")
    assert open_index(library, minilm, root=tmp_path).search("forgetting")


def test_index_of_another_model_is_rebuilt(few_topics: Path, minilm: Embedder, tmp_path: Path) -> None:
    library = read_library(few_topics)
    open_index(library, minilm, root=tmp_path)
    meta = tmp_path / index_name(library, minilm) / "meta.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text("utf-8")), "dimension": 7}), "utf-8")
    assert open_index(library, minilm, root=tmp_path).search("forgetting")
    assert json.loads(meta.read_text("utf-8"))["dimension"] == 384


def test_changed_note_is_a_new_index(knowledge: Path, library: Library, minilm: Embedder) -> None:
    note = next((knowledge / "notes").glob("*.md"))
    note.write_text(note.read_text("utf-8") + "\nOne more line.\n", "utf-8")
    assert index_name(read_library(knowledge), minilm) != index_name(library, minilm)


def test_index_that_cannot_be_written_says_what_to_do(few_topics: Path, minilm: Embedder, tmp_path: Path) -> None:
    library = read_library(few_topics)
    (tmp_path / "file").write_text("")
    with pytest.raises(SearchIndexError, match="INTERVIEWER_HOME"):
        open_index(library, minilm, root=tmp_path / "file" / "index")


def test_sections_are_passages_and_long_ones_are_cut_evenly() -> None:
    lines = [f"Sentence number {n} of this section says something of its own." for n in range(60)]
    note = Note(
        name="n",
        file="notes/n.en.md",
        lang="en",
        text="# T\n\n## Short\nOne line here.\n\n## Long\n" + "\n".join(lines),
    )
    short, *cut = note.passages()
    assert (short.heading, short.lines) == ("T > Short", (4, 4))
    sizes = [len(passage.text) for passage in cut]
    assert len(sizes) == 3
    assert max(sizes) - min(sizes) < 200
    assert [line for passage in cut for line in passage.text.split("\n")] == lines


def test_passages_know_their_lines(library: Library) -> None:
    for passage in library.passages:
        lines = (library.folder / passage.file).read_text("utf-8").split("\n")
        first, last = passage.lines
        assert passage.text.split("\n")[0] == lines[first - 1]
        assert passage.text.split("\n")[-1] == lines[last - 1]


def test_search_prints_file_heading_lines_text_score(run: Run, few_topics: Path) -> None:
    result = run("search", "灾难性遗忘", "--json", env={"INTERVIEWER_KNOWLEDGE": str(few_topics)})
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert set(found[0]) == {"file", "heading", "lines", "text", "score"}
    assert found[0]["file"].startswith("notes/forgetting")


def test_search_across_languages(index: SearchIndex) -> None:
    english = index.search("灾难性遗忘为什么会发生", lang="en")
    chinese = index.search("why does catastrophic forgetting happen", lang="zh")
    assert english[0][0].file == "notes/forgetting.en.md"
    assert chinese[0][0].file == "notes/forgetting.zh.md"


IN_THE_NOTES = (
    "显存不够时怎么微调", "fine-tuning when GPU memory is short", "how do I evaluate a summariser", "长上下文外推",
    "为什么大家都用decoder-only", "LoRA", "rank 怎么选", "模型老是重复输出怎么办", "BERT 句向量", "加速推理",
    "my classifier has 99% accuracy but misses fraud", "overfitting after fine tuning", "KV cache", "评估指标",
    "temperature and top-p", "数据质量", "幻觉", "准备明天的面试，主要考微调", "ROUGE vs BLEU", "catastrophic forgeting",
    "怎么让模型跑得快一点", "I want to practise questions on parameter efficient methods",
)  # fmt: skip
NOT_IN_THE_NOTES = (
    "sourdough hydration kneading", "红烧肉怎么做", "how to bake bread at home", "明天天气怎么样", "React hooks useEffect",
    "kubernetes ingress controllers", "the history of the Roman empire", "股票什么时候涨", "Java 垃圾回收", "足球世界杯冠军",
    "best restaurants in Paris", "how to negotiate a salary", "TCP 三次握手", "cooking a memory foam mattress",
    "Spring Boot 事务", "", "😀", "???",
)  # fmt: skip


def test_own_words_find_cards_or_an_honest_no(library: Library, index: SearchIndex) -> None:
    for words in IN_THE_NOTES:
        assert cards_about(index, library, words, limit=3).fits, words
    for words in NOT_IN_THE_NOTES:
        with pytest.raises(NothingFound, match="notes hold nothing"):
            cards_about(index, library, words, limit=3)


@pytest.mark.parametrize(
    ("words", "card"),
    [
        ("显存不够时怎么微调", "peft-choose"),
        ("temperature and top-p", "sampling-order"),
        ("BERT 句向量", "bert-cls-embedding"),
        ("LoRA 的 rank 怎么选", "peft-rank-targets"),
        ("NER怎么评估", "metrics-ner"),
        ("KV cache", "kv-cache-idea"),
        ("数据质量", "data-filtering"),
    ],
)
def test_own_words_find_the_card_on_them(library: Library, index: SearchIndex, words: str, card: str) -> None:
    assert card in cards_about(index, library, words, limit=3).cards


def test_two_processes_build_one_index(run: Run, own_home: Path, few_topics: Path) -> None:
    env = {"INTERVIEWER_KNOWLEDGE": str(few_topics)}
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda words: run("search", words, "--json", env=env), ["LoRA", "遗忘", "RoPE"]))
    for result in results:
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)
    assert len(list((own_home / "index").glob("*/meta.json"))) == 1
    assert not list((own_home / "index").glob(".building-*"))


def test_embedder_that_is_not_installed_says_what_to_do(run: Run) -> None:
    result = run("search", "LoRA", env={"INTERVIEWER_EMBEDDER": "BAAI/bge-m3"})
    assert result.returncode == 2
    assert "interviewer[hub]" in result.stderr
    assert "Traceback" not in result.stderr
