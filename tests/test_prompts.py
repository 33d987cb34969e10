"""Prompts are files: what each needs is what its caller gives, and a changed prompt is seen."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from interviewer.cards import Card
from interviewer.desk import interview_desk
from interviewer.engines.base import Ask, Cue, Feedback, FollowUp
from interviewer.engines.judging import LLMJudge
from interviewer.engines.llm import LLMEngine
from interviewer.engines.model import Message, T, Usage
from interviewer.engines.offline import OfflineEngine
from interviewer.grading.grade import Grade, PointGrade
from interviewer.language import HAN, LANGS, Lang
from interviewer.library import Library
from interviewer.progress import SessionSettings
from interviewer.prompts import plain, render
from interviewer.settings import Settings, data_folder
from interviewer.transcript import Transcript
from tests.faults.fake import good
from tests.playing import drain


def cues(card: Card) -> dict[str, Cue]:
    points = (
        PointGrade(id="a", verdict="covered", confidence=1),
        PointGrade(id="b", verdict="uncertain", confidence=0.5),
    )
    return {
        "ask new": Ask(card=card, number=1, total=3, topic="T", why="new"),
        "ask again": Ask(card=card, number=2, total=3, topic="T", why="back"),
        "follow up": FollowUp(card=card, point=card.points[0]),
        "feedback": Feedback(card=card, grade=Grade(engine="offline", points=points, score=0.5), cites=("n.md:1-2",)),
        "not graded": Feedback(card=card, grade=Grade(engine="offline", reason="why not"), cites=("n.md:1-2",)),
    }


@pytest.mark.parametrize("lang", LANGS)
async def test_what_the_offline_engine_says(library: Library, snapshot: Any, lang: Lang) -> None:
    engine = OfflineEngine(library.glossary)
    card = library.cards["peft-lora-update"]
    said = {}
    for name, cue in cues(card).items():
        said[name] = "".join([str(piece) async for piece in engine.speak(cue, transcript=Transcript("s"), lang=lang)])
        assert bool(HAN.search(said[name])) == (lang == "zh")
    assert said == snapshot


def test_every_prompt_is_there_in_both_languages() -> None:
    names = {path.relative_to(data_folder("prompts")) for path in data_folder("prompts").rglob("*.md")}
    for name in names:
        stem, lang, suffix = name.name.rsplit(".", 2)
        other = "en" if lang == "zh" else "zh"
        assert name.with_name(f"{stem}.{other}.{suffix}") in names


def test_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("offline/ask", lang="en", question="q")


def test_follow_up_that_would_give_the_point_away_is_replaced(library: Library) -> None:
    card = library.cards["peft-lora-update"]
    point = card.points[0]
    leaky = point.model_copy(update={"follow_up": point.text})
    said = OfflineEngine(library.glossary).text(FollowUp(card=card, point=leaky), "en")
    assert point.text.en not in said
    assert card.subject.en in said


@pytest.mark.parametrize("text", ["<b>x</b>", "![](http://e.example/x)", "[a](b)", "**x** _y_ `z`", "| a | b |", "$x$"])
def test_plain_text_stays_text_in_markdown(text: str) -> None:
    from markdown_it import MarkdownIt

    shown = MarkdownIt("commonmark").enable("table").render(plain(text))
    assert not any(tag in shown for tag in ("<b>", "<img", "<a ", "<strong", "<em", "<code", "<table"))


def test_prompts_are_plain_files() -> None:
    for path in Path(data_folder("prompts")).rglob("*.md"):
        assert path.read_text("utf-8").strip()


class Sensible:
    """A model that replies as a good one would, and remembers what it was sent."""

    name = "sensible"

    def __init__(self) -> None:
        self.sent: list[list[Message]] = []

    def _reply(self, messages: Sequence[Message]) -> str:
        self.sent.append(list(messages))
        return good([{"role": message.role, "content": message.content} for message in messages])

    async def stream(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncIterator[str | Usage]:
        yield self._reply(messages)
        yield Usage()

    async def parse(
        self, messages: Sequence[Message], schema: type[T], *, max_tokens: int, temperature: float = 0.0
    ) -> tuple[T, Usage]:
        return schema.model_validate_json(self._reply(messages)), Usage()

    async def weigh(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[dict[str, float], Usage]:
        return {}, Usage()


@pytest.mark.parametrize("lang", LANGS)
async def test_what_is_sent_to_a_model(settings: Settings, snapshot: Any, lang: Lang) -> None:
    model = Sensible()
    async with interview_desk(settings) as interview:
        assert isinstance(interview.engine, OfflineEngine)
        interview.engine = LLMEngine(LLMJudge(model, points_a_call=8), interview.library, interview.engine)
        session = await interview.open(
            SessionSettings(lang=lang, questions=2, cards=("peft-lora-update", "rope-decay"))
        )
        await drain(interview.go_on(session))
        await interview.settled()
        await drain(interview.answer(session, {"en": "BA is added to W0.", "zh": "把 BA 加到 W0 上。"}[lang]))
    judged = next(messages for messages in model.sent if "DIRECTION JUDGE" in messages[-1].content)
    assert [f"{message.role}: {message.content}" for message in model.sent[-1]] == snapshot(name="trunk")
    assert judged[-1].content == snapshot(name="judge")


@pytest.mark.parametrize("lang", LANGS)
def test_other_prompts_of_the_model(snapshot: Any, lang: Lang) -> None:
    passages = [{"number": 1, "text": "A passage."}]
    said = {
        "follow up": render("llm/follow_up", lang=lang, number=2, point=3),
        "verdict": render("llm/verdict", lang=lang, number=2, point=3),
        "judge again": render("llm/judge_again", lang=lang, problem="no JSON", number=2, points=[1, 2]),
        "draft": render("llm/draft", lang=lang),
        "draft from": render("llm/draft_from", lang=lang, passages=passages, about="rank"),
    }
    assert said == snapshot
