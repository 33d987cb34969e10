"""The offline engine: speaks from the cards and the templates of prompts/offline; it is no model."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, assert_never, get_args

from interviewer.cards import Card
from interviewer.engines.base import Ask, Cue, Feedback, FollowUp, Kept
from interviewer.grading.grade import Judgement, JudgingTask, Verdict
from interviewer.grading.offline import OfflineJudge
from interviewer.language import Glossary, Lang
from interviewer.leaks import given_away
from interviewer.library import Passage
from interviewer.prompts import render
from interviewer.transcript import Transcript


class OfflineEngine:
    """Speaks and judges with no model server."""

    name = "offline"

    def __init__(self, glossary: Glossary) -> None:
        self._judge = OfflineJudge(glossary)

    async def judge(self, task: JudgingTask, *, transcript: Transcript | None = None) -> Judgement:
        """Judge one answer."""
        return await self._judge.judge(task, transcript=transcript)

    def brief(self, card: Card, *, transcript: Transcript, lang: Lang) -> dict[str, Any]:
        """Return nothing: the card is at hand when its turn comes."""
        return {}

    async def draft(self, about: str, passages: Sequence[Passage], *, lang: Lang) -> Card | None:
        """Return nothing: without a model no card can be written."""
        return None

    async def read_ahead(self, *, transcript: Transcript, lang: Lang) -> None:
        """Do nothing: there is no cache to fill."""

    async def speak(self, cue: Cue, *, transcript: Transcript, lang: Lang) -> AsyncIterator[str | Kept]:
        """Say what a cue calls for, line by line."""
        for line in self.text(cue, lang).splitlines(keepends=True):
            yield line

    def text(self, cue: Cue, lang: Lang) -> str:
        """Return the whole of what a cue calls for."""
        match cue:
            case Ask(card=card, number=number, total=total, topic=topic, why=why):
                question = card.question.get(lang)
                return render(
                    "offline/ask", lang=lang, question=question, number=number, total=total, topic=topic, why=why
                )
            case FollowUp(card=card, point=point, unclear=unclear):
                wording = point.follow_up.get(lang)
                if given_away(wording, card=card, point=point):
                    wording = ""
                subject = card.subject.get(lang)
                return render("offline/follow_up", lang=lang, follow_up=wording, subject=subject, unclear=unclear)
            case Feedback(grade=grade, cites=cites):
                verdicts = [point.verdict for point in grade.points]
                numbers = {name: verdicts.count(name) for name in get_args(Verdict)}
                return render(
                    "offline/feedback", lang=lang, score=grade.score, reason=grade.reason, cites=cites, **numbers
                )
            case _:
                assert_never(cue)
