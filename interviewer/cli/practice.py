"""Practice in the terminal."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from interviewer.calibration import trust
from interviewer.desk import interview_desk, with_about
from interviewer.errors import AnswerRefused
from interviewer.interview import Delta, Event, Interview
from interviewer.language import Lang, dont_know
from interviewer.library import Library
from interviewer.progress import Move, SessionSettings, open_to_self_assessment, progress, standing
from interviewer.report import make_report
from interviewer.settings import Settings
from interviewer.transcript import Transcript, Turn
from interviewer.usage import cost_line, spent

MOVES: dict[str, Move] = {
    "/hint": "hint", "/skip": "skip", "/back": "back", "/reference": "reference", "/stop": "stop",
    "/提示": "hint", "/跳过": "skip", "/返回": "back", "/参考": "reference", "/结束": "stop",
}  # fmt: skip
HELP: dict[Lang, str] = {
    "en": "Enter sends (Alt+Enter: new line). /hint (costs 10 %) /skip /idk /back /reference /said /stop /help",
    "zh": "回车发送(Alt+回车换行)。/提示(扣 10%) /跳过 /不会 /返回 /参考 /说过 /结束 /帮助",
}
SAID = ("/said", "/说过")
UNCERTAIN: dict[Lang, str] = {
    "en": "The judge could not tell these; they are not in the score. /said 1 2 ticks those that you said, /said 0 none:",
    "zh": "下面几点评不准，不计入得分。用 /说过 1 2 勾选你说到的，/说过 0 全部取消：",
}
NO_SUCH_POINT: dict[Lang, str] = {"en": "no such point: {}; nothing was changed", "zh": "没有这样的编号：{}；没有改动"}
NONE_UNCERTAIN: dict[Lang, str] = {"en": "No point is uncertain.", "zh": "没有评不准的得分点。"}
MARKS = {"covered": "✔", "partial": "◐", "missed": "✘", "contradicted": "⚠", "uncertain": "?"}


class Terminal:
    """One practice session in the terminal: talk on stderr when stdout carries JSON."""

    def __init__(self, settings: Settings, *, as_json: bool) -> None:
        self._settings = settings
        self._json = as_json
        self._lang: Lang = settings.lang

    async def practise(self, wish: SessionSettings, *, resume: str | None) -> int:
        """Play a session to its end; Ctrl-C leaves it saved. Returns the exit code."""
        async with interview_desk(self._settings) as interview:
            if resume:
                transcript = await interview.store.transcript(resume)
                session_id, lang = resume, progress(transcript).settings.lang
            else:
                wish = await with_about(wish, self._settings, interview)
                session_id = await interview.open(wish)
                lang = wish.lang
                if wish.note:
                    self._say(wish.note)
            self._lang = lang
            self._say(f"session {session_id} · engine: {interview.engine.name} · {HELP[lang]}")
            self._say(trust(self._settings, interview.engine.name, lang=lang))
            if resume:
                self._repeat(list(transcript.of("question", "follow_up"))[-1:])
            try:
                await self._play(interview, session_id, lang)
            except (KeyboardInterrupt, asyncio.CancelledError):
                self._say(f"\nsaved; go on with: interviewer practice --resume {session_id}")
                return 130
            return 0

    async def _play(self, interview: Interview, session_id: str, lang: Lang) -> None:
        await self._show(interview.go_on(session_id), interview, session_id)
        ask = _prompt()
        refused = ""
        while not progress(await interview.store.transcript(session_id)).closed:
            try:
                line = await ask(refused)
            except EOFError:
                self._say(f"no more input; saved, go on with: interviewer practice --resume {session_id}")
                break
            refused = ""
            try:
                await self._take(interview, session_id, line, lang)
            except AnswerRefused as error:
                self._say(str(error))
                refused = line.strip()
        report = make_report(await interview.store.transcript(session_id), interview.library)
        if self._json:
            self._put({"event": "report", **report.as_json()})
        else:
            print(report.as_markdown())

    async def _take(self, interview: Interview, session_id: str, line: str, lang: Lang) -> None:
        word = line.strip().lower()
        if word in ("/help", "/帮助"):
            self._say(HELP[lang])
            return
        if word in ("/idk", "/不会"):
            line, word = dont_know(lang), ""
        if word.split(" ")[0] in SAID:
            await self._assess(interview, session_id, word.split()[1:])
            return
        if word.startswith("/") and word not in MOVES and len(word.split()) == 1:
            self._say(f"no such command: {word}. {HELP[lang]}")
            return
        events = interview.move(session_id, MOVES[word]) if word in MOVES else interview.answer(session_id, line)
        await self._show(events, interview, session_id)

    async def _assess(self, interview: Interview, session_id: str, numbers: list[str]) -> None:
        """Write down which uncertain points the candidate says were said, all by their numbers; without any, list them."""
        transcript = await interview.store.transcript(session_id)
        points = dict(enumerate(open_to_self_assessment(transcript, interview.library.cards), start=1))
        chosen = {word: points.get(int(word)) if word.isdecimal() else None for word in numbers if word != "0"}
        if wrong := [word for word, point in chosen.items() if point is None]:
            self._say(NO_SUCH_POINT[self._lang].format(" ".join(wrong)))
        elif numbers:  # 0 alone takes every tick back
            transcript = await interview.assess(session_id, [point for point in chosen.values() if point])
        self._uncertain(transcript, interview.library)

    def _uncertain(self, transcript: Transcript, library: Library) -> None:
        """List the points that the judge couldn't tell, with their numbers."""
        found = open_to_self_assessment(transcript, library.cards)
        if not found:
            self._say(NONE_UNCERTAIN[self._lang])
            return
        self._say(UNCERTAIN[self._lang])
        for number, ((card, point), claimed) in enumerate(found.items(), start=1):
            self._say(f"  {number} [{'x' if claimed else ' '}] {library.cards[card].point(point).text.get(self._lang)}")

    async def _show(self, events: AsyncIterator[Event], interview: Interview, session_id: str) -> None:
        streamed = False
        async for event in events:
            if isinstance(event, Delta):
                streamed = True
                if not self._json:
                    print(event.text, end="", flush=True)
            elif self._json:
                self._put(_event(event))
            else:
                if event.kind == "grade":
                    self._verdicts(await interview.store.transcript(session_id), event, interview.library)
                elif streamed:
                    print("\n")
                elif event.text and event.role == "interviewer":
                    print(f"{event.text}\n")
                if cost := spent(event):
                    self._say(cost_line(cost, self._lang))
                streamed = False

    def _verdicts(self, transcript: Transcript, graded: Turn, library: Library) -> None:
        stands = standing(transcript, graded, library.cards)
        print()
        for point in stands.grade.points:
            text = stands.wording.get(point.id)
            if text is None:
                print(f"  {MARKS[point.verdict]} …")
                continue
            print(f"  {MARKS[point.verdict]} {text.get(self._lang)}")
            for span in point.evidence:
                print(f'      "{span.text}"')
            if point.why:
                print(f"      {point.why}")
        if note := graded.data["grade"].get("note"):
            print(f"  ({note})")

    def _repeat(self, turns: list[Turn]) -> None:
        for turn in turns:
            if self._json:
                self._put(_event(turn))
            else:
                print(f"{turn.text}\n")

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def _put(self, data: dict[str, Any]) -> None:
        print(json.dumps(data, ensure_ascii=False), flush=True)


def _event(turn: Turn) -> dict[str, Any]:
    """Return a turn as an event; what was said to a model stays out: it holds the rubric."""
    data = {name: value for name, value in turn.data.items() if name not in ("direction", "reply")}
    return {"event": turn.kind, "number": turn.number, "text": turn.text, **data}


def _prompt() -> Callable[[str], Awaitable[str]]:
    """Return how answers are read: an editing prompt on a terminal, else a line of the pipe each.

    What was refused is given back to the prompt for mending.
    """
    if not sys.stdin.isatty():

        async def piped(_refused: str) -> str:
            line: str = await asyncio.to_thread(sys.stdin.readline)
            if not line:
                raise EOFError
            return line

        return piped
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()
    keys.add("enter")(lambda event: event.current_buffer.validate_and_handle())
    keys.add("escape", "enter")(lambda event: event.current_buffer.insert_text("\n"))
    session: Any = PromptSession(multiline=True, key_bindings=keys)

    async def typed(refused: str) -> str:
        return str(await session.prompt_async("> ", default=refused))

    return typed
