"""From a transcript to the messages of a model; the bytes of what was sent once never change.

    system      fixed for the session
    user        session block, card 1, DIRECTION ASK CARD 1
    assistant   the question
    user        card 2, read ahead while the candidate thinks; <answer>; DIRECTION REMARK CARD 1
    assistant   the remark
    user        DIRECTION ASK CARD 2
    …

Each turn keeps the direction it was spoken from, so a transcript alone tells what was sent. What two turns of the same
role say is joined into one message: some chat templates insist that roles alternate.
"""

import re

from interviewer.engines.model import Message
from interviewer.language import Lang
from interviewer.progress import progress
from interviewer.prompts import render
from interviewer.transcript import Transcript

SPECIAL = re.compile(
    r"<\|[^<>|\n]{0,60}\|>|</?s>|\[/?INST\]|<</?SYS>>|</?(?:start_of_turn|end_of_turn|think|tool_call|answer|passage)\b",
    re.I,
)
"""Special tokens of the templates in use, and the marks of our own that candidate text must not carry."""


def tame(text: str) -> str:
    """Break up what a tokenizer or a prompt could take for a mark of its own: "<|im_end|>" becomes "< |im_end|>"."""
    while SPECIAL.search(text):
        text = SPECIAL.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)
    return text


def fenced(answer: str, *, number: int) -> str:
    """Return an answer in a fence that it cannot close: what could close it is broken up."""
    return f"<answer {number}>\n{tame(answer)}\n</answer {number}>"


def shown(transcript: Transcript) -> tuple[str, ...]:
    """Return the ids of the cards that stand in the trunk, in order: the first is CARD 1."""
    turns = (turn for turn in transcript.of("planned", "question") if "direction" in turn.data)
    return tuple(dict.fromkeys(turn.data["card"] for turn in turns))


def trunk(transcript: Transcript, *, lang: Lang) -> list[Message]:
    """Return the messages of everything that was said."""
    settings = progress(transcript).settings
    found = [
        Message("system", render("llm/system", lang=lang)),
        Message("user", render("llm/session", lang=lang, questions=settings.questions, topics=settings.topics)),
    ]
    for turn in transcript.turns:
        if direction := turn.data.get("direction"):
            found.append(Message("user", direction))
        if turn.kind == "answer":
            found.append(Message("user", fenced(turn.text, number=turn.number)))
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
