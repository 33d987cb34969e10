"""How likely a served model finds each of a few replies, from the log-probabilities of its first token."""

from collections.abc import AsyncIterator

import pytest

from interviewer.engines.model import Message, Usage
from interviewer.engines.openai import OpenAIModel
from interviewer.errors import ModelUnavailable
from tests.faults.fake import MODEL, FakeServer

ASKED = [Message("user", "DIRECTION VERDICT CARD 1 POINT 1")]


@pytest.fixture
async def model(server: FakeServer) -> AsyncIterator[OpenAIModel]:
    opened = OpenAIModel(base_url=server.base_url, name=MODEL, api_key="", timeout=2.0, cache_salt="s")
    yield opened
    await opened.close()


async def shares(model: OpenAIModel) -> dict[str, float]:
    found, _ = await model.weigh(ASKED, "ABCD")
    return found


async def test_options_that_are_all_there_is_keep_their_probabilities(model: OpenAIModel, server: FakeServer) -> None:
    server.next_tokens = [("A", 0.5), ("B", 0.3), ("C", 0.15), ("D", 0.05)]
    assert await shares(model) == pytest.approx({"A": 0.5, "B": 0.3, "C": 0.15, "D": 0.05})


async def test_shares_sum_to_one_over_the_options(model: OpenAIModel, server: FakeServer) -> None:
    server.next_tokens = [("A", 0.6), ("The", 0.2), ("C", 0.2)]
    assert await shares(model) == pytest.approx({"A": 0.75, "B": 0.0, "C": 0.25, "D": 0.0})


async def test_letter_with_spaces_around_it_is_the_same_letter(model: OpenAIModel, server: FakeServer) -> None:
    server.next_tokens = [(" A", 0.4), ("A", 0.2), ("\nA", 0.1), ("B ", 0.3)]
    assert await shares(model) == pytest.approx({"A": 0.7, "B": 0.3, "C": 0.0, "D": 0.0})


async def test_longer_token_is_not_the_letter_it_begins_with(model: OpenAIModel, server: FakeServer) -> None:
    server.next_tokens = [("A", 0.6), ("AB", 0.2), ("a", 0.2)]
    assert await shares(model) == pytest.approx({"A": 1.0, "B": 0.0, "C": 0.0, "D": 0.0})


@pytest.mark.parametrize(("mass", "told"), [(0.4, False), (0.6, True)])
async def test_options_that_the_model_would_hardly_say_are_no_opinion(
    model: OpenAIModel, server: FakeServer, mass: float, told: bool
) -> None:
    server.next_tokens = [("Well", 1 - mass), ("A", mass)]
    assert bool(await shares(model)) == told


async def test_server_that_tells_no_log_probabilities_gives_no_opinion(model: OpenAIModel, server: FakeServer) -> None:
    server.next_tokens = []
    assert await shares(model) == {}


async def test_server_that_refuses_log_probabilities_gives_no_opinion(model: OpenAIModel, server: FakeServer) -> None:
    server.faults = ["overflow"]  # a 400
    assert await shares(model) == {}


@pytest.mark.parametrize(("fault", "said"), [("500", "busy or broken"), ("hang", "took longer than 2 s")])
async def test_server_that_is_gone_is_an_error(model: OpenAIModel, server: FakeServer, fault: str, said: str) -> None:
    server.faults = [fault]
    with pytest.raises(ModelUnavailable, match=said):
        await shares(model)


async def test_one_token_is_asked_for_without_chance_and_its_cost_is_told(
    model: OpenAIModel, server: FakeServer
) -> None:
    _, usage = await model.weigh(ASKED, "ABCD")
    assert isinstance(usage, Usage)
    assert (usage.prompt, usage.cached, usage.completion) == (100, 96, 1)
    assert usage.first_token_ms > 0
    (sent,) = server.requests
    assert sent["messages"] == [{"role": "user", "content": ASKED[0].content}]
    assert sent["temperature"] == 0
    assert sent["cache_salt"] == "s"
    assert 1 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))
