"""Every error a caller may catch; each message says what to do next.

InterviewerError          exit 1
├── ConfigError           exit 2   a setting or an argument is wrong
├── KnowledgeError        exit 1   notes or cards cannot be used
│   └── NothingFound      exit 1   the notes hold nothing on what was asked
├── SearchIndexError      exit 1   the index cannot be built or opened
├── ModelError            exit 1   the model server answers, but not as it should
│   ├── ModelUnavailable  exit 75  it does not answer; trying again is safe
│   └── BadModelOutput    exit 1   the reply is not what was asked for; carries .reply
├── StorageError          exit 1   sessions cannot be read or written
│   └── StorageBusy       exit 75  somebody else writes; safe to retry
├── SessionError          exit 1
│   ├── SessionNotFound   exit 1
│   ├── SessionTooNew     exit 1   saved by a newer version
│   └── SessionMovedOn    exit 75  the session went on meanwhile
└── AnswerRefused         exit 2   the answer was not accepted; nothing was written
"""

from pathlib import Path


class InterviewerError(Exception):
    """Root of all errors meant for the user."""

    exit_code = 1


class ConfigError(InterviewerError):
    """A setting or an argument is wrong."""

    exit_code = 2


class KnowledgeError(InterviewerError):
    """Notes or cards cannot be used."""


class NothingFound(KnowledgeError):
    """The notes hold nothing on what was asked."""


class SearchIndexError(InterviewerError):
    """The index cannot be built or opened."""


class ModelError(InterviewerError):
    """The model server answers, but not as it should."""


class ModelUnavailable(ModelError):
    """The model server does not answer; trying again is safe."""

    exit_code = 75


class BadModelOutput(ModelError):
    """The reply is not what was asked for."""

    def __init__(self, message: str, *, reply: str) -> None:
        super().__init__(message)
        self.reply = reply


class StorageError(InterviewerError):
    """Sessions cannot be read or written."""


class StorageBusy(StorageError):
    """Somebody else is writing; trying again is safe."""

    exit_code = 75


class SessionError(InterviewerError):
    """A session cannot be used."""


class SessionNotFound(SessionError):
    """No session has this id."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"no session {session_id!r}; `interviewer sessions list` shows the ones there are")
        self.session_id = session_id


class SessionTooNew(SessionError):
    """The session was saved by a newer version."""

    def __init__(self, session_id: str, *, found: int, known: int) -> None:
        super().__init__(
            f"session {session_id} was saved by a newer interviewer (format {found}, this one reads up to {known}); "
            "update the interviewer, the session is untouched"
        )


class SessionMovedOn(SessionError):
    """The session went on meanwhile: in another window, or an earlier answer was still being graded."""

    exit_code = 75

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id} has moved on; look at what is asked now and send it again")


class AnswerRefused(InterviewerError):
    """The answer was not accepted; nothing was written."""

    exit_code = 2


def unwritable(path: Path, error: BaseException) -> StorageError:
    """Say that a folder cannot be written, and what to do about it."""
    return StorageError(
        f"cannot write in {path}: {error}; free some space or set INTERVIEWER_HOME to a folder you can write in"
    )
