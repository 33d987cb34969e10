"""Cards are checked with file and line."""

import json
from pathlib import Path

import pytest

from interviewer.cards import BadCards
from interviewer.errors import KnowledgeError
from interviewer.grading.grade import task_of
from interviewer.grading.offline import OfflineJudge
from interviewer.language import LANGS
from interviewer.library import Library, open_library, read_library
from interviewer.library_check import check
from interviewer.retrieval.embedder import Embedder
from tests.conftest import Run


def test_shipped_knowledge_has_no_problems(library: Library) -> None:
    assert check(library) == []


def test_every_point_cites_a_line_in_both_languages(library: Library) -> None:
    for card in library.cards.values():
        for point in card.points:
            for lang in LANGS:
                citation = library.cited(card, point, lang)
                assert citation is not None
                assert library.passage_at(citation.file, citation.line) is not None


def test_typo_in_a_card_is_named_with_file_and_line(knowledge: Path) -> None:
    path = sorted((knowledge / "cards").glob("*.yaml"))[0]
    lines = path.read_text("utf-8").split("\n")
    number = next(i for i, line in enumerate(lines) if "difficulty:" in line)
    lines[number] = lines[number].replace("difficulty:", "dificulty:")
    path.write_text("\n".join(lines), "utf-8")
    problems = read_library(knowledge).problems
    assert any(p.file == f"cards/{path.name}" and p.line == number + 1 and "dificulty" in p.message for p in problems)
    with pytest.raises(BadCards, match=path.name):
        open_library(knowledge)


def test_source_that_stands_nowhere_is_named(knowledge: Path) -> None:
    note = next((knowledge / "notes").glob("*.en.md"))
    note.write_text("# Emptied\n\nNothing of it is left here.\n", "utf-8")
    assert any("stands in no line" in problem.message for problem in check(read_library(knowledge)))


def test_id_used_twice_is_named(knowledge: Path) -> None:
    path = sorted((knowledge / "cards").glob("*.yaml"))[0]
    (knowledge / "cards" / "zz.yaml").write_text(path.read_text("utf-8"), "utf-8")
    assert any("already used" in problem.message for problem in check(read_library(knowledge)))


def test_missing_and_empty_folders_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="INTERVIEWER_KNOWLEDGE"):
        read_library(tmp_path)
    (tmp_path / "notes").mkdir()
    with pytest.raises(KnowledgeError, match="holds no notes"):
        read_library(tmp_path)


def test_check_prints_counts_and_fails_on_problems(run: Run, knowledge: Path) -> None:
    good = run("cards", "check", "--json")
    assert good.returncode == 0
    assert set(json.loads(good.stdout)) == {"topics", "notes", "cards", "points", "computed", "problems"}
    (knowledge / "cards" / "broken.yaml").write_text("topic: [\n", "utf-8")
    bad = run("cards", "check", env={"INTERVIEWER_KNOWLEDGE": str(knowledge)})
    assert bad.returncode == 1
    assert "cards/broken.yaml:" in bad.stdout


@pytest.mark.parametrize("lang", LANGS)
def test_repeating_a_misconception_is_contradicted(library: Library, minilm: Embedder, lang: str) -> None:
    judge = OfflineJudge(minilm, library.glossary)
    for card in library.cards.values():
        for wrong in card.misconceptions:
            task = task_of(card, wrong.claim.get(lang), lang=lang)  # type: ignore[arg-type]
            verdicts = {p.id: p.verdict for p in judge.verdicts(task)}
            assert all(verdicts[name] == "contradicted" for name in wrong.contradicts), (card.id, wrong.id)


@pytest.mark.parametrize("lang", LANGS)
def test_reference_answers_score_high(library: Library, minilm: Embedder, lang: str) -> None:
    judge = OfflineJudge(minilm, library.glossary)
    low = []
    for card in library.cards.values():
        verdicts = judge.verdicts(task_of(card, card.reference.get(lang), lang=lang))  # type: ignore[arg-type]
        assert not [p for p in verdicts if p.verdict == "contradicted"], card.id
        credit = sum({"covered": 1.0, "partial": 0.5}.get(p.verdict, 0.0) for p in verdicts) / len(verdicts)
        if credit < 0.7:
            low.append((card.id, credit))
    assert not low
