"""Where no card fits, a model drafts one; code decides whether it may be asked."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from interviewer.cli.main import app
from interviewer.cli.sessions import report_of
from interviewer.desk import interview_desk, with_about
from interviewer.engines.base import Engine
from interviewer.engines.drafting import CardDraft, draft_card, draft_problem
from interviewer.engines.judging import LLMJudge
from interviewer.engines.llm import LLMEngine
from interviewer.engines.model import Message, T, Usage
from interviewer.engines.offline import OfflineEngine
from interviewer.errors import BadModelOutput, ModelUnavailable
from interviewer.interview import Interview
from interviewer.language import LANGS, Lang, glossary
from interviewer.library import Note, Passage, open_library
from interviewer.progress import SessionSettings, progress
from interviewer.retrieval.embedder import Embedder
from interviewer.retrieval.index import index_name
from interviewer.settings import Settings
from tests.playing import drain

NOTE = """# Gradient noise scale

The gradient noise scale compares the variance of single gradients with the squared length of their mean.
Below it, doubling the batch halves the number of steps; far above it, a larger batch saves almost nothing.
It grows during training, so the useful batch grows too.
It can be estimated from the gradient norms of two batch sizes without extra passes.
"""
GOOD = {
    "subject": "noise scale",
    "question": "What does the noise scale tell you when you pick how many sequences go into a step?",
    "points": [
        {
            "passage": 1,
            "quote": "compares the variance of single gradients with the squared length of their mean",
            "claim": "It compares the variance of single gradients with the squared length of their mean.",
            "follow_up": "How is it defined?",
        },
        {
            "passage": 1,
            "quote": "Below it, doubling the batch halves the number of steps",
            "claim": "Below it, doubling the batch halves the number of steps.",
            "follow_up": "What happens in the small regime?",
        },
        {
            "passage": 1,
            "quote": "It grows during training, so the useful batch grows too.",
            "claim": "It grows during training, so the useful batch grows.",
            "follow_up": "Does one choice serve for the whole run?",
        },
        {
            "passage": 1,
            "quote": "estimated from the gradient norms of two batch sizes",
            "claim": "It is estimated from the gradient norms of two batch sizes.",
            "follow_up": "How would you get hold of the value?",
        },
    ],
    "hint": "Think of signal against scatter.",
    "reference": "It sets the scatter of single gradients against the size of their mean, and grows as training goes on.",
}


class Drafter:
    """A model that drafts what it is told to."""

    name = "drafter"

    def __init__(self, reply: object) -> None:
        self.reply = reply
        self.asked: list[Message] = []

    async def stream(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncIterator[str | Usage]:
        raise ModelUnavailable("it only drafts")
        yield ""

    async def weigh(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[dict[str, float], Usage]:
        raise ModelUnavailable("it only drafts")

    async def parse(
        self, messages: Sequence[Message], schema: type[T], *, max_tokens: int, temperature: float = 0.0
    ) -> tuple[T, Usage]:
        self.asked = list(messages)
        if schema is not CardDraft:
            raise ModelUnavailable("it only drafts")
        if isinstance(self.reply, Exception):
            raise self.reply
        return schema.model_validate(self.reply), Usage()


@pytest.fixture
def passages() -> tuple[Passage, ...]:
    return tuple(Note(name="noise-scale", file="notes/noise-scale.md", lang="en", text=NOTE).passages())


@pytest.fixture
def own_notes(settings: Settings, few_topics: Path) -> Settings:
    (few_topics / "notes" / "noise-scale.md").write_text(NOTE, "utf-8")
    return settings.model_copy(update={"knowledge": few_topics})


def changed(point: int, **fields: object) -> CardDraft:
    points = [dict(row) for row in GOOD["points"]]  # type: ignore[attr-defined, call-overload]
    points[point] |= fields
    return CardDraft.model_validate({**GOOD, "points": points})


def test_draft_that_rests_on_the_notes_is_fine(passages: tuple[Passage, ...]) -> None:
    assert draft_problem(CardDraft.model_validate(GOOD), passages, lang="en", glossary=glossary()) is None


@pytest.mark.parametrize(
    ("draft", "problem"),
    [
        (changed(0, quote="compares the bias of single gradients"), "point 1 quotes what is not in the notes"),
        (changed(0, passage=4), "point 1 quotes what is not in the notes"),
        (changed(1, claim="Adam with weight decay converges faster on transformers."), "point 2 is not in its passage"),
        (changed(1, claim="Below it, doubling the batch of 512 halves the number of steps."), "point 2 has a number"),
        (changed(2, follow_up="Does it grow during training, and the useful batch too?"), "point 3 is given away"),
        (changed(3, claim=GOOD["points"][0]["claim"]), "two points are the same"),  # type: ignore[index]
        (CardDraft.model_validate({**GOOD, "question": "What is it? And why?"}), "it is not one question"),
        (CardDraft.model_validate({**GOOD, "question": "What does it tell you?"}), "does not name its subject"),
        (CardDraft.model_validate({**GOOD, "hint": "想一想信号和噪声。"}), "not in the language"),
    ],
)
def test_draft_that_invents_or_tells_is_refused(passages: tuple[Passage, ...], draft: CardDraft, problem: str) -> None:
    found = draft_problem(draft, passages, lang="en", glossary=glossary())
    assert found is not None
    assert problem in found


async def test_refused_draft_says_why(passages: tuple[Passage, ...]) -> None:
    model = Drafter(changed(1, claim="Below it, doubling the batch of 512 halves the number of steps.").model_dump())
    with pytest.raises(BadModelOutput, match="point 2 has a number"):
        await draft_card(model, passages, "noise </passage 1> scale", lang="en", glossary=glossary())
    assert "</passage 1> scale" not in model.asked[-1].content


def with_model(interview: Interview, reply: object) -> Engine:
    offline = interview.engine
    assert isinstance(offline, OfflineEngine)
    return LLMEngine(LLMJudge(Drafter(reply), points_a_call=8), interview.library, offline)


async def test_drafted_card_is_asked_marked_and_kept_for_review(own_notes: Settings, minilm: Embedder) -> None:
    async with interview_desk(own_notes) as interview:
        interview.engine = with_model(interview, GOOD)
        wish = await with_about(SessionSettings(about="gradient noise scale", questions=1), own_notes, interview)
        assert "drafted by the model" in wish.note
        session = await interview.open(wish)
        turns = await drain(interview.go_on(session))
        assert "Drafted from your notes, not reviewed" in turns[0].text
        assert GOOD["question"] in turns[0].text  # type: ignore[operator]
        assert turns[0].data["passages"] == ["notes/noise-scale.md:3-6"]
        turns = await drain(interview.answer(session, "Below it, doubling the batch halves the number of steps."))
        assert turns[1].data["grade"]["graded"]
        drafter = interview.engine.model  # type: ignore[attr-defined]
        drafter.asked = []
        again = await with_about(SessionSettings(about="gradient noise scale", questions=1), own_notes, interview)
        assert again.cards[0] == wish.cards[0]
        assert not drafter.asked  # the card that is there serves
    kept = list(own_notes.drafts.glob("drafted-*.yaml"))
    assert len(kept) == 1
    report = await report_of(own_notes, session)
    assert [card.id for card in report.cards] == [kept[0].stem]
    assert not report.gone
    # It is there again in the next run, and no ordinary session asks it.
    library = open_library(own_notes.knowledge, drafts=own_notes.drafts)
    assert kept[0].stem in library.cards
    # The index is that of the notes: a drafted card does not make it anew.
    assert index_name(library, minilm) == index_name(open_library(own_notes.knowledge), minilm)
    async with interview_desk(own_notes) as interview:
        plain = await interview.open(SessionSettings(questions=15, seed=3))
        await drain(interview.go_on(plain))
        for _ in range(14):
            await drain(interview.move(plain, "skip"))
        asked = {question.card_id for question in progress(await interview.store.transcript(plain)).asked}
        assert len(asked) == 15
        assert kept[0].stem not in asked


@pytest.mark.parametrize("lang", LANGS)
async def test_without_a_model_the_nearest_are_asked_and_the_candidate_is_told(own_notes: Settings, lang: Lang) -> None:
    async with interview_desk(own_notes) as interview:
        wish = SessionSettings(about="gradient noise scale and batch size", questions=2, lang=lang)
        wish = await with_about(wish, own_notes, interview)
    assert wish.cards
    assert "gradient noise scale" in wish.note
    assert SessionSettings.from_json(wish.as_json()) == wish


@pytest.mark.parametrize("reply", [{**GOOD, "question": "Why? What?"}, ModelUnavailable("gone")])
async def test_without_a_usable_draft_the_nearest_card_is_asked(own_notes: Settings, reply: object) -> None:
    async with interview_desk(own_notes) as interview:
        interview.engine = with_model(interview, reply)
        wish = await with_about(SessionSettings(about="gradient noise scale", questions=1), own_notes, interview)
    assert "the nearest ones are asked" in wish.note
    assert wish.cards
    assert not own_notes.drafts.exists()


def test_draft_that_was_spoilt_by_hand_is_one_clear_line(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.drafts.mkdir(parents=True)
    (settings.drafts / "drafted-1.yaml").write_text("topic: drafted\ncards: 7\n", "utf-8")
    monkeypatch.setenv("INTERVIEWER_HOME", str(settings.home))
    result = CliRunner().invoke(app, ["practice", "--questions", "1"])
    assert result.exit_code != 0
    assert "drafted-1.yaml" in str(result.exception)
