"""The llm engine: a served model phrases and judges; code checks what it says, and the offline engine stands by.

The judge's call is a branch: the trunk's messages plus one more. The trunk never contains it, so that both reuse the
same KV blocks.
"""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

from interviewer.cards import Bilingual, Card
from interviewer.engines.base import Ask, Cue, Feedback, FollowUp, Kept
from interviewer.engines.checks import follow_up_problem, question_problem, remark_problem
from interviewer.engines.drafting import draft_card
from interviewer.engines.judging import LLMJudge
from interviewer.engines.messages import alternating, fenced, shown, tame, trunk
from interviewer.engines.model import Message, Usage
from interviewer.engines.offline import OfflineEngine
from interviewer.errors import ModelError
from interviewer.grading.grade import Grade, Judgement, JudgingTask
from interviewer.language import Lang
from interviewer.library import CITED, Library, Passage
from interviewer.progress import progress
from interviewer.prompts import render
from interviewer.transcript import Transcript

SPEECH_TOKENS = 200
PASSAGE_CHARACTERS = {"en": 300, "zh": 130}
"""Of the passages of a card in the prompt: ten questions must stay under 8,000 tokens."""
SENTENCE = re.compile(r".+?(?:[.!?。！？]\s*|$)", re.S)
FELL_BACK = Bilingual(
    en="the model could not judge this ({why}); judged offline", zh="模型没能评这一题（{why}），改由离线评分"
)
OWN_WORDS = Bilingual(en="the model's wording was not used: {why}", zh="没有采用模型的措辞：{why}")


class LLMEngine:
    """Speaks and judges with a served model."""

    def __init__(self, judge: LLMJudge, library: Library, offline: OfflineEngine) -> None:
        self.name = f"llm:{judge.model.name}"
        self.model = judge.model
        self._judge = judge
        self._library = library
        self._offline = offline
        self._ahead: dict[str, Usage] = {}
        """What reading ahead cost, by session, until the next turn counts it; nobody waited for its first token."""

    def brief(self, card: Card, *, transcript: Transcript, lang: Lang) -> dict[str, Any]:
        """Return the card as it stands in the prompt."""
        return {"direction": self._card(card, transcript, lang)}

    async def read_ahead(self, *, transcript: Transcript, lang: Lang) -> None:
        """Have the server fill its KV cache with the trunk, the next card included."""
        # A server that is gone is noticed when it is needed.
        with suppress(ModelError):
            async with aclosing(self.model.stream(alternating(trunk(transcript, lang=lang)), max_tokens=1)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    if isinstance(piece, Usage):
                        self._ahead[transcript.session_id] = replace(piece, first_token_ms=0.0)

    async def speak(self, cue: Cue, *, transcript: Transcript, lang: Lang) -> AsyncIterator[str | Kept]:
        """Say what a cue calls for: the model's words where they pass the checks, else the card's."""
        direction = self._direction(cue, transcript, lang)
        kept: dict[str, Any] = {"direction": direction}
        reply = ""
        problem: str | None
        try:
            messages = alternating([*trunk(transcript, lang=lang), Message("user", direction)])
            async with aclosing(self.model.stream(messages, max_tokens=SPEECH_TOKENS)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    if isinstance(piece, Usage):
                        kept["usage"] = [usage.as_json() for usage in (*self._spent(transcript), piece)]
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

    async def draft(self, about: str, passages: Sequence[Passage], *, lang: Lang) -> Card | None:
        """Draft a card from passages; None when the model invents something or can't be asked."""
        with suppress(ModelError):
            return await draft_card(self.model, passages, about, lang=lang, glossary=self._library.glossary)
        return None

    async def judge(self, task: JudgingTask, *, transcript: Transcript | None = None) -> Judgement:
        """Judge one answer; after two bad replies or with the server gone, the offline judge does, and says so."""
        # A model may copy the number of a point with its text.
        grounds = [f"{place}. {claim.text}" for place, claim in enumerate(task.claims, start=1)]
        grounds += [wrong.text for wrong in task.wrong_claims]
        if transcript is None:
            number, base = 1, _alone(task)
        else:
            current = progress(transcript).current
            assert current is not None
            number = _number(transcript, current.card_id)
            base = trunk(transcript, lang=task.lang)
            grounds += self._grounds(current.card_id, task.lang)
        usage = self._spent(transcript) if transcript else []
        try:
            points = await self._judge.judge(task, base, number=number, grounds=grounds, usage=usage)
        except ModelError as error:
            judged = await self._offline.judge(task)
            note = FELL_BACK.get(task.lang).format(why=_short(error))
            return Judgement(
                engine=judged.engine, points=judged.points, note=note, usage=tuple(u.as_json() for u in usage)
            )
        return Judgement(engine=self.name, points=points, usage=tuple(u.as_json() for u in usage))

    def _spent(self, transcript: Transcript) -> list[Usage]:
        ahead = self._ahead.pop(transcript.session_id, None)
        return [ahead] if ahead else []

    def _grounds(self, card_id: str, lang: Lang) -> list[str]:
        """Return what stands on a card as the model sees it: what a contradiction may speak against."""
        if (card := self._library.cards.get(card_id)) is None:
            return []
        told = [point.text.get(lang) for point in card.points] + [
            wrong.claim.get(lang) for wrong in card.misconceptions
        ]
        return told + [line for _, line in self._lines(card, lang)]

    def _direction(self, cue: Cue, transcript: Transcript, lang: Lang) -> str:
        number = _number(transcript, cue.card.id)
        match cue:
            case Ask(card=card):
                ask = render("llm/ask", lang=lang, number=number)
                return ask if card.id in shown(transcript) else f"{self._card(card, transcript, lang)}\n{ask}"
            case FollowUp(card=card, point=point):
                return render("llm/follow_up", lang=lang, number=number, point=card.points.index(point) + 1)
            case Feedback(grade=grade):
                return render("llm/remark", lang=lang, number=number, verdicts=_verdicts(grade))

    def _card(self, card: Card, transcript: Transcript, lang: Lang) -> str:
        before = [self._library.cards[name] for name in shown(transcript) if name in self._library.cards]
        given = {line for other in before for _, line in self._lines(other, lang)}
        passages: dict[str, str] = {}
        room = PASSAGE_CHARACTERS[lang]
        for name, line in self._lines(card, lang):
            text = passages.setdefault(name, "")
            if line not in given and len(line) <= room:
                room -= len(line)
                passages[name] = f"{text} {line}".strip()
        return render(
            "llm/card",
            lang=lang,
            number=_number(transcript, card.id),
            question=card.question.get(lang),
            points=[point.text.get(lang) for point in card.points],
            wrong_claims=[wrong.claim.get(lang) for wrong in card.misconceptions],
            passages=[{"id": name, "text": text} for name, text in passages.items()],
        )

    def _lines(self, card: Card, lang: Lang) -> list[tuple[str, str]]:
        """Return the lines of the notes that a card's points rest on, each once, with the passage they stand in."""
        found: dict[tuple[str, str], None] = {}
        for point in card.points:
            if ground := self._library.ground(card, point, lang):
                cited, passage = ground
                first, last = passage.lines
                found[f"{passage.note}:{first}-{last}", CITED.sub("", cited.text)] = None
        return list(found)

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
        case FollowUp(unclear=unclear):
            return f"{head}\n\n{reply}" if unclear else reply


def _number(transcript: Transcript, card_id: str) -> int:
    """Return the number of a card in the trunk, from 1; of one that is not there yet, the number it gets."""
    cards = shown(transcript)
    return cards.index(card_id) + 1 if card_id in cards else len(cards) + 1


def _verdicts(grade: Grade) -> str:
    """Return the verdicts of a grade in few words: "covered 1, 3; missed 2"."""
    places: dict[str, list[str]] = {}
    for place, point in enumerate(grade.points, start=1):
        places.setdefault(point.verdict, []).append(str(place))
    return "; ".join(f"{verdict} {', '.join(found)}" for verdict, found in places.items())


def _alone(task: JudgingTask) -> list[Message]:
    """Return the messages for an answer that belongs to no session."""
    card = render(
        "llm/card",
        lang=task.lang,
        number=1,
        question=tame(task.question),
        points=[tame(claim.text) for claim in task.claims],
        wrong_claims=[tame(wrong.text) for wrong in task.wrong_claims],
        passages=[],
    )
    answer = fenced(task.answer, number=1)
    return [Message("system", render("llm/system", lang=task.lang)), Message("user", card), Message("user", answer)]


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
