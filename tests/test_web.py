"""The web chat serves its page and keeps candidate text from becoming HTML."""

from collections.abc import AsyncIterator

import pytest

from interviewer.desk import interview_desk
from interviewer.interview import Interview
from interviewer.language import LANGS
from interviewer.settings import Settings
from interviewer.web.app import _Page
from interviewer.web.words import WORDS


@pytest.fixture
async def page(settings: Settings) -> AsyncIterator[_Page]:
    async with interview_desk(settings) as interview:
        yield _Page(interview, settings)


def test_every_word_is_there_in_both_languages() -> None:
    assert all(WORDS[name].get(lang) for name in WORDS for lang in LANGS)


async def test_start_answer_reload(page: _Page) -> None:
    session = [row async for row in page.start("en", [], "", 1, "any")][-1][1]
    shown = [row async for row in page.answer(session, "<img src=x onerror=alert(1)> I guess", [])][-1][0]
    assert any("&lt;img" in message["content"] for message in shown)
    assert not any("<img" in message["content"] for message in shown)
    again, _, lang = await page.reload(session)
    assert again == shown
    assert lang == "en"


async def test_unknown_session_of_a_browser_starts_anew(page: _Page) -> None:
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
