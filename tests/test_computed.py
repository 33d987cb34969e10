"""Computed cards: numbers from a seed, and the candidate's number checked by code."""

import pytest

from interviewer.cards import Card
from interviewer.computed.draw import SEEDS, draw, template
from interviewer.computed.formulas import FORMULAS
from interviewer.computed.quantities import Dimension, quantities, shown, size_of
from interviewer.desk import interview_desk
from interviewer.engines.checks import remark_problem
from interviewer.grading.grade import task_of
from interviewer.grading.numbers import check_numbers
from interviewer.grading.pipeline import CODE
from interviewer.language import LANGS, Lang
from interviewer.library import Library
from interviewer.planner import Wish, plan
from interviewer.progress import SessionSettings, progress
from interviewer.report import make_report
from interviewer.settings import Settings
from tests.playing import drain

KV = "sizing-kv-cache"


@pytest.mark.parametrize(
    ("text", "dimension", "default", "value"),
    [
        ("it is 16 GiB", "bytes", 1.0, 16 * 2**30),
        ("about 17.2GB in all", "bytes", 1.0, 17.2e9),
        ("17,179,869,184 bytes", "bytes", 1.0, 17179869184),
        ("大约 131,072 字节", "bytes", 1.0, 131072),
        ("128KiB", "bytes", 1.0, 131072),
        ("128 kb", "bytes", 1.0, 128e3),
        ("131072", "bytes", 1.0, 131072),
        ("so 16 of them", "bytes", 2.0**30, 16 * 2**30),
        ("70 亿参数", "count", 1.0, 7e9),
        ("7B parameters", "count", 1.0, 7e9),
        ("3.5万", "count", 1.0, 35000),
        ("4.2 million", "count", 1.0, 4.2e6),
        ("6.74 billion", "count", 1e9, 6.74e9),
        ("3.15e23 FLOPs", "flops", 1.0, 3.15e23),
        ("3.15×10^23", "flops", 1.0, 3.15e23),
        ("3.15 x 10²³ FLOPs", "flops", 1.0, 3.15e23),
        ("315 ZFLOPs", "flops", 1.0, 3.15e23),
        ("10^21", "flops", 1.0, 1e21),
        ("2^30 bytes", "bytes", 1.0, 2**30),
        ("62.5%", "share", 0.01, 0.625),
        ("5/8", "share", 0.01, 0.625),
        ("0.625", "share", 0.01, 0.625),
        ("62.5", "share", 0.01, 0.625),
        ("12 ms a token", "seconds", 1.0, 0.012),
        ("12 毫秒", "seconds", 1.0, 0.012),
        ("34 days", "seconds", 1.0, 34 * 86400),
        ("-0.34", "number", 1.0, -0.34),
        ("= 1.944.", "number", 1.0, 1.944),
        ("困惑度是3.5左右", "number", 1.0, 3.5),
        ("为-0.96", "number", 1.0, -0.96),
    ],
)
def test_quantities_are_read_as_candidates_write_them(
    text: str, dimension: Dimension, default: float, value: float
) -> None:
    found = [v for quantity in quantities(text, dimension, default=default) for v in quantity.values]
    assert any(v == pytest.approx(value, rel=1e-6) for v in found), found


@pytest.mark.parametrize(
    "text", ["32 layers and 8 heads", "8192 tokens", "32 层、8 个头", "GPT-4", "v1.2.3", "nothing"]
)
def test_numbers_of_something_else_are_no_bytes(text: str) -> None:
    assert not [q for q in quantities(text, "bytes", default=2.0**30) if q.has_unit or "32" in q.span.text]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (131072, "KiB", "128 KiB"),
        (0.625, "%", "62.5%"),
        (6.74e9, "billion", "6.74 billion"),
        (8192, "", "8,192"),
        (3.15e23, "", "3.15e+23"),
        (0.012, "ms", "12 ms"),
    ],
)
def test_values_are_shown_with_separators_and_units(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text
    assert size_of(unit)[1] > 0


def test_same_seed_same_numbers_and_other_seeds_others(library: Library) -> None:
    assert library.cards[f"{KV}@7"] == library.cards[f"{KV}@7"]
    assert len({library.cards[f"{KV}@{seed}"].question.en for seed in range(20)}) > 5
    assert draw(library.cards[KV], SEEDS + 7).id == f"{KV}@7"
    assert template(f"{KV}@7") == KV
    assert library.cards.get("nonsense@7") is None
    assert library.cards.get(f"{KV}@x") is None
    assert library.cards.get("peft-lora-update@7") is None


def answered(card: Card, answer: str, lang: Lang = "en") -> dict[str, str]:
    return {grade.id: grade.verdict for grade in check_numbers(task_of(card, answer, lang=lang))}


@pytest.fixture
def card(library: Library) -> Card:
    return library.cards[f"{KV}@1"]  # 24 layers, 4 KV heads of 128, 2 bytes, 8,192 tokens: 48 KiB and 0.375 GiB


@pytest.mark.parametrize(
    ("answer", "per_token", "total"),
    [
        ("48 KiB per token, so 0.375 GiB.", "covered", "covered"),
        ("Per token that is 49,152 bytes; the whole cache takes 384 MiB.", "covered", "covered"),
        ("每个 token 48 KiB，总共 0.375 GiB", "covered", "covered"),
        ("I get 0.375 for all of it", "covered", "covered"),
        ("about 403 MB", "covered", "covered"),
        ("48 KiB a token and 3.75 GiB in all", "covered", "missed"),
        ("24 layers, 4 heads, 128 dims, 2 bytes, 8192 tokens", "missed", "missed"),
        ("48 MiB per token, and 0.375 MiB in all", "partial", "partial"),
        ("It depends on the batch size.", "missed", "missed"),
    ],
)
def test_number_is_checked_with_its_unit(card: Card, answer: str, per_token: str, total: str) -> None:
    assert answered(card, answer) == {"per-token": per_token, "total": total}


def test_wrong_unit_is_named(card: Card) -> None:
    grade = check_numbers(task_of(card, "48 MiB for one token", lang="en"))[0]
    assert grade.verdict == "partial"
    assert "48 KiB" in grade.why
    assert grade.evidence[0].text == "48 MiB"


def test_model_may_not_say_the_number(card: Card) -> None:
    assert remark_problem("The multiplication by two is there.", card=card, open_points=card.points, lang="en") is None
    said = remark_problem("It comes to 384 MiB in all.", card=card, open_points=card.points, lang="en")
    assert said is not None
    assert "384 MiB" in said


def test_answer_full_of_numbers_is_not_searched_for_the_right_one(card: Card) -> None:
    assert set(answered(card, " ".join(f"{n / 1000} GiB" for n in range(300, 400))).values()) == {"uncertain"}


@pytest.mark.parametrize("lang", LANGS)
async def test_computed_card_is_asked_graded_by_code_and_reported(settings: Settings, lang: Lang) -> None:
    async with interview_desk(settings) as interview:
        session = await interview.open(SessionSettings(lang=lang, questions=1, cards=(KV,), seed=10_001))
        question = (await drain(interview.go_on(session)))[0]
        assert question.data["card"] == f"{KV}@1"
        assert "{" not in question.text
        assert "8,192" in question.text
        turns = await drain(interview.answer(session, "0.375 GiB"))
        assert turns[1].data["grade"]["engine"] == CODE
        assert turns[1].data["grade"]["score"] == 1.0
        transcript = await interview.store.transcript(session)
        assert progress(transcript).closed
        report = make_report(transcript, interview.library)
        assert "0.375 GiB" in report.as_markdown()


def test_computed_card_is_planned_once_whatever_its_numbers(library: Library) -> None:
    wish = Wish(topics=("sizing",), seed=5)
    total = sum(card.topic == "sizing" for card in library.cards.values())
    asked: list[str] = []
    while planned := plan(library, wish, asked=asked, last_scores={}):
        asked.append(planned.card.id)
        assert planned.card.id.endswith("@5")
    assert len(asked) == total


def test_every_formula_is_used_by_a_card(library: Library) -> None:
    used = {card.computed.formula for card in library.cards.values() if card.computed}
    assert used == set(FORMULAS)


@pytest.mark.parametrize("lang", LANGS)
def test_reference_of_every_computed_card_earns_all_its_points(library: Library, lang: Lang) -> None:
    computed = [card for card in library.cards.values() if card.computed]
    assert len(computed) >= 40
    for origin in computed:
        for seed in (1, 4242):
            drawn = draw(origin, seed)
            assert set(answered(drawn, drawn.reference.get(lang), lang).values()) == {"covered"}, drawn.id
