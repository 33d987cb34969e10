"""The llm engine: a served model phrases and judges; code checks what it says, and the offline engine stands by.

The judge's call is a branch: the trunk's messages plus one more. The trunk never contains it, so that both reuse the
same KV blocks.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from interviewer.cards import Bilingual, Card
from interviewer.engines.base import Ask, Cue, Feedback, FollowUp, Kept
from interviewer.engines.checks import follow_up_problem, question_problem, remark_problem
from interviewer.engines.messages import alternating, tame, trunk
from interviewer.engines.model import ChatModel, Message, Usage
from interviewer.engines.offline import OfflineEngine
from interviewer.errors import BadModelOutput, ModelError
from interviewer.grading.grade import Judgement, JudgingTask, PointGrade
from interviewer.language import Lang, Span
from interviewer.library import Library
from interviewer.progress import progress
from interviewer.prompts import render
from interviewer.transcript import Transcript

SPEECH_TOKENS = 200
POINT_TOKENS = 260
"""Tokens that the judgement of one point may take."""
PASSAGE_CHARACTERS = {"en": 420, "zh": 180}
"""Of a passage in the prompt: ten questions must stay under 8,000 tokens."""
SENTENCE = re.compile(r".+?(?:[.!?。！？]\s*|$)", re.S)
FELL_BACK = Bilingual(
    en="the model could not judge this ({why}); judged offline", zh="模型没能评这一题（{why}），改由离线评分"
)
OWN_WORDS = Bilingual(en="the model's wording was not used: {why}", zh="没有采用模型的措辞：{why}")

Quote = Annotated[str, StringConstraints(max_length=160)]


class PointReply(BaseModel):
    """The judgement of one point: evidence first, then why, then the verdict."""

    model_config = ConfigDict(extra="forbid")
    id: Annotated[str, StringConstraints(max_length=80)]
    evidence: list[Quote] = Field(max_length=2)
    reason: Annotated[str, StringConstraints(max_length=200)]
    verdict: Literal["covered", "partial", "missed", "contradicted"]


class JudgeReply(BaseModel):
    """The judgement of an answer; one schema for all cards, so that its grammar is compiled once."""

    model_config = ConfigDict(extra="forbid")
    points: list[PointReply] = Field(min_length=1, max_length=8)


class LLMEngine:
    """Speaks and judges with a served model."""

    def __init__(
        self, model: ChatModel, library: Library, offline: OfflineEngine, *, judge: Literal["together", "each"]
    ) -> None:
        self.name = f"llm:{model.name}"
        self.model = model
        self._library = library
        self._offline = offline
        self._together = judge == "together"

    async def speak(self, cue: Cue, *, transcript: Transcript, lang: Lang) -> AsyncIterator[str | Kept]:
        """Say what a cue calls for: the model's words where they pass the checks, else the card's."""
        direction = self._direction(cue, transcript, lang)
        kept: dict[str, Any] = {"direction": direction}
        reply = ""
        problem: str | None
        try:
            messages = alternating([*self._trunk(transcript, lang), Message("user", direction)])
            async with aclosing(self.model.stream(messages, max_tokens=SPEECH_TOKENS)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    if isinstance(piece, Usage):
                        kept["usage"] = [piece.as_json()]
                    else:
                        reply += piece
            reply = reply.strip()
            problem = self._problem(cue, reply, lang)
        except ModelError as error:
            problem = str(error)
        own = self._offline.text(cue, lang)
        if problem:
            # The trunk goes on with what the candidate was really told.
            yield Kept(kept | {"note": OWN_WORDS.get(lang).format(why=problem)})
            yield own
            return
        said = _with_frame(cue, own, reply)
        yield Kept(kept | {"reply": reply})
        for sentence in SENTENCE.findall(said):
            yield sentence

    async def judge(self, task: JudgingTask, *, transcript: Transcript | None = None) -> Judgement:
        """Judge one answer; after two bad replies or with the server gone, the offline judge does, and says so."""
        if transcript is None:
            raise ModelError("the llm engine judges answers of a session; give it the transcript")
        lang = task.lang
        base = self._trunk(transcript, lang)
        usage: list[Usage] = []
        try:
            if self._together:
                replies = await self._ask(base, [claim.id for claim in task.claims], usage, lang)
            else:
                replies = await self._ask_each(base, [claim.id for claim in task.claims], usage, lang)
        except ModelError as error:
            judged = await self._offline.judge(task)
            note = FELL_BACK.get(lang).format(why=_short(error))
            return Judgement(
                engine=judged.engine, points=judged.points, note=note, usage=tuple(u.as_json() for u in usage)
            )
        points = tuple(_point(claim.id, replies.get(claim.id), task.answer) for claim in task.claims)
        return Judgement(engine=self.name, points=points, usage=tuple(u.as_json() for u in usage))

    async def _ask(
        self, base: Sequence[Message], points: list[str], usage: list[Usage], lang: Lang
    ) -> dict[str, PointReply]:
        """Return the judgement of some points; one bad reply is asked for again."""
        branch = [*base, Message("user", render("llm/judge", lang=lang, points=points))]
        try:
            return await self._parse(branch, points, usage)
        except BadModelOutput as bad:
            again = render("llm/judge_again", lang=lang, problem=_short(bad), points=points)
            return await self._parse(
                [*branch, Message("assistant", tame(bad.reply[:500])), Message("user", again)], points, usage
            )

    async def _parse(self, branch: list[Message], points: list[str], usage: list[Usage]) -> dict[str, PointReply]:
        reply, cost = await self.model.parse(alternating(branch), JudgeReply, max_tokens=POINT_TOKENS * len(points))
        usage.append(cost)
        found = {point.id: point for point in reply.points}
        if missing := [name for name in points if name not in found]:
            raise BadModelOutput(f"the reply leaves out {', '.join(missing)}", reply=reply.model_dump_json())
        return found

    async def _ask_each(
        self, base: Sequence[Message], points: list[str], usage: list[Usage], lang: Lang
    ) -> dict[str, PointReply]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._ask(base, [point], usage, lang)) for point in points]
        except* ModelError as failed:
            raise failed.exceptions[0] from None
        return {name: reply for task in tasks for name, reply in task.result().items()}

    def _trunk(self, transcript: Transcript, lang: Lang) -> list[Message]:
        settings = progress(transcript).settings
        topics = settings.topics or tuple(sorted(self._library.titles))
        return trunk(transcript, topics=topics, lang=lang)

    def _direction(self, cue: Cue, transcript: Transcript, lang: Lang) -> str:
        match cue:
            case Ask(card=card):
                return self._card(card, transcript, lang)
            case FollowUp(point=point):
                return render("llm/follow_up", lang=lang, point=point.id)
            case Feedback(grade=grade):
                verdicts = [f"{point.id} {point.verdict}" for point in grade.points]
                return render("llm/remark", lang=lang, verdicts=verdicts)

    def _card(self, card: Card, transcript: Transcript, lang: Lang) -> str:
        # Questions that the offline engine asked left nothing in the prompt.
        shown = [turn for turn in transcript.of("question") if "direction" in turn.data]
        given = {name for turn in shown for name in turn.data["passages"]}
        passages = [
            {"id": p.cite, "text": "" if p.cite in given else _excerpt(p.text, lang)}
            for p in self._library.passages_of(card, lang)
        ]
        return render(
            "llm/ask",
            lang=lang,
            card=card.id,
            question=card.question.get(lang),
            points=[{"id": point.id, "text": point.text.get(lang)} for point in card.points],
            wrong_claims=[wrong.claim.get(lang) for wrong in card.misconceptions],
            passages=passages,
        )

    def _problem(self, cue: Cue, reply: str, lang: Lang) -> str | None:
        match cue:
            case Ask(card=card):
                return question_problem(reply, card=card, lang=lang)
            case FollowUp(card=card, point=point):
                return follow_up_problem(reply, card=card, open_points=[point], lang=lang)
            case Feedback(card=card, grade=grade):
                named = {p.id for p in grade.points if p.verdict in ("missed", "uncertain")}
                return remark_problem(
                    reply, card=card, open_points=[p for p in card.points if p.id in named], lang=lang
                )


def _with_frame(cue: Cue, own: str, reply: str) -> str:
    """Put the model's words where the card's stand: the place in the session and the score are the code's."""
    head, _, tail = own.partition("\n\n")
    match cue:
        case Ask():
            return f"{head}\n\n{reply}"
        case Feedback():
            return f"{head}\n\n{reply}\n\n{tail}"
        case FollowUp():
            return reply


def _excerpt(text: str, lang: Lang) -> str:
    """Return the first lines of a passage, up to the length that a prompt can bear."""
    limit = PASSAGE_CHARACTERS[lang]
    kept = ""
    for line in text.split("\n"):
        if kept and len(kept) + len(line) > limit:
            break
        kept = f"{kept} {line}".strip()
    return kept[: 2 * limit]


def _point(name: str, reply: PointReply | None, answer: str) -> PointGrade:
    if reply is None:
        return PointGrade(id=name, verdict="uncertain", confidence=0.0)
    quotes = tuple(Span(quote, answer.find(quote), answer.find(quote) + len(quote)) for quote in reply.evidence)
    return PointGrade(id=name, verdict=reply.verdict, confidence=0.7, evidence=quotes, why=reply.reason)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
