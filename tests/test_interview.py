"""A session: every move, every crash, both languages; nothing accepted is lost."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text as sql

from interviewer.cards import Card
from interviewer.desk import engine_for, interview_desk, with_about
from interviewer.errors import AnswerRefused, NothingFound, SessionError, SessionNotFound, SessionTooNew, StorageError
from interviewer.interview import Interview, open_interview
from interviewer.language import HAN, LANGS, Lang
from interviewer.leaks import given_away
from interviewer.library import Library
from interviewer.progress import SessionSettings, progress
from interviewer.report import make_report
from interviewer.retrieval.index import SearchIndex
from interviewer.settings import Settings
from interviewer.store import Store, open_store
from tests.conftest import Run
from tests.playing import drain


@pytest.fixture
async def interview(settings: Settings) -> AsyncIterator[Interview]:
    async with interview_desk(settings) as opened:
        yield opened


async def started(interview: Interview, **wish: object) -> tuple[str, Card]:
    session = await interview.open(SessionSettings(**{"questions": 2, "seed": 3, **wish}))  # type: ignore[arg-type]
    turns = await drain(interview.go_on(session))
    assert [turn.kind for turn in turns] == ["question"]
    return session, interview.library.cards[turns[0].data["card"]]


@pytest.mark.parametrize("lang", LANGS)
async def test_whole_session_of_reference_answers(interview: Interview, lang: Lang) -> None:
    session, card = await started(interview, lang=lang)
    seen = []
    while not progress(await interview.store.transcript(session)).closed:
        current = progress(await interview.store.transcript(session)).current
        assert current is not None
        card = interview.library.cards[current.card_id]
        seen.append(card.id)
        await drain(interview.answer(session, card.reference.get(lang)))
    report = make_report(await interview.store.transcript(session), interview.library)
    assert len(set(seen)) == 2
    assert report.score is not None
    assert report.score > 0.7
    assert bool(HAN.search(report.cards[0].question)) == (lang == "zh")
    assert all(point.source for c in report.cards for point in c.points)
    assert report.as_markdown().startswith("#")
    json.dumps(report.as_json())


async def test_missed_points_get_at_most_two_follow_ups_that_give_nothing_away(interview: Interview) -> None:
    session, card = await started(interview, questions=1)
    answer = "It is a thing that people use quite often in practice for several good reasons."
    for _ in range(4):
        if progress(await interview.store.transcript(session)).closed:
            break
        await drain(interview.answer(session, answer))
    asked = list((await interview.store.transcript(session)).of("follow_up"))
    assert 1 <= len(asked) <= 2
    for turn in asked:
        assert given_away(turn.text, card=card, point=card.point(turn.data["point"])) is None


async def test_dont_know_is_graded_zero_and_not_pressed_on(interview: Interview) -> None:
    session, _ = await started(interview)
    turns = await drain(interview.answer(session, "I don't know"))
    assert [turn.kind for turn in turns] == ["answer", "grade", "feedback", "question"]
    assert turns[1].data["grade"]["score"] == 0.0


async def test_each_hint_costs_a_tenth(interview: Interview) -> None:
    session, card = await started(interview)
    await drain(interview.move(session, "hint"))
    await drain(interview.answer(session, card.reference.en))
    asked = progress(await interview.store.transcript(session)).asked[0]
    grade = asked.grade(card)
    assert asked.hints == 1
    assert grade is not None
    assert grade.score is not None
    assert grade.score == pytest.approx(asked.grades[0].data["grade"]["score"] * 0.9, abs=1e-3)


async def test_skip_back_reference_and_stop(interview: Interview) -> None:
    session, first = await started(interview)
    shown = await drain(interview.move(session, "reference"))
    assert shown[-1].text == "The reference answer is shown once you have answered."
    turns = await drain(interview.move(session, "skip"))
    second = turns[-1].data["card"]
    assert second != first.id
    turns = await drain(interview.move(session, "back"))
    assert turns[-1].data["card"] == first.id
    turns = await drain(interview.answer(session, "no idea"))
    assert turns[-1].data["card"] == second  # the question that was left comes again
    turns = await drain(interview.move(session, "reference"))
    assert turns[-1].text == first.reference.en
    turns = await drain(interview.move(session, "stop"))
    assert turns[-1].kind == "closed"
    with pytest.raises(SessionError, match="is over"):
        await drain(interview.answer(session, "too late"))


@pytest.mark.parametrize("text", ["", "  \n", "\x00\x01", "x" * 200_000])
async def test_refused_answers_write_nothing(interview: Interview, text: str) -> None:
    session, _ = await started(interview)
    before = await interview.store.transcript(session)
    with pytest.raises(AnswerRefused):
        await drain(interview.answer(session, text))
    assert await interview.store.transcript(session) == before


@pytest.mark.parametrize("text", ["😀", "Я не знаю", "مرحبا بالعالم", "<script>alert(1)</script>", "a\x07b frozen"])
async def test_odd_answers_are_kept_and_the_session_goes_on(interview: Interview, text: str) -> None:
    session, _ = await started(interview)
    turns = await drain(interview.answer(session, text))
    assert turns[0].kind == "answer"
    assert turns[1].kind == "grade"
    assert turns[-1].kind in ("question", "follow_up")


async def test_answer_written_before_a_crash_is_graded_once_on_resume(settings: Settings) -> None:
    async with interview_desk(settings) as interview:
        session, card = await started(interview)
        transcript = await interview.store.transcript(session)
        # The process dies right after the answer was written.
        await interview.store.append(
            session, transcript.next("answer", text=card.reference.en, at=transcript.turns[0].at)
        )
    async with interview_desk(settings) as interview:
        await drain(interview.go_on(session))
        await drain(interview.go_on(session))
        transcript = await interview.store.transcript(session)
        assert [turn.kind for turn in transcript.turns].count("grade") == 1
        assert transcript.turns[-1].kind in ("question", "follow_up")


@asynccontextmanager
async def with_limit(settings: Settings, pages: int) -> AsyncIterator[Store]:
    async with open_store(settings.database) as store:
        async with store._engine.begin() as connection:
            await connection.execute(sql(f"PRAGMA max_page_count={pages}"))
        yield store


async def test_full_disk_is_one_clear_error_and_keeps_what_was_written(settings: Settings, library: Library) -> None:
    async with (
        open_store(settings.database) as store,
        engine_for(settings, library) as engine,
        open_interview(library, store, engine, home=settings.home) as interview,
    ):
        session, _ = await started(interview)
        before = await store.transcript(session)
    async with with_limit(settings, 1) as store:
        with pytest.raises(StorageError, match="free some space"):
            await store.append(session, before.next("answer", text="y" * 500_000, at=before.turns[0].at))
    async with open_store(settings.database) as store:
        assert await store.transcript(session) == before


async def test_unknown_and_newer_sessions_say_so(settings: Settings) -> None:
    async with interview_desk(settings) as interview:
        session, _ = await started(interview)
        with pytest.raises(SessionNotFound, match="sessions list"):
            await interview.store.transcript("nope")
        async with interview.store._engine.begin() as connection:
            await connection.execute(sql("UPDATE sessions SET format = 99"))
        with pytest.raises(SessionTooNew, match="newer"):
            await interview.store.transcript(session)


async def test_changed_turn_is_found(settings: Settings) -> None:
    async with interview_desk(settings) as interview:
        session, _ = await started(interview)
        async with interview.store._engine.begin() as connection:
            await connection.execute(sql("UPDATE turns SET text = 'forged' WHERE kind = 'question'"))
        with pytest.raises(SessionError, match="changed on the disk"):
            await interview.store.transcript(session)


async def test_about_finds_cards_in_both_languages(
    settings: Settings, interview: Interview, index: SearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interviewer.retrieval.index.index_for", lambda *_: index)
    for about in ("catastrophic forgetting after fine-tuning", "微调之后的灾难性遗忘"):
        wish = await with_about(SessionSettings(about=about, questions=2), settings, interview)
        assert interview.library.cards[wish.cards[0]].topic == "forgetting"
        assert not wish.note


async def test_about_what_the_notes_do_not_hold_says_so(
    settings: Settings, interview: Interview, index: SearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interviewer.retrieval.index.index_for", lambda *_: index)
    with pytest.raises(NothingFound, match="notes hold nothing"):
        await with_about(SessionSettings(about="sourdough hydration kneading"), settings, interview)


async def test_same_seed_same_questions(interview: Interview) -> None:
    one, first = await started(interview, seed=11)
    _, second = await started(interview, seed=11)
    assert first == second
    assert one


def test_terminal_session_by_pipe(run: Run) -> None:
    result = run("practice", "--lang", "zh", "--questions", "1", "--json", stdin="不知道\n")
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [e["event"] for e in events] == ["question", "answer", "grade", "feedback", "closed", "report"]
    assert events[-1]["score"] == 0.0


def test_input_that_ends_leaves_a_session_to_resume(run: Run) -> None:
    result = run("practice", "--questions", "1", "--json", stdin="")
    assert result.returncode == 0
    assert "--resume" in result.stderr
    session = json.loads(run("sessions", "list", "--json").stdout)[0]["id"]
    again = run("practice", "--resume", session, "--json", stdin="/stop\n")
    events = [json.loads(line) for line in again.stdout.splitlines()]
    assert events[0]["event"] == "question"
    assert events[-1]["event"] == "report"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["report", "nope"], 1, "no session"),
        (["practice", "--resume", "nope"], 1, "no session"),
        (["practice", "--topic", "cooking"], 1, "no topic"),
        (["sessions", "delete", "nope"], 1, "no session"),
        (["cards", "show", "nope"], 2, "no card"),
        (["practice", "--questions", "0"], 2, "questions"),
    ],
)
def test_bad_arguments_are_one_line_and_the_right_code(run: Run, arguments: list[str], code: int, words: str) -> None:
    result = run(*arguments)
    assert result.returncode == code
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_home_that_cannot_be_written_says_what_to_do(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("practice", env={"INTERVIEWER_HOME": str(tmp_path / "file" / "home")})
    assert result.returncode == 1
    assert "INTERVIEWER_HOME" in result.stderr
    assert "Traceback" not in result.stderr
