"""What the judge can't tell is asked about, and then left to the candidate, counted apart."""

from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import ANY

import pytest

from interviewer.cli.practice import Terminal
from interviewer.desk import interview_desk
from interviewer.engines.offline import OfflineEngine
from interviewer.errors import SessionError
from interviewer.grading.grade import Judgement, JudgingTask, PointGrade
from interviewer.interview import Interview
from interviewer.language import LANGS, Lang, Span
from interviewer.progress import SessionSettings, open_to_self_assessment, progress
from interviewer.report import make_report
from interviewer.settings import Settings
from interviewer.transcript import Transcript
from interviewer.web.app import Page
from tests.playing import drain

SAID = {
    "en": "Well, it is something with the weights, they sort of stay where they are, I believe.",
    "zh": "嗯，我觉得大概是权重那边的事情，它们应该是留在原来的地方的。",
}


class UnsureEngine(OfflineEngine):
    """Can't tell the last point of a card; finds the others covered."""

    async def judge(self, task: JudgingTask, *, transcript: Transcript | None = None) -> Judgement:
        quote = Span(task.answer, 0, len(task.answer))
        points = [PointGrade(id=c.id, verdict="covered", confidence=0.9, evidence=(quote,)) for c in task.claims]
        points[-1] = PointGrade(id=task.claims[-1].id, verdict="uncertain", confidence=0.4, evidence=(quote,))
        return Judgement(engine=self.name, points=tuple(points))


@pytest.fixture
async def interview(settings: Settings, few_topics: Path) -> AsyncIterator[Interview]:
    async with interview_desk(settings.model_copy(update={"knowledge": few_topics})) as opened:
        opened.engine = UnsureEngine(opened.library.glossary)
        yield opened


async def answered(interview: Interview, lang: Lang = "en") -> tuple[str, str, str]:
    """Answer one question and the clarifying one; return session, card and the point that nobody can tell."""
    session = await interview.open(SessionSettings(lang=lang, questions=1, seed=2, topics=("peft",)))
    turns = await drain(interview.go_on(session))
    card = interview.library.cards[turns[0].data["card"]]
    await drain(interview.answer(session, SAID[lang]))
    await drain(interview.answer(session, SAID[lang]))
    return session, card.id, card.points[-1].id


@pytest.mark.parametrize("lang", LANGS)
async def test_what_the_judge_cannot_tell_is_asked_about_in_the_candidates_words(
    interview: Interview, lang: Lang
) -> None:
    session, card, point = await answered(interview, lang)
    asked = list((await interview.store.transcript(session)).of("follow_up"))
    assert [turn.data["point"] for turn in asked] == [point]
    assert SAID[lang][:40].replace(",", "\\,").split("\\")[0] in asked[0].text
    text = interview.library.cards[card].point(point).text.get(lang)
    assert text not in asked[0].text


async def test_a_ticked_point_is_counted_apart_and_changes_no_score(interview: Interview) -> None:
    session, card, point = await answered(interview)
    before = make_report(await interview.store.transcript(session), interview.library)
    transcript = await interview.assess(session, [(card, point)])
    after = make_report(transcript, interview.library)
    assert before.score == after.score == 1.0
    assert (before.self_assessed, after.self_assessed) == ((0, 1), (1, 1))
    assert "self-assessed: said" in after.as_markdown()
    assert open_to_self_assessment(transcript, interview.library.cards) == {(card, point): True}


async def test_it_can_be_taken_back(interview: Interview) -> None:
    session, card, point = await answered(interview)
    await interview.assess(session, [(card, point)])
    transcript = await interview.assess(session, [])
    assert make_report(transcript, interview.library).self_assessed == (0, 1)


async def test_only_what_was_left_uncertain_can_be_ticked(interview: Interview) -> None:
    session, card, _ = await answered(interview)
    decided = interview.library.cards[card].points[0].id
    length = len((await interview.store.transcript(session)).turns)
    with pytest.raises(SessionError, match="only points that the judge left uncertain"):
        await interview.assess(session, [(card, decided)])
    assert len((await interview.store.transcript(session)).turns) == length


async def test_a_session_goes_on_after_a_tick(interview: Interview) -> None:
    session = await interview.open(SessionSettings(questions=2, seed=2, topics=("peft",)))
    await drain(interview.go_on(session))
    await drain(interview.answer(session, SAID["en"]))
    await drain(interview.answer(session, SAID["en"]))
    transcript = await interview.store.transcript(session)
    (card, point), *_ = open_to_self_assessment(transcript, interview.library.cards)
    await interview.assess(session, [(card, point)])
    assert progress(await interview.store.transcript(session)).pending is None
    turns = await drain(interview.answer(session, SAID["en"]))
    assert "grade" in [turn.kind for turn in turns]


async def test_the_page_lists_what_is_uncertain_and_keeps_the_tick(interview: Interview, settings: Settings) -> None:
    page = Page(interview, settings)
    session, card, point = await answered(interview, "zh")
    box = (await page.assess(session, [f"{card}/{point}"]))[-1]
    assert box.visible
    assert box.value == [f"{card}/{point}"]
    assert (await page.reload(session))[4].value == [f"{card}/{point}"]


async def test_in_the_terminal_said_ticks_lists_and_refuses_numbers_that_are_none(
    interview: Interview, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    session, card, point = await answered(interview)
    terminal = Terminal(settings, as_json=False)
    key = (card, point)

    async def said(line: str) -> tuple[bool, str]:
        await terminal._take(interview, session, line, "en")
        transcript = await interview.store.transcript(session)
        return open_to_self_assessment(transcript, interview.library.cards)[key], capsys.readouterr().err

    assert await said("/said 1") == (True, ANY)
    ticked, told = await said("/said")
    assert ticked
    assert "1 [x]" in told
    ticked, told = await said("/said 7 x")
    assert ticked
    assert "no such point: 7 x" in told
    assert (await said("/said 0"))[0] is False


async def test_the_same_tick_twice_is_written_once(interview: Interview) -> None:
    session, card, point = await answered(interview)
    once = await interview.assess(session, [(card, point)])
    twice = await interview.assess(session, [(card, point)])
    assert len(once.turns) == len(twice.turns)


async def test_a_point_is_not_shown_to_be_ticked_while_it_is_asked_about(interview: Interview) -> None:
    session = await interview.open(SessionSettings(questions=1, seed=2, topics=("peft",)))
    await drain(interview.go_on(session))
    turns = await drain(interview.answer(session, SAID["en"]))
    assert turns[-1].kind == "follow_up"
    assert open_to_self_assessment(await interview.store.transcript(session), interview.library.cards) == {}
    await drain(interview.move(session, "stop"))
    assert open_to_self_assessment(await interview.store.transcript(session), interview.library.cards)
