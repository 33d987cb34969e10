"""The figures of agreement are those of the textbooks, and a file of labelled answers is read with care."""

import json
from pathlib import Path

import numpy as np
import pytest

from interviewer.errors import ConfigError
from interviewer.evaluation.judged import JudgedAnswer, JudgedPoint, set_beside, task_for
from interviewer.evaluation.metrics import (
    accuracy_at,
    by_answer,
    by_pair,
    by_point,
    calibration_error,
    inside_an_answer,
    kappa_interval,
    within,
)
from interviewer.grading.grade import Grade, PointGrade
from interviewer.labels import Label, LabelledAnswer, read_labelled, split_of
from interviewer.library import Library
from interviewer.settings import data_folder
from tests.conftest import Run

ANSWERS = data_folder("knowledge") / "answers"
LINE = {
    "id": "a",
    "question": "Q?",
    "points": [{"id": "p", "text": "Water boils at 100 degrees."}],
    "answer": "It boils at 100.",
}


def point(
    label: Label,
    decided: Label,
    *,
    chance: float = 0.5,
    confidence: float = 0.9,
    answer: str = "a",
    group: str = "g",
    name: str = "p",
) -> JudgedPoint:
    return JudgedPoint(
        answer=answer, group=group, point=name, topic="", lang="en", across=False, kind="", label=label,
        verdict=decided, decided=decided, chance=chance, confidence=confidence,
    )  # fmt: skip


def answer(
    name: str, points: list[JudgedPoint], *, human: float | None = None, score: float | None = None, **more: object
) -> JudgedAnswer:
    labelled = LabelledAnswer.model_validate({**LINE, "id": name, "verdicts": {}, "score": 0, **more})
    return JudgedAnswer(labelled=labelled, grade=Grade(engine="e"), points=tuple(points), human=human, score=score)


def test_kappa_of_a_published_table() -> None:
    # Two readers, 50 proposals: both yes 20, both no 15, 5 and 10 apart (the worked example found in most textbooks).
    rows = [("covered", "covered")] * 20 + [("missed", "missed")] * 15
    rows += [("covered", "missed")] * 5 + [("missed", "covered")] * 10
    points = [point(one, two, group=str(i)) for i, (one, two) in enumerate(rows)]  # type: ignore[arg-type]
    found = kappa_interval(points)
    assert found.value == pytest.approx(0.4)
    assert found.low < 0.4 < found.high
    figures = by_point(points)
    assert figures["accuracy"] == pytest.approx(0.7)
    assert figures["covered"]["precision"] == pytest.approx(20 / 30, abs=1e-3)
    assert figures["covered"]["recall"] == pytest.approx(20 / 25, abs=1e-3)
    assert figures["bias"] == pytest.approx(0.1)


def test_kappa_of_full_agreement_on_one_verdict_is_one() -> None:
    assert kappa_interval([point("missed", "missed")] * 3).value == 1.0


def test_auc_inside_an_answer_ignores_how_answers_differ() -> None:
    # A judge that only knows which answer is good ranks nothing inside an answer.
    points = [
        point("covered", "covered", chance=0.9, answer="good"),
        point("missed", "covered", chance=0.9, answer="good"),
    ]
    points += [
        point("covered", "missed", chance=0.1, answer="bad"),
        point("missed", "missed", chance=0.1, answer="bad"),
    ]
    assert inside_an_answer(points) == 0.5


def test_calibration_error_of_a_judge_that_is_as_right_as_it_says_is_zero() -> None:
    points = [point("covered", "covered", confidence=0.75)] * 3 + [point("missed", "covered", confidence=0.75)]
    assert calibration_error(points) == pytest.approx(0.0)
    assert calibration_error([point("missed", "covered", confidence=0.9)]) == pytest.approx(0.9)


def test_the_least_certain_are_set_aside_first() -> None:
    points = [point("covered", "covered", chance=0.9)] * 3 + [point("missed", "covered", chance=0.55)]
    assert accuracy_at(points, 1.0) == 0.75
    assert accuracy_at(points, 0.75) == 1.0


def test_correlation_within_questions_leaves_out_what_questions_differ_by() -> None:
    human, score = np.array([0.0, 0.1, 0.9, 1.0]), np.array([0.1, 0.0, 1.0, 0.9])
    assert within(human, score, ["a", "a", "b", "b"]) == pytest.approx(-1.0)


def test_scores_stand_beside_length_alone() -> None:
    rows = [
        answer(str(i), [], human=i / 4, score=i / 4, answer="word " * n, question_id="q")
        for i, n in enumerate((9, 3, 7, 1, 5))
    ]
    figures = by_answer(rows)
    assert figures["pearson"] == 1.0
    assert figures["pearson_of_length"] == pytest.approx(np.corrcoef([0, 1, 2, 3, 4], [9, 3, 7, 1, 5])[0, 1], abs=0.01)
    assert figures["weighted_kappa"] == 1.0
    assert figures["rmse"] == 0.0


def test_a_pair_flips_when_both_sides_are_right_and_the_rest_stays() -> None:
    base = answer("1", [point("covered", "covered", answer="1"), point("missed", "missed", answer="1", name="q")])
    pair = {"of": "1", "point": "p", "change": "removed"}
    good = answer(
        "2", [point("missed", "missed", answer="2"), point("missed", "missed", answer="2", name="q")], pair=pair
    )
    bad = answer(
        "3", [point("missed", "covered", answer="3"), point("missed", "covered", answer="3", name="q")], pair=pair
    )
    figures = by_pair([base, good, bad])
    assert figures["changed_point_flips"] == 0.5
    assert figures["other_points_stay"] == 0.5


def test_a_translation_that_is_judged_otherwise_is_counted() -> None:
    base = answer("1", [point("covered", "covered", answer="1")])
    same = answer("2", [point("covered", "covered", answer="2")], translates="1")
    other = answer("3", [point("covered", "missed", answer="3")], translates="1")
    assert by_pair([base, same, other])["translation_moves"] == 0.5


def test_an_uncertain_point_counts_by_its_likeliest_verdict_and_lowers_coverage(library: Library) -> None:
    labelled = LabelledAnswer.model_validate({**LINE, "verdicts": {"p": "covered"}})
    grade = Grade(
        engine="e",
        points=(
            PointGrade(
                id="p",
                verdict="uncertain",
                confidence=0.4,
                probabilities={"covered": 0.4, "missed": 0.35, "partial": 0.25},
            ),
        ),
    )
    found = set_beside(labelled, task_for(labelled, library), grade, library)
    assert found.points[0].decided == "covered"
    assert found.human == 1.0
    assert found.score == pytest.approx(0.4 + 0.5 * 0.25)
    assert by_point(found.points)["coverage"] == 0.0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('{"answer": "x"}', "names no card"),
        (json.dumps(LINE), "no label"),
        (json.dumps({**LINE, "verdicts": {"p": "excellent"}}), "verdicts.p"),
        (json.dumps({**LINE, "score": 3, "max_score": 2}), "above its max_score"),
    ],
)
def test_a_line_that_is_no_labelled_answer_is_named(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({**LINE, "verdicts": {"p": "missed"}}) + "\n" + line, "utf-8")
    with pytest.raises(ConfigError, match="line 2") as caught:
        read_labelled(file)
    assert said in str(caught.value)


def test_a_label_of_no_point_is_an_error(library: Library) -> None:
    labelled = LabelledAnswer.model_validate({**LINE, "verdicts": {"r": "covered"}})
    with pytest.raises(ConfigError, match="no point of it"):
        task_for(labelled, library)


def test_evaluate_prints_figures_and_writes_a_page(run: Run, tmp_path: Path) -> None:
    file, page = tmp_path / "a.jsonl", tmp_path / "page.html"
    rows = [
        {**LINE, "id": "1", "verdicts": {"p": "covered"}},
        {**LINE, "id": "2", "answer": "It freezes <b>quite</b> soon when left outside.", "verdicts": {"p": "missed"}},
        {
            **LINE,
            "id": "3",
            "points": [],
            "reference": "Water boils at 100 degrees.",
            "answer": "At 100.",
            "score": 4,
            "max_score": 5,
        },
    ]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    done = run("evaluate", str(file), "--page", str(page), "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["answers"] == 3
    assert figures["all"]["points"] == 2
    text = page.read_text("utf-8")
    assert "<svg" in text
    assert "<b>quite" not in text
    assert run("evaluate", str(tmp_path / "none.jsonl")).returncode == 2


def test_split_is_by_card_and_fixed() -> None:
    found = [split_of(name) for name in ("peft-lora-update", "rope-rotation", "forgetting-why")]
    assert found == ["train", "train", "dev"]


def test_labelled_answers_are_complete(library: Library) -> None:
    answers = read_labelled(ANSWERS)
    names = {a.id: a for a in answers}
    assert len(names) == len(answers)
    for labelled in answers:
        assert labelled.card
        card = library.cards[labelled.card]
        for verdicts in (labelled.verdicts, labelled.blind):
            assert verdicts is None or set(verdicts) == {p.id for p in card.points}, labelled.id
        if labelled.pair:
            base = names[labelled.pair.of]
            moved = {p for p, verdict in labelled.verdicts.items() if base.verdicts[p] != verdict}
            assert moved == {labelled.pair.point}, labelled.id
        if labelled.translates:
            assert names[labelled.translates].verdicts == labelled.verdicts, labelled.id
