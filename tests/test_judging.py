"""What a served model says of an answer counts as far as code can check it."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from interviewer.desk import interview_desk
from interviewer.engines.judging import LLMJudge
from interviewer.engines.llm import LLMEngine
from interviewer.engines.messages import fenced
from interviewer.engines.model import Message, T, Usage
from interviewer.engines.offline import OfflineEngine
from interviewer.errors import BadModelOutput, ModelUnavailable
from interviewer.grading.grade import Claim, JudgingTask, PointGrade, WrongClaim
from interviewer.grading.pipeline import grade
from interviewer.labels import LABELS
from interviewer.language import LANGS, Lang, glossary
from interviewer.library import Library
from interviewer.progress import SessionSettings
from interviewer.settings import Settings
from tests.playing import drain

FROZEN = "The pretrained weights stay frozen; only the adapters learn."
ADDED = "A low-rank product is added to the weight matrix."
WRONG = "LoRA replaces the weight matrix with two small ones."
PASSAGE = "Merging the product into W0 leaves nothing to compute at inference."
ANSWER = "The base weights stay as they are, and the product BA is added on top."
QUOTE = "the product BA is added on top"
BASE = [Message("system", "You judge."), Message("user", "CARD 1"), Message("user", fenced(ANSWER, number=1))]
Row = dict[str, Any]


@dataclass
class Scripted:
    """A model that gives the replies of a test in turn and remembers what it was asked."""

    replies: list[list[Row] | Exception]
    opinions: list[dict[str, float]] = field(default_factory=list)
    name: str = "scripted"
    asked: list[list[Message]] = field(default_factory=list)
    weighed: list[list[Message]] = field(default_factory=list)
    temperatures: list[float] = field(default_factory=list)

    async def stream(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncIterator[str | Usage]:
        raise ModelUnavailable("it only judges")
        yield ""

    async def parse(
        self, messages: Sequence[Message], schema: type[T], *, max_tokens: int, temperature: float = 0.0
    ) -> tuple[T, Usage]:
        self.asked.append(list(messages))
        self.temperatures.append(temperature)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return schema.model_validate({"points": reply}), Usage(prompt=100, completion=10)

    async def weigh(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[dict[str, float], Usage]:
        self.weighed.append(list(messages))
        opinion = self.opinions.pop(0)
        assert not opinion or set(opinion) == set(options)
        return opinion, Usage(prompt=100, completion=1)


def row(verdict: str, *, point: int = 1, against: str = "", evidence: str = QUOTE) -> Row:
    quotes = [evidence] if verdict != "missed" else []
    return {"point": point, "evidence": quotes, "reason": "The model's own.", "against": against, "verdict": verdict}


def task(*claims: str, lang: Lang = "en") -> JudgingTask:
    return JudgingTask(
        question="How does LoRA fine-tune a model?",
        answer=ANSWER,
        lang=lang,
        claims=tuple(Claim(id=f"p{n}", text=text, weight=1, keys=()) for n, text in enumerate(claims, start=1)),
        wrong_claims=(WrongClaim(text=WRONG, why="It adds, it never replaces.", contradicts=("p1",), keys=()),),
    )


async def judged(
    model: Scripted,
    *claims: str,
    lang: Lang = "en",
    points_a_call: int = 8,
    samples: int = 1,
    second_opinion: bool = False,
    usage: list[Usage] | None = None,
) -> tuple[PointGrade, ...]:
    judge = LLMJudge(model, points_a_call=points_a_call, samples=samples, second_opinion=second_opinion)
    asked = task(*(claims or (FROZEN,)), lang=lang)
    grounds = [FROZEN, ADDED, WRONG, PASSAGE]
    return await judge.judge(asked, BASE, number=1, grounds=grounds, usage=[] if usage is None else usage)


def opinion(**letters: float) -> dict[str, float]:
    return dict.fromkeys("ABCD", 0.0) | letters


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("against", ["", "It is well known.", "The"])
async def test_contradiction_of_nothing_on_the_card_is_uncertain(against: str, lang: Lang) -> None:
    (point,) = await judged(Scripted([[row("contradicted", against=against)]]), lang=lang)
    assert point.verdict == "uncertain"
    assert (
        point.why == {"en": "what it should contradict was not named", "zh": "没有指出它与卡片上的哪句话相矛盾"}[lang]
    )


@pytest.mark.parametrize(
    "against",
    [
        FROZEN,
        "pretrained weights stay frozen",
        "THE PRETRAINED WEIGHTS — STAY FROZEN",
        "Ｔｈｅ　ｐｒｅｔｒａｉｎｅｄ　ｗｅｉｇｈｔｓ",
        "“the pre-trained weights stay frozen, only the adapters…”",
        PASSAGE,
    ],
)
async def test_contradiction_of_words_of_the_card_stands_however_they_are_written(against: str) -> None:
    (point,) = await judged(Scripted([[row("contradicted", against=against)]]))
    assert point.verdict == "contradicted"
    assert point.why == "The model's own."


@pytest.mark.parametrize("verdict", ["covered", "partial", "missed"])
async def test_other_verdicts_need_nothing_to_be_against(verdict: str) -> None:
    (point,) = await judged(Scripted([[row(verdict, against="It is well known.")]]))
    assert point.verdict == verdict


async def test_wrong_claim_of_the_card_brings_its_own_reason() -> None:
    (point,) = await judged(Scripted([[row("contradicted", against="lora replaces the weight matrix")]]))
    assert point.verdict == "contradicted"
    assert point.why == "It adds, it never replaces."


async def test_wrong_claim_about_another_point_leaves_the_models_reason() -> None:
    reply = [row("covered", point=1), row("contradicted", point=2, against=WRONG)]
    _, point = await judged(Scripted([reply]), FROZEN, ADDED)
    assert point.verdict == "contradicted"
    assert point.why == "The model's own."


async def test_number_of_a_point_may_be_copied_with_it(library: Library) -> None:
    model = Scripted([[row("contradicted", against=f"1. {FROZEN}")]])
    engine = LLMEngine(LLMJudge(model, points_a_call=8), library, OfflineEngine(glossary()))
    judgement = await engine.judge(task(FROZEN))
    assert judgement.points[0].verdict == "contradicted"


async def test_line_of_the_notes_that_a_card_rests_on_may_be_spoken_against(settings: Settings) -> None:
    async with interview_desk(settings) as interview:
        card = interview.library.cards["peft-lora-update"]
        ground = interview.library.ground(card, card.points[0], "en")
        assert ground is not None
        line = ground[0].text[:80]
        assert line not in card.points[0].text.en
        said = "LoRA trains everything, and the frozen weight has no part in it."
        rows = [row("contradicted", point=n, against=line, evidence=said) for n in range(1, len(card.points) + 1)]
        assert isinstance(interview.engine, OfflineEngine)
        judge = LLMJudge(Scripted([rows]), points_a_call=8)
        interview.engine = LLMEngine(judge, interview.library, interview.engine)
        session = await interview.open(SessionSettings(questions=1, cards=(card.id,)))
        await drain(interview.go_on(session))
        turns = await drain(interview.answer(session, said))
    found = next(turn for turn in turns if turn.kind == "grade").data["grade"]
    assert {point["verdict"] for point in found["points"]} == {"contradicted"}


async def test_majority_of_samples_decides_and_shares_are_probabilities() -> None:
    model = Scripted([[row("missed")], [row("covered")], [row("covered")]])
    (point,) = await judged(model, samples=3)
    assert point.verdict == "covered"
    assert point.confidence == pytest.approx(2 / 3)
    assert point.probabilities == pytest.approx(dict.fromkeys(LABELS, 0.0) | {"covered": 2 / 3, "missed": 1 / 3})
    assert [quote.text for quote in point.evidence] == [QUOTE]


async def test_samples_that_agree_are_sure() -> None:
    (point,) = await judged(Scripted([[row("partial")]] * 3), samples=3)
    assert (point.verdict, point.confidence) == ("partial", 1.0)


@pytest.mark.parametrize("lang", LANGS)
async def test_samples_without_a_majority_are_uncertain(lang: Lang) -> None:
    (point,) = await judged(Scripted([[row("covered")], [row("partial")], [row("missed")]]), samples=3, lang=lang)
    assert point.verdict == "uncertain"
    assert point.confidence == pytest.approx(1 / 3)
    assert {"en": "samples disagree", "zh": "判断不一致"}[lang] in point.why


async def test_half_of_the_samples_is_no_majority() -> None:
    (point,) = await judged(Scripted([[row("covered")], [row("missed")]]), samples=2)
    assert point.verdict == "uncertain"


async def test_contradiction_that_most_samples_see_still_has_to_name_words_of_the_card() -> None:
    (point,) = await judged(Scripted([[row("contradicted")], [row("contradicted")], [row("covered")]]), samples=3)
    assert point.verdict == "uncertain"


async def test_one_sample_is_asked_for_without_chance_and_several_with() -> None:
    one, three = Scripted([[row("covered")]]), Scripted([[row("covered")]] * 3)
    await judged(one)
    await judged(three, samples=3)
    assert one.temperatures == [0.0]
    assert len(three.temperatures) == 3
    assert min(three.temperatures) > 0


async def test_samples_points_and_second_opinions_share_all_that_stands_before_the_direction() -> None:
    replies: list[list[Row] | Exception] = [[row("covered", point=1)], [row("covered", point=2)]]
    model = Scripted(replies * 3, [opinion(A=1.0)] * 2)
    await judged(model, FROZEN, ADDED, points_a_call=1, samples=3, second_opinion=True)
    branches = [*model.asked, *model.weighed]
    assert len(branches) == 3 * 2 + 2
    assert len({tuple(messages[:-1]) for messages in branches}) == 1
    lasts = [messages[-1].content.rsplit("\n\n", 1) for messages in branches]
    assert len({before for before, _ in lasts}) == 1
    assert {direction for _, direction in lasts} == {
        "DIRECTION JUDGE CARD 1 POINTS 1",
        "DIRECTION JUDGE CARD 1 POINTS 2",
        "DIRECTION VERDICT CARD 1 POINT 1",
        "DIRECTION VERDICT CARD 1 POINT 2",
    }


async def test_points_are_told_apart_by_their_numbers() -> None:
    reply = [row("missed", point=2), row("covered", point=1), row("partial", point=7)]
    points = await judged(Scripted([reply]), FROZEN, ADDED)
    assert [(point.id, point.verdict) for point in points] == [("p1", "covered"), ("p2", "missed")]


async def test_no_call_judges_more_points_than_its_schema_holds() -> None:
    model = Scripted([[row("covered", point=n) for n in range(1, 9)], [row("covered", point=n) for n in (9, 10)]])
    points = await judged(model, *[f"Claim number {n}." for n in range(1, 11)], points_a_call=99)
    assert len(points) == 10
    assert len(model.asked) == 2


@pytest.mark.parametrize("lang", LANGS)
async def test_second_opinion_that_hardly_shares_a_verdict_makes_it_uncertain(lang: Lang) -> None:
    model = Scripted([[row("covered")]], [opinion(A=0.1, B=0.2, C=0.7)])
    (point,) = await judged(model, second_opinion=True, lang=lang)
    assert point.verdict == "uncertain"
    assert point.probabilities == {"covered": 0.1, "partial": 0.2, "missed": 0.7, "contradicted": 0.0}
    assert {"en": "a second look by the model finds it missed", "zh": "模型再看一遍"}[lang] in point.why


@pytest.mark.parametrize("share", [0.25, 0.6, 1.0])
async def test_second_opinion_that_shares_a_verdict_tells_how_sure_it_is(share: float) -> None:
    model = Scripted([[row("covered")]], [opinion(A=share, C=1 - share)])
    (point,) = await judged(model, second_opinion=True)
    assert (point.verdict, point.confidence) == ("covered", share)
    assert point.probabilities["covered"] == share
    assert point.why == "The model's own."


async def test_second_opinion_does_not_make_an_uncertain_point_certain() -> None:
    model = Scripted([[row("contradicted", against="It is well known.")]], [opinion(D=1.0)])
    (point,) = await judged(model, second_opinion=True)
    assert point.verdict == "uncertain"


async def test_server_that_tells_no_probabilities_changes_nothing() -> None:
    plain = await judged(Scripted([[row("covered")]]))
    assert await judged(Scripted([[row("covered")]], [{}]), second_opinion=True) == plain


async def test_reply_that_leaves_a_point_out_is_asked_for_again() -> None:
    model = Scripted([[row("covered", point=1)], [row("covered", point=1), row("missed", point=2)]])
    usage: list[Usage] = []
    points = await judged(model, FROZEN, ADDED, usage=usage)
    assert [point.verdict for point in points] == ["covered", "missed"]
    first, again = model.asked
    assert again[: len(first)] == first
    assert [message.role for message in again[len(first) :]] == ["assistant", "user"]
    assert json.loads(again[-2].content)["points"][0]["point"] == 1
    assert "leaves out point 2" in again[-1].content
    assert again[-1].content.splitlines()[-1] == "DIRECTION JUDGE CARD 1 POINTS 1, 2"
    assert len(usage) == 2


async def test_only_one_bad_reply_is_forgiven() -> None:
    model = Scripted([BadModelOutput("no JSON", reply="Well, <|im_end|> let me see."), [row("covered", point=1)]])
    with pytest.raises(BadModelOutput, match="leaves out point 2"):
        await judged(model, FROZEN, ADDED)
    assert len(model.asked) == 2
    assert "<|im_end|>" not in model.asked[1][-2].content


async def test_failure_of_one_of_several_calls_is_one_error() -> None:
    model = Scripted([[row("covered")], ModelUnavailable("gone"), ModelUnavailable("gone")])
    with pytest.raises(ModelUnavailable, match="gone"):
        await judged(model, samples=3)


async def test_quote_that_the_answer_does_not_hold_gives_no_credit(library: Library) -> None:
    reply = [row("covered", point=1, evidence="the gradients are halved"), row("covered", point=2)]
    engine = LLMEngine(LLMJudge(Scripted([reply]), points_a_call=8), library, OfflineEngine(glossary()))
    found = await grade(task(FROZEN, ADDED), judge=engine, glossary=glossary())
    assert found.engine == "llm:scripted"
    assert [point.verdict for point in found.points] == ["uncertain", "covered"]
    assert found.points[0].evidence == ()
    assert found.score == 1.0  # of the points that are decided
