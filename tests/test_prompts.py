"""Prompts are files: what each needs is what its caller gives, and a changed prompt is seen."""

from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from interviewer.cards import Card
from interviewer.engines.base import Ask, Cue, Feedback, FollowUp
from interviewer.engines.offline import OfflineEngine
from interviewer.grading.grade import Grade, PointGrade
from interviewer.language import HAN, LANGS, Lang
from interviewer.library import Library
from interviewer.prompts import plain, render
from interviewer.retrieval.embedder import Embedder
from interviewer.settings import data_folder
from interviewer.transcript import Transcript


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
async def test_what_the_offline_engine_says(library: Library, minilm: Embedder, snapshot: Any, lang: Lang) -> None:
    engine = OfflineEngine(minilm, library.glossary)
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


def test_follow_up_that_would_give_the_point_away_is_replaced(library: Library, minilm: Embedder) -> None:
    card = library.cards["peft-lora-update"]
    point = card.points[0]
    leaky = point.model_copy(update={"follow_up": point.text})
    said = OfflineEngine(minilm, library.glossary).text(FollowUp(card=card, point=leaky), "en")
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
