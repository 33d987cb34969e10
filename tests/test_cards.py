"""Cards are checked with file and line."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from interviewer.cards import BadCards, CardFile
from interviewer.errors import KnowledgeError
from interviewer.grading.grade import task_of
from interviewer.grading.offline import OfflineJudge
from interviewer.language import LANGS
from interviewer.library import Library, open_library, read_library
from interviewer.library_check import check
from interviewer.library_review import review
from interviewer.retrieval.embedder import Embedder
from interviewer.settings import data_folder
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


def test_typo_in_a_card_is_named_with_file_and_line(few_topics: Path) -> None:
    path = sorted((few_topics / "cards").glob("*.yaml"))[0]
    lines = path.read_text("utf-8").split("\n")
    number = next(i for i, line in enumerate(lines) if "difficulty:" in line)
    lines[number] = lines[number].replace("difficulty:", "dificulty:")
    path.write_text("\n".join(lines), "utf-8")
    problems = read_library(few_topics).problems
    assert any(p.file == f"cards/{path.name}" and p.line == number + 1 and "dificulty" in p.message for p in problems)
    with pytest.raises(BadCards, match=path.name):
        open_library(few_topics)


def test_cards_parsed_before_are_the_same_and_a_change_is_seen(few_topics: Path, tmp_path: Path) -> None:
    first = open_library(few_topics, cache=tmp_path / "parsed")
    kept = list((tmp_path / "parsed").iterdir())
    assert len(kept) == 3
    assert dict(CardFile(few_topics / "cards" / "peft.yaml", name="p", cache=tmp_path / "parsed").topic) == dict(
        CardFile(few_topics / "cards" / "peft.yaml", name="p").topic
    )
    path = few_topics / "cards" / "peft.yaml"
    path.write_text(path.read_text("utf-8").replace("difficulty: 2", "difficulty: 5", 1), "utf-8")
    again = open_library(few_topics, cache=tmp_path / "parsed")
    name = "peft-lora-update"
    assert (first.cards[name].difficulty, again.cards[name].difficulty) == (2, 5)
    kept = list((tmp_path / "parsed").iterdir())
    assert len(kept) == 3  # what the file held before is not kept
    for file in kept:
        file.write_text("{", "utf-8")
    assert len(open_library(few_topics, cache=tmp_path / "parsed").cards) == len(again.cards)


def test_source_that_stands_nowhere_is_named(few_topics: Path) -> None:
    note = next((few_topics / "notes").glob("*.en.md"))
    note.write_text("# Emptied\n\nNothing of it is left here.\n", "utf-8")
    assert any("stands in no line" in problem.message for problem in check(read_library(few_topics)))


def test_id_used_twice_is_named(few_topics: Path) -> None:
    path = sorted((few_topics / "cards").glob("*.yaml"))[0]
    (few_topics / "cards" / "zz.yaml").write_text(path.read_text("utf-8"), "utf-8")
    assert any("already used" in problem.message for problem in check(read_library(few_topics)))


def test_missing_and_empty_folders_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="INTERVIEWER_KNOWLEDGE"):
        read_library(tmp_path)
    (tmp_path / "notes").mkdir()
    with pytest.raises(KnowledgeError, match="holds no notes"):
        read_library(tmp_path)


def test_check_prints_counts_and_fails_on_problems(run: Run, few_topics: Path) -> None:
    good = run("cards", "check", "--json")
    assert good.returncode == 0
    found = json.loads(good.stdout)
    assert found["problems"] == []
    assert found["topics"] >= 31
    assert found["cards"] >= 260
    assert found["points"] >= 1100
    assert found["computed"] >= 40
    assert found["support"]["mean"] > 0.7
    assert found["coverage"]["peft"].keys() == {"1", "2", "3", "4", "5"}
    (few_topics / "cards" / "broken.yaml").write_text("topic: [\n", "utf-8")
    bad = run("cards", "check", env={"INTERVIEWER_KNOWLEDGE": str(few_topics)})
    assert bad.returncode == 1
    assert "cards/broken.yaml:" in bad.stdout


def test_prerequisite_that_there_is_not_is_named(few_topics: Path, minilm: Embedder) -> None:
    problems, _ = review(read_library(few_topics), minilm)
    assert any("prerequisite attention is no other topic" in str(problem) for problem in problems)


def test_numbers_that_differ_between_the_languages_are_named(few_topics: Path, minilm: Embedder) -> None:
    path = few_topics / "cards" / "peft.yaml"
    data = yaml.safe_load(path.read_text("utf-8"))
    data["cards"][0]["points"][0]["text"]["zh"] += "有 4,096 个。"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), "utf-8")
    problems, _ = review(read_library(few_topics), minilm)
    assert any("4096" in str(problem) and problem.file == "cards/peft.yaml" for problem in problems)


def test_question_that_is_asked_twice_or_tells_its_point_is_named(few_topics: Path, minilm: Embedder) -> None:
    path = few_topics / "cards" / "peft.yaml"
    data = yaml.safe_load(path.read_text("utf-8"))
    data["cards"][1]["question"] = data["cards"][0]["question"]
    data["cards"][2]["hints"][0]["en"] = data["cards"][2]["points"][0]["text"]["en"]
    path.write_text(yaml.safe_dump(data, allow_unicode=True), "utf-8")
    problems, _ = review(read_library(few_topics), minilm)
    assert any("asks the same as" in str(problem) for problem in problems)
    assert any("question and hints (en) tell" in str(problem) for problem in problems)


def test_computed_card_that_gives_its_result_away_is_named(few_topics: Path) -> None:
    shipped = data_folder("knowledge")
    for name in ("notes/sizing.en.md", "notes/sizing.zh.md", "cards/sizing.yaml"):
        shutil.copy(shipped / name, few_topics / name)
    path = few_topics / "cards" / "sizing.yaml"
    text = path.read_text("utf-8")
    path.write_text(text.replace("How many vectors does one layer keep", "It is {total:GiB}; why", 1), "utf-8")
    assert any("gives total away" in str(problem) for problem in check(read_library(few_topics)))
    path.write_text(text.replace("{per_token:KiB}", "{per_tokens:KiB}", 1), "utf-8")
    assert any("cannot be drawn" in str(problem) for problem in check(read_library(few_topics)))


def test_new_topic_starts_from_files_that_pass_the_checks(run: Run, few_topics: Path) -> None:
    env = {"INTERVIEWER_KNOWLEDGE": str(few_topics)}
    made = run("cards", "new", "kv-cache", env=env)
    assert made.returncode == 0, made.stderr
    assert len(made.stdout.splitlines()) == 3
    assert not [problem for problem in check(read_library(few_topics)) if "kv-cache" in problem.file]
    again = run("cards", "new", "kv-cache", env=env)
    assert again.returncode == 2
    assert "is there already" in again.stderr
    assert run("cards", "new", "KV cache", env=env).returncode == 2


@pytest.mark.parametrize("lang", LANGS)
def test_repeating_a_misconception_is_contradicted(library: Library, lang: str) -> None:
    judge = OfflineJudge(library.glossary)
    for card in library.cards.values():
        for wrong in card.misconceptions:
            task = task_of(card, wrong.claim.get(lang), lang=lang)  # type: ignore[arg-type]
            verdicts = {p.id: p.verdict for p in judge.verdicts(task)}
            assert all(verdicts[name] == "contradicted" for name in wrong.contradicts), (card.id, wrong.id)


@pytest.mark.parametrize("lang", LANGS)
def test_reference_answers_score_high(library: Library, lang: str) -> None:
    judge = OfflineJudge(library.glossary)
    low, wrong, points = [], [], 0
    for card in library.cards.values():
        if card.computed:
            continue  # its references are checked in test_computed.py
        verdicts = judge.verdicts(task_of(card, card.reference.get(lang), lang=lang))  # type: ignore[arg-type]
        wrong += [(card.id, p.id) for p in verdicts if p.verdict == "contradicted"]
        points += len(verdicts)
        credit = sum({"covered": 1.0, "partial": 0.5}.get(p.verdict, 0.0) for p in verdicts) / len(verdicts)
        if credit < 0.7:
            low.append((card.id, credit))
    assert not low
    # The judge is a statistical one: a few sentences that deny something are taken for a claim turned round.
    assert len(wrong) < 0.01 * points, wrong
