"""What was measured of a judge is kept, goes on where it was cut off, and is called stale when it is."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from interviewer.calibration import Agreement, Calibration, find, folder, keep, key_of, trust
from interviewer.cli.calibrate import Done, calibrate, sample
from interviewer.evaluation.judged import JudgedAnswer, set_beside, task_for
from interviewer.grading.grade import Grade, PointGrade
from interviewer.labels import LabelledAnswer, split_of
from interviewer.language import LANGS, Lang
from interviewer.library import Library
from interviewer.settings import Settings, data_folder
from tests.conftest import Run
from tests.faults.fake import MODEL, FakeServer

JUDGE = f"llm:{MODEL}"
GOOD = Agreement(points=50, kappa=0.81, bias=0.02)


@pytest.fixture
def served(settings: Settings, server: FakeServer) -> Settings:
    return settings.model_copy(update={"engine": "llm", "llm_base_url": server.base_url, "llm_timeout": 5.0})


def measured(
    settings: Settings, *, by_language: Mapping[Lang, Agreement] | None = None, judge: str = JUDGE
) -> Calibration:
    found = by_language or {"en": GOOD, "zh": replace(GOOD, kappa=0.7)}
    return Calibration(
        judge=judge, key=key_of(settings, judge), at="2026-11-24T16:00:00+00:00", answers=20, by_language=found
    )


def judged(answer: LabelledAnswer, library: Library, *, engine: str = JUDGE) -> JudgedAnswer:
    task = task_for(answer, library)
    points = tuple(PointGrade(id=claim.id, verdict="missed", confidence=0.7) for claim in task.claims)
    return set_beside(answer, task, Grade(engine=engine, points=points, score=0.0), library)


def kept_lines(settings: Settings) -> Path:
    (path,) = folder(settings).glob("*.jsonl")
    return path


@pytest.mark.parametrize(
    ("lang", "line"),
    [
        ("en", "this judge agrees with the labels: kappa 0.81 en, kappa 0.70 zh, 2% too generous"),
        ("zh", "这位评分者与标注的一致程度：en kappa 0.81，zh kappa 0.70，偏宽 2%"),
    ],
)
def test_trust_is_one_line_in_the_language_of_the_reader(settings: Settings, lang: Lang, line: str) -> None:
    keep(settings, measured(settings))
    assert trust(settings, JUDGE, lang=lang) == line


@pytest.mark.parametrize(("lang", "words"), [("en", "4% too strict"), ("zh", "偏严 4%")])
def test_bias_is_that_over_the_points_of_both_languages(settings: Settings, lang: Lang, words: str) -> None:
    few, many = replace(GOOD, points=10, bias=0.1), replace(GOOD, points=90, bias=-0.056)
    keep(settings, measured(settings, by_language={"en": few, "zh": many}))
    assert trust(settings, JUDGE, lang=lang).endswith(words)


def test_judge_without_bias_is_called_neither_generous_nor_strict(settings: Settings) -> None:
    keep(settings, measured(settings, by_language={"en": replace(GOOD, bias=0.004)}))
    assert trust(settings, JUDGE, lang="en") == "this judge agrees with the labels: kappa 0.81 en"


@pytest.mark.parametrize(("lang", "words"), [("en", "agreement is weak"), ("zh", "一致程度偏低")])
@pytest.mark.parametrize(("kappa", "warned"), [(0.49, True), (0.5, False)])
def test_weak_agreement_in_one_language_is_warned_of(
    settings: Settings, lang: Lang, words: str, kappa: float, warned: bool
) -> None:
    keep(settings, measured(settings, by_language={"en": GOOD, "zh": replace(GOOD, kappa=kappa)}))
    assert (words in trust(settings, JUDGE, lang=lang)) == warned


@pytest.mark.parametrize(("lang", "words"), [("en", "was not measured"), ("zh", "还没有测过")])
def test_judge_that_was_never_measured_is_said_to_be_so(settings: Settings, lang: Lang, words: str) -> None:
    keep(settings, measured(settings))
    assert words in trust(settings, "llm:another", lang=lang)


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "measured with other prompts or settings"), ("zh", "别的提示词或设置")]
)
@pytest.mark.parametrize("change", [{"llm_points_a_call": 1}, {"llm_samples": 3}, {"llm_second_opinion": True}])
def test_judge_that_is_asked_in_another_way_was_not_measured_so(
    settings: Settings, change: dict[str, object], lang: Lang, words: str
) -> None:
    keep(settings, measured(settings))
    assert words not in trust(settings, JUDGE, lang=lang)
    assert words in trust(settings.model_copy(update=change), JUDGE, lang=lang)


def test_changed_prompt_makes_a_measurement_stale(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(settings, measured(settings))
    prompts = tmp_path / "prompts"
    for path in data_folder("prompts").glob("llm/*.md"):
        (prompts / "llm").mkdir(parents=True, exist_ok=True)
        (prompts / "llm" / path.name).write_text(path.read_text("utf-8"), "utf-8")
    monkeypatch.setattr("interviewer.calibration.data_folder", lambda name: tmp_path / name)
    assert "other prompts" not in trust(settings, JUDGE, lang="en")
    (prompts / "llm" / "judge.zh.md").write_text("DIRECTION JUDGE", "utf-8")
    assert "other prompts" in trust(settings, JUDGE, lang="en")


def test_measurement_survives_being_written(settings: Settings) -> None:
    one = measured(settings)
    keep(settings, one)
    assert find(settings, JUDGE) == one


def test_newer_measurement_replaces_the_older(settings: Settings) -> None:
    keep(settings, measured(settings))
    newer = replace(measured(settings), answers=120)
    keep(settings, newer)
    assert find(settings, JUDGE) == newer


def test_own_measurement_of_the_offline_judge_comes_before_the_shipped_one(settings: Settings) -> None:
    own = measured(settings, judge="offline")
    keep(settings, own)
    assert find(settings, "offline") == own


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"by_language": []}', '{"by_language": {"en": {"kappa": 1}}}'])
def test_measurement_that_was_spoilt_is_as_if_there_were_none(settings: Settings, text: str) -> None:
    keep(settings, measured(settings))
    (path,) = folder(settings).glob("*.json")
    path.write_text(text, "utf-8")
    assert find(settings, JUDGE) is None


def test_sample_is_of_the_dev_split_half_in_each_language_and_always_the_same() -> None:
    chosen = sample(11)
    assert {split_of(answer.card or "") for answer in chosen} == {"dev"}
    assert [answer.lang for answer in chosen] == ["en"] * 6 + ["zh"] * 5
    assert sample(11) == chosen


def test_grade_that_was_kept_is_found_again(settings: Settings, library: Library) -> None:
    answer, other, *_ = sample(10)
    found = judged(answer, library)
    Done(settings, JUDGE, library).put(found)
    again = Done(settings, JUDGE, library)
    assert again.get(answer) == found
    assert again.get(other) is None


def test_grade_by_a_judge_that_had_to_take_over_is_not_kept(settings: Settings, library: Library) -> None:
    (answer, *_) = sample(10)
    Done(settings, JUDGE, library).put(judged(answer, library, engine="offline"))
    assert Done(settings, JUDGE, library).get(answer) is None


def test_answer_that_reads_otherwise_now_is_judged_again(settings: Settings, library: Library) -> None:
    (answer, *_) = sample(10)
    Done(settings, JUDGE, library).put(judged(answer, library))
    reworded = answer.model_copy(update={"answer": "Something else altogether."})
    assert Done(settings, JUDGE, library).get(reworded) is None


def test_line_that_was_cut_off_is_judged_again_and_spoils_no_other(settings: Settings, library: Library) -> None:
    first, cut, after, *_ = sample(10)
    done = Done(settings, JUDGE, library)
    done.put(judged(first, library))
    done.put(judged(cut, library))
    path = kept_lines(settings)
    path.write_bytes(path.read_bytes()[:-40] + "评".encode()[:2])  # in the middle of a letter
    done = Done(settings, JUDGE, library)
    assert done.get(first)
    assert done.get(cut) is None
    done.put(judged(after, library))
    done = Done(settings, JUDGE, library)
    assert [bool(done.get(answer)) for answer in (first, cut, after)] == [True, False, True]


def test_calibrate_keeps_what_trust_then_tells(run: Run, served: Settings, server: FakeServer) -> None:
    env = {"INTERVIEWER_LLM_BASE_URL": server.base_url}
    done = run("calibrate", "--engine", "llm", "--answers", "10", "--json", env=env)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert (printed["judge"], printed["answers"]) == (JUDGE, 10)
    assert set(printed["by_language"]) == set(LANGS)
    assert printed["tokens"] == 105 * len(server.requests)
    found = find(served, JUDGE)
    assert found is not None
    assert found.as_json() == printed
    # A model that finds everything covered: no better than chance, and generous.
    line = trust(served, JUDGE, lang="en")
    assert line.startswith("this judge agrees with the labels: kappa 0.00 en, kappa 0.00 zh, ")
    assert "too generous; agreement is weak" in line
    assert "other prompts" not in line


def test_calibrate_measures_on_the_shipped_cards_whatever_the_readers_own_are(
    run: Run, few_topics: Path, server: FakeServer
) -> None:
    env = {"INTERVIEWER_LLM_BASE_URL": server.base_url, "INTERVIEWER_KNOWLEDGE": str(few_topics)}
    done = run("calibrate", "--engine", "llm", "--answers", "10", env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{JUDGE}: this judge agrees with the labels")
    assert "10 answers, " in done.stdout


async def test_calibration_that_was_interrupted_goes_on_where_it_stopped(
    served: Settings, server: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("interviewer.evaluation.judged.AT_ONCE", 1)
    server.faults = ["", "", "", "", "hang"]
    task = asyncio.create_task(calibrate(served, answers=10, as_json=True))
    await server.asked(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "interrupted; 4 of 10 answers are judged and kept" in capsys.readouterr().err
    assert find(served, JUDGE) is None
    server.faults = []
    before = len(server.requests)
    assert await calibrate(served, answers=10, as_json=True) == 0
    assert len(server.requests) - before == 6
    said = capsys.readouterr()
    assert "4 of 10 answers were judged before" in said.err
    assert json.loads(said.out)["answers"] == 10


async def test_calibration_in_another_way_judges_all_anew(served: Settings, server: FakeServer) -> None:
    await calibrate(served, answers=10, as_json=True)
    once = len(server.requests)
    await calibrate(served, answers=10, as_json=True)
    assert len(server.requests) == once
    singly = served.model_copy(update={"llm_points_a_call": 1})
    assert "other prompts or settings" in trust(singly, JUDGE, lang="en")
    await calibrate(singly, answers=10, as_json=True)
    assert len(server.requests) > 2 * once
    assert "other prompts or settings" not in trust(singly, JUDGE, lang="en")
    assert "other prompts or settings" in trust(served, JUDGE, lang="en")
