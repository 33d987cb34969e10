"""Sessions on disk: every turn is one row, written and synced before anything else happens."""

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Integer, String, Text, delete, event, func, select
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from interviewer.errors import (
    SessionError,
    SessionMovedOn,
    SessionNotFound,
    SessionTooNew,
    StorageBusy,
    StorageError,
    unwritable,
)
from interviewer.transcript import Transcript, Turn

FORMAT = 3
"""Of a saved session; raised when an older version could not read a newer one."""

REMEMBERED = 64
"""Transcripts kept in memory: a turn reads its session a dozen times."""


class _Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON}  # noqa: RUF012 - SQLAlchemy reads it so


class _Session(_Base):
    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    format: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(DateTime)
    closed: Mapped[bool] = mapped_column(default=False)


class _Turn(_Base):
    __tablename__ = "turns"
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(DateTime)
    parent: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A session as a list shows it."""

    id: str
    created_at: datetime
    closed: bool
    turns: int


class Store:
    """Sessions in one SQLite file."""

    def __init__(self, path: Path, engine: AsyncEngine) -> None:
        self.path = path
        self._engine = engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._read: OrderedDict[str, Transcript] = OrderedDict()

    async def create(self, session_id: str, *, at: datetime) -> None:
        """Write a new session without turns."""
        async with self._write() as db:
            db.add(_Session(id=session_id, format=FORMAT, created_at=at.astimezone(UTC), closed=False))

    async def append(self, session_id: str, turn: Turn) -> None:
        """Write one turn; it is on the disk when this returns.

        Raises:
            SessionMovedOn: another process wrote a turn with this number first.
            StorageError: the disk is full or cannot be written.
        """
        row = _Turn(
            session_id=session_id,
            number=turn.number,
            kind=turn.kind,
            text=turn.text,
            data=turn.data,
            at=turn.at.astimezone(UTC),
            parent=turn.parent,
            hash=turn.hash,
        )
        try:
            async with self._write() as db:
                db.add(row)
                if turn.kind == "closed":
                    (await db.get_one(_Session, session_id)).closed = True
        except IntegrityError as error:
            raise SessionMovedOn(session_id) from error

    async def transcript(self, session_id: str) -> Transcript:
        """Read a session; its hash chain is verified, and what was read before is not read again.

        Raises:
            SessionNotFound: no session has this id.
            SessionTooNew: a newer version saved it.
            SessionError: a turn was changed on the disk.
        """
        with self._reading():
            async with self._sessions() as db:
                session = await db.get(_Session, session_id)
                if session is None:
                    raise SessionNotFound(session_id)
                if session.format > FORMAT:
                    raise SessionTooNew(session_id, found=session.format, known=FORMAT)
                found = self._read.get(session_id, Transcript(session_id))
                new = (_Turn.session_id == session_id) & (_Turn.number >= len(found.turns))
                for row in await db.scalars(select(_Turn).where(new).order_by(_Turn.number)):
                    turn = _turn(row)
                    found = found.plus(turn)
                    if turn.hash != row.hash:
                        raise SessionError(f"turn {turn.number} of session {session_id} was changed on the disk")
                self._read[session_id] = found
                self._read.move_to_end(session_id)
                if len(self._read) > REMEMBERED:
                    self._read.popitem(last=False)
                return found

    async def rows(self) -> list[SessionRow]:
        """List the sessions, newest first."""
        with self._reading():
            async with self._sessions() as db:
                counts = select(_Turn.session_id, func.count().label("n")).group_by(_Turn.session_id).subquery()
                query = (
                    select(_Session, counts.c.n)
                    .outerjoin(counts, counts.c.session_id == _Session.id)
                    .order_by(_Session.created_at.desc())
                )
                return [
                    SessionRow(id=s.id, created_at=s.created_at.replace(tzinfo=UTC), closed=s.closed, turns=n or 0)
                    for s, n in await db.execute(query)
                ]

    async def delete(self, session_id: str) -> None:
        """Remove a session and its turns."""
        self._read.pop(session_id, None)
        async with self._write() as db:
            session = await db.get(_Session, session_id)
            if session is None:
                raise SessionNotFound(session_id)
            await db.execute(delete(_Turn).where(_Turn.session_id == session_id))
            await db.delete(session)

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncSession]:
        try:
            async with self._sessions() as db, db.begin():
                yield db
        except IntegrityError:
            raise
        except OperationalError as error:
            if "locked" in str(error.orig):
                raise StorageBusy(f"{self.path} is being written by another process; try again") from error
            raise unwritable(self.path.parent, error.orig or error) from error

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            raise StorageError(f"{self.path} cannot be read: {error.orig}; move it away to start anew") from error


def _turn(row: _Turn) -> Turn:
    return Turn(
        number=row.number,
        kind=row.kind,  # type: ignore[arg-type]
        text=row.text,
        data=row.data,
        at=row.at.replace(tzinfo=UTC),
        parent=row.parent,
    )


def _pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # FULL: an accepted answer survives a power cut.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@asynccontextmanager
async def open_store(path: Path) -> AsyncIterator[Store]:
    """Open the sessions of a file; it is made where it is missing.

    Raises:
        StorageError: the folder cannot be written, or the file is no database.
    """
    # Ctrl-C in the middle of a statement closes the connection, which is all there is to do; the pool logs a traceback.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    event.listen(engine.sync_engine, "connect", _pragmas)
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            async with engine.begin() as connection:
                await connection.run_sync(_Base.metadata.create_all)
        except OSError as error:
            raise unwritable(path.parent, error) from error
        except OperationalError as error:
            raise unwritable(path.parent, error.orig or error) from error
        except DatabaseError as error:
            raise StorageError(f"{path} is not a database: {error.orig}; move it away to start anew") from error
        yield Store(path, engine)
    finally:
        await engine.dispose()
