"""How a served model judges one answer: it replies in a schema, and code checks what it says.

Every call is a branch of the trunk; samples and points side by side share its KV blocks.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from interviewer.cards import Bilingual
from interviewer.engines.messages import alternating, tame
from interviewer.engines.model import ChatModel, Message, Usage
from interviewer.errors import BadModelOutput, ModelError
from interviewer.grading.evidence import holds
from interviewer.grading.grade import JudgingTask, PointGrade
from interviewer.labels import LABELS, Label
from interviewer.language import Lang, Span
from interviewer.prompts import render

POINT_TOKENS = 300
"""Tokens that the judgement of one point may take."""
MAX_POINTS = 8
"""Points that one call may judge."""
UNSAMPLED = 0.7
"""Confidence in a verdict that was asked for once: models say nothing calibrated of their own."""
SAMPLE_TEMPERATURE = 0.7
LETTERS = ("A", "B", "C", "D")
"""What the second opinion replies with, in the order of `LABELS`."""
DOUBTED = 0.25
"""Probability of the verdict in the second opinion under which it is uncertain."""
NOT_ON_THE_CARD = Bilingual(en="what it should contradict was not named", zh="没有指出它与卡片上的哪句话相矛盾")
SPLIT = Bilingual(en="the model's own samples disagree: {votes}", zh="模型几次判断不一致：{votes}")
SECOND = Bilingual(en="a second look by the model finds it {label}", zh="模型再看一遍认为是“{label}”")

SHOWN: dict[Label, Bilingual] = {
    "covered": Bilingual(en="covered", zh="说到"),
    "partial": Bilingual(en="partial", zh="部分说到"),
    "missed": Bilingual(en="missed", zh="漏掉"),
    "contradicted": Bilingual(en="contradicted", zh="说错"),
}

Quote = Annotated[str, StringConstraints(max_length=160)]


class PointReply(BaseModel):
    """The judgement of one point: evidence first, then why, then the verdict."""

    model_config = ConfigDict(extra="forbid")
    point: int = Field(ge=1, le=99)
    """Number of the point on its card, from 1."""
    evidence: list[Quote] = Field(max_length=2)
    reason: Annotated[str, StringConstraints(max_length=200)]
    against: Quote
    """Of a contradiction, the words of the card that it speaks against; else empty."""
    verdict: Label


class JudgeReply(BaseModel):
    """The judgement of an answer; one schema for all cards, so that its grammar is compiled once."""

    model_config = ConfigDict(extra="forbid")
    points: list[PointReply] = Field(min_length=1, max_length=MAX_POINTS)


class LLMJudge:
    """Asks for verdicts: some points a call, some samples a point, with a second opinion where that is wanted."""

    def __init__(self, model: ChatModel, *, points_a_call: int, samples: int = 1, second_opinion: bool = False) -> None:
        self.model = model
        self._points_a_call = min(points_a_call, MAX_POINTS)
        self._samples = samples
        self._second_opinion = second_opinion

    async def judge(
        self, task: JudgingTask, base: Sequence[Message], *, number: int, grounds: Sequence[str], usage: list[Usage]
    ) -> tuple[PointGrade, ...]:
        """Return a verdict per claim; `grounds` are the texts of the card that a contradiction may name.

        Raises:
            ModelError: the model can't be asked, or replied twice with something else than asked.
        """
        places = range(1, len(task.claims) + 1)
        size = self._points_a_call
        groups = [list(places[first : first + size]) for first in range(0, len(places), size)]
        temperature = SAMPLE_TEMPERATURE if self._samples > 1 else 0.0
        try:
            async with asyncio.TaskGroup() as group:
                calls = [
                    group.create_task(self._ask(base, number, points, usage, task.lang, temperature))
                    for _ in range(self._samples)
                    for points in groups
                ]
                seconds = [
                    group.create_task(self._look_again(base, number, place, usage, task.lang))
                    for place in (places if self._second_opinion else ())
                ]
        except* ModelError as failed:
            raise failed.exceptions[0] from None
        replies: dict[int, list[PointReply]] = {place: [] for place in places}
        for call in calls:
            for place, reply in call.result().items():
                replies[place].append(reply)
        found = tuple(
            _voted(claim.id, replies[place], task, grounds) for place, claim in enumerate(task.claims, start=1)
        )
        opinions = [second.result() for second in seconds]
        return tuple(map(_doubted, found, opinions, [task.lang] * len(found))) if opinions else found

    async def _ask(
        self,
        base: Sequence[Message],
        number: int,
        points: list[int],
        usage: list[Usage],
        lang: Lang,
        temperature: float,
    ) -> dict[int, PointReply]:
        """Return the judgement of some points; one bad reply is asked for again."""
        branch = [*base, Message("user", render("llm/judge", lang=lang, number=number, points=points))]
        try:
            return await self._parse(branch, points, usage, temperature)
        except BadModelOutput as bad:
            again = render("llm/judge_again", lang=lang, problem=_short(bad), number=number, points=points)
            branch += [Message("assistant", tame(bad.reply[:500])), Message("user", again)]
            return await self._parse(branch, points, usage, temperature)

    async def _parse(
        self, branch: list[Message], points: list[int], usage: list[Usage], temperature: float
    ) -> dict[int, PointReply]:
        reply, cost = await self.model.parse(
            alternating(branch), JudgeReply, max_tokens=POINT_TOKENS * len(points), temperature=temperature
        )
        usage.append(cost)
        found = {point.point: point for point in reply.points}
        if missing := [str(place) for place in points if place not in found]:
            raise BadModelOutput(f"the reply leaves out point {', '.join(missing)}", reply=reply.model_dump_json())
        return {place: found[place] for place in points}

    async def _look_again(
        self, base: Sequence[Message], number: int, place: int, usage: list[Usage], lang: Lang
    ) -> dict[Label, float]:
        """Return the probability of each verdict as the next token; empty where the server does not give it."""
        branch = [*base, Message("user", render("llm/verdict", lang=lang, number=number, point=place))]
        shares, cost = await self.model.weigh(alternating(branch), LETTERS)
        usage.append(cost)
        return dict(zip(LABELS, (shares[letter] for letter in LETTERS), strict=True)) if shares else {}


def _voted(name: str, replies: Sequence[PointReply], task: JudgingTask, grounds: Sequence[str]) -> PointGrade:
    """Return the verdict of most samples; without a majority it is uncertain."""
    votes = Counter(reply.verdict for reply in replies)
    verdict, most = votes.most_common(1)[0]
    reply = next(reply for reply in replies if reply.verdict == verdict)
    point = _point(name, reply, task, grounds)
    if len(replies) == 1:
        return point
    shares = {label: votes[label] / len(replies) for label in LABELS}
    point = replace(point, confidence=most / len(replies), probabilities=shares)
    if 2 * most > len(replies):
        return point
    told = ", ".join(f"{SHOWN[label].get(task.lang)} {count}" for label, count in votes.most_common())
    return replace(point, verdict="uncertain", why=SPLIT.get(task.lang).format(votes=told))


def _point(name: str, reply: PointReply, task: JudgingTask, grounds: Sequence[str]) -> PointGrade:
    quotes = tuple(
        Span(quote, task.answer.find(quote), task.answer.find(quote) + len(quote)) for quote in reply.evidence
    )
    point = PointGrade(id=name, verdict=reply.verdict, confidence=UNSAMPLED, evidence=quotes, why=reply.reason)
    if reply.verdict != "contradicted":
        return point
    mistake = next((wrong for wrong in task.wrong_claims if holds(wrong.text, reply.against)), None)
    if mistake and name in mistake.contradicts:
        return replace(point, why=mistake.why)
    if not any(holds(ground, reply.against) for ground in grounds):
        return replace(point, verdict="uncertain", why=NOT_ON_THE_CARD.get(task.lang))
    return point


def _doubted(point: PointGrade, opinion: dict[Label, float], lang: Lang) -> PointGrade:
    """Return a point with the probabilities of a second opinion; a verdict that it hardly shares is uncertain."""
    if not opinion or point.verdict == "uncertain":
        return point
    likeliest = max(opinion, key=lambda label: opinion[label])
    share = opinion[point.verdict]
    point = replace(point, confidence=round(share, 3), probabilities=opinion)
    if share >= DOUBTED or likeliest == point.verdict:
        return point
    return replace(point, verdict="uncertain", why=SECOND.get(lang).format(label=SHOWN[likeliest].get(lang)))


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
