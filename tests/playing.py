"""What tests that play sessions share."""

from collections.abc import AsyncIterator

from interviewer.interview import Event
from interviewer.transcript import Turn


async def drain(events: AsyncIterator[Event]) -> list[Turn]:
    """Return the turns of a step, but for the choice of the next card: it is nothing that is said."""
    return [event async for event in events if isinstance(event, Turn) and event.kind != "planned"]
