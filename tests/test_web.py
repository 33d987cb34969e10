"""The web chat serves its page and keeps candidate text from becoming HTML."""

import re
from collections.abc import AsyncIterator

import gradio as gr
import pytest

from interviewer.desk import interview_desk
from interviewer.interview import Interview
from interviewer.language import LANGS
from interviewer.retrieval.index import SearchIndex
from interviewer.settings import Settings
from interviewer.web.app import Page
from interviewer.web.words import WORDS


@pytest.fixture
async def page(settings: Settings) -> AsyncIterator[Page]:
    async with interview_desk(settings) as interview:
        yield Page(interview, settings)


def test_every_word_is_there_in_both_languages() -> None:
    assert all(WORDS[name].get(lang) for name in WORDS for lang in LANGS)


async def test_start_answer_reload(page: Page) -> None:
    session = [row async for row in page.start("en", [], "", 1, "any")][-1][-1]
    answer = "<img src=x onerror=alert(1)> ![](http://evil.example/x.png) I guess"
    rows = [row async for row in page.answer(session, answer)]
    assert rows[0][0][-1]["content"] == "grading…"
    assert rows[0][-1] != ""  # the text stays in its box until it is written down
    assert rows[-1][-1] == ""
    shown = rows[-1][0]
    assert any(r"\<img" in message["content"] for message in shown)
    assert not re.search(r"(?<!\\)<img|(?<!\\)!\[", "".join(message["content"] for message in shown))
    again = await page.reload(session)
    assert again[0] == shown
    assert again[-1] == "en"


async def test_form_comes_back_when_the_session_is_over(page: Page) -> None:
    session = [row async for row in page.start("zh", [], "", 2, 2)][-1][-1]
    open_, form, room, desk, _ = [row async for row in page.mover("hint")(session)][-1]
    assert (form.visible, room.visible, desk.visible) == (False, True, True)
    assert open_[-1]["content"]
    closed, form, room, desk, _ = [row async for row in page.mover("stop")(session)][-1]
    assert (form.visible, room.visible, desk.visible) == (True, True, False)
    assert closed[-1]["content"].startswith("# 练习报告")


async def test_refused_answer_is_told_and_stays_in_its_box(page: Page) -> None:
    session = [row async for row in page.start("en", [], "", 1, "any")][-1][-1]
    boxes = []

    async def submit() -> None:
        async for row in page.answer(session, "x" * 200_000):
            boxes.append(row[-1])

    with pytest.raises(gr.Error, match="at most"):
        await submit()
    assert boxes
    assert "" not in boxes


async def test_what_the_notes_do_not_hold_is_told(
    page: Page, index: SearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interviewer.retrieval.index.index_for", lambda *_: index)
    with pytest.raises(gr.Error, match="notes hold nothing"):
        [row async for row in page.start("en", [], "sourdough hydration kneading", 1, "any")]


async def test_unknown_session_of_a_browser_starts_anew(page: Page) -> None:
    assert (await page.reload("gone"))[0] == []


async def test_page_is_served(settings: Settings) -> None:
    import httpx2

    from interviewer.web.server import make_app

    async with interview_desk(settings) as interview:
        app = make_app(interview, settings)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            health = await client.get("/health")
            assert health.json() == {"status": "ok", "engine": "offline"}
            assert (await client.get("/")).status_code == 200
            for hidden in ("/monitoring", "/docs", "/openapi.json"):
                assert (await client.get(hidden)).status_code in (401, 403, 404)
    assert isinstance(interview, Interview)
