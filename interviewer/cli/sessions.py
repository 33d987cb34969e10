"""What the session commands read and write."""

from typing import Any

from interviewer.library import library_of
from interviewer.report import Report, make_report
from interviewer.settings import Settings
from interviewer.store import SessionRow, open_store
from interviewer.transcript import Transcript


async def rows(settings: Settings) -> list[SessionRow]:
    """List the saved sessions."""
    async with open_store(settings.database) as store:
        return await store.rows()


async def transcript(settings: Settings, session_id: str) -> Transcript:
    """Read one session."""
    async with open_store(settings.database) as store:
        return await store.transcript(session_id)


async def delete(settings: Settings, session_id: str) -> None:
    """Delete one session."""
    async with open_store(settings.database) as store:
        await store.delete(session_id)


async def report_of(settings: Settings, session_id: str) -> Report:
    """Make the report of one session."""
    found = await transcript(settings, session_id)
    return make_report(found, library_of(settings))


def as_data(found: Transcript) -> dict[str, Any]:
    """Return a transcript as JSON data."""
    return {
        "id": found.session_id,
        "turns": [
            {
                "number": t.number, "role": t.role, "kind": t.kind, "text": t.text, "data": t.data,
                "at": t.at.isoformat(), "parent": t.parent, "hash": t.hash,
            }
            for t in found.turns
        ],
    }  # fmt: skip
