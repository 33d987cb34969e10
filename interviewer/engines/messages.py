"""From a transcript to the messages of a model; the bytes of what was sent once never change.

    system      fixed for the session
    user        session block, then the first direction (card, passages)
    assistant   what the interviewer said
    user        <answer>, then the next direction
    …

Each spoken turn keeps the direction it was spoken from, so a transcript alone tells what was sent. What two turns of
the same role say is joined into one message: some chat templates insist that roles alternate.
"""

import re

from interviewer.engines.model import Message
from interviewer.language import Lang
from interviewer.progress import progress
from interviewer.prompts import render
from interviewer.transcript import Transcript, Turn

SPECIAL = re.compile(
    r"<\|[^<>|\n]{0,60}\|>|</?s>|\[/?INST\]|<</?SYS>>|</?(?:start_of_turn|end_of_turn|think|tool_call|answer)\b", re.I
)
"""Special tokens of the templates in use, and the marks of our own that candidate text must not carry."""


def tame(text: str) -> str:
    """Break up what a tokenizer or a prompt could take for a mark of its own: "<|im_end|>" becomes "< |im_end|>"."""
    while SPECIAL.search(text):
        text = SPECIAL.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)
    return text


def fenced(turn: Turn) -> str:
    """Return an answer in a fence that it cannot close: its number in the chain is part of the mark."""
    mark = turn.parent[:8]
    return f"<answer {mark}>\n{tame(turn.text)}\n</answer {mark}>"


def trunk(transcript: Transcript, *, topics: tuple[str, ...], lang: Lang) -> list[Message]:
    """Return the messages of everything that was said."""
    settings = progress(transcript).settings
    found = [
        Message("system", render("llm/system", lang=lang)),
        Message("user", render("llm/session", lang=lang, questions=settings.questions, topics=topics)),
    ]
    for turn in transcript.turns:
        if direction := turn.data.get("direction"):
            found.append(Message("user", direction))
        if turn.kind == "answer":
            found.append(Message("user", fenced(turn)))
        elif turn.kind == "move":
            found.append(Message("user", f"[{turn.data['move']}]"))
        elif turn.role == "interviewer" and turn.text:
            found.append(Message("assistant", tame(turn.data.get("reply", turn.text))))
    return found


def alternating(messages: list[Message]) -> list[Message]:
    """Join neighbours of one role."""
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            joined[-1] = Message(message.role, f"{joined[-1].content}\n\n{message.content}")
        else:
            joined.append(message)
    return joined
