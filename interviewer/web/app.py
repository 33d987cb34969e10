"""The Gradio app: a form to start, a chat to practise in, the report at its end."""

import html
import secrets
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from interviewer.cards import Card
from interviewer.desk import with_about
from interviewer.errors import InterviewerError
from interviewer.grading.grade import Grade
from interviewer.interview import Delta, Event, Interview
from interviewer.language import Lang
from interviewer.progress import Move, SessionSettings, progress
from interviewer.report import make_report
from interviewer.settings import Settings
from interviewer.transcript import Transcript, Turn
from interviewer.web.words import WORDS

Message = dict[str, str]
CSS = "footer {display: none !important} .gradio-container {max-width: 860px !important; margin: auto !important}"
STREAMS = 20
"""Candidates that may stream at once."""


def build(interview: Interview, settings: Settings) -> gr.Blocks:
    """Return the app."""
    page = _Page(interview, settings)
    titles = interview.library.titles
    with gr.Blocks(title="Interviewer", analytics_enabled=False) as app:
        session = gr.BrowserState("", storage_key="interviewer-session", secret="only-a-session-id")
        lang = gr.Radio([("English", "en"), ("中文", "zh")], value=settings.lang, label="Language / 语言")
        with gr.Group() as form:
            topics = gr.Dropdown([(t.en, name) for name, t in titles.items()], multiselect=True, value=[])
            about = gr.Textbox(max_length=500)
            with gr.Row():
                questions = gr.Slider(1, 20, value=5, step=1)
                difficulty = gr.Dropdown(["any", 1, 2, 3, 4, 5], value="any")
            start = gr.Button(variant="primary")
        chat = gr.Chatbot(height=520, buttons=["copy"], show_label=False, sanitize_html=True)
        answer = gr.Textbox(lines=3, max_lines=12, submit_btn=True)
        with gr.Row():
            buttons = {name: gr.Button(size="sm") for name in ("hint", "skip", "idk", "back", "reference", "stop")}
        labelled = [topics, about, questions, difficulty, start, answer, *buttons.values()]
        quiet: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": STREAMS, "show_progress": "hidden"}
        lang.change(page.labels, lang, labelled, **quiet)
        app.load(page.labels, lang, labelled, **quiet)
        app.load(page.reload, session, [chat, form, lang], **quiet)
        outputs = [chat, session, form]
        start.click(page.start, [lang, topics, about, questions, difficulty], outputs, **quiet)
        answer.submit(page.answer, [session, answer, chat], [chat, answer], **quiet)
        for name, button in buttons.items():
            if name == "idk":
                button.click(page.dont_know, [session, lang, chat], [chat, answer], **quiet)
            else:
                button.click(page.mover(name), [session, chat], [chat, form], **quiet)  # type: ignore[arg-type]
    return app


class _Page:
    """What the events of the page call; the store holds everything, the browser a session id."""

    def __init__(self, interview: Interview, settings: Settings) -> None:
        self._interview = interview
        self._settings = settings

    def labels(self, lang: Lang) -> list[Any]:
        """Return every label in one language."""
        titles = self._interview.library.titles
        word = {name: both.get(lang) for name, both in WORDS.items()}
        return [
            gr.Dropdown(label=word["topic"], choices=[(t.get(lang), name) for name, t in titles.items()]),
            gr.Textbox(label=word["about"]),
            gr.Slider(label=word["questions"]),
            gr.Dropdown(label=word["difficulty"], choices=[(word["any"], "any"), *((str(n), n) for n in range(1, 6))]),
            gr.Button(word["start"]),
            gr.Textbox(label=word["answer"]),
            *(gr.Button(word[name]) for name in ("hint", "skip", "idk", "back", "reference", "stop")),
        ]

    async def reload(self, session_id: str) -> tuple[Any, Any, Any]:
        """Show the session that this browser was in, as the store has it."""
        if not session_id:
            return [], gr.skip(), gr.skip()
        try:
            transcript = await self._interview.store.transcript(session_id)
        except InterviewerError:
            return [], gr.skip(), gr.skip()
        where = progress(transcript)
        return self._messages(transcript), gr.Group(visible=where.closed), where.settings.lang

    async def start(
        self, lang: Lang, topics: list[str], about: str, questions: float, difficulty: Any
    ) -> AsyncIterator[tuple[Any, Any, Any]]:
        """Open a session and ask the first question."""
        wish = SessionSettings(
            lang=lang,
            topics=tuple(topics or ()),
            about=about or "",
            questions=int(questions),
            difficulty=int(difficulty) if str(difficulty).isdigit() else None,
            seed=secrets.randbits(32),
        )
        try:
            session_id = await self._interview.open(with_about(wish, self._settings, self._interview.library))
            async for messages in self._played(session_id, self._interview.go_on(session_id)):
                yield messages, session_id, gr.Group(visible=False)
        except InterviewerError as error:
            raise gr.Error(str(error)) from error

    async def answer(self, session_id: str, text: str, shown: list[Any]) -> AsyncIterator[tuple[Any, Any]]:
        """Grade an answer; the text stays in its box until it is written down."""
        if not session_id:
            raise gr.Error("start a session first / 请先开始")
        lang = await self._lang(session_id)
        yield [*shown, _user(text), _bot(WORDS["grading"].get(lang))], gr.skip()
        try:
            async for messages in self._played(session_id, self._interview.answer(session_id, text)):
                yield messages, ""
        except InterviewerError as error:
            yield shown, gr.skip()
            raise gr.Error(str(error)) from error

    async def dont_know(self, session_id: str, lang: Lang, shown: list[Any]) -> AsyncIterator[tuple[Any, Any]]:
        """Answer that one doesn't know."""
        async for messages, _ in self.answer(session_id, "不知道" if lang == "zh" else "I don't know", shown):
            yield messages, gr.skip()

    def mover(self, move: Move) -> Any:
        """Return the handler of one move."""

        async def moved(session_id: str, shown: list[Any]) -> AsyncIterator[tuple[Any, Any]]:
            if not session_id:
                raise gr.Error("start a session first / 请先开始")
            try:
                async for messages in self._played(session_id, self._interview.move(session_id, move)):
                    yield messages, gr.skip()
            except InterviewerError as error:
                raise gr.Error(str(error)) from error
            closed = progress(await self._interview.store.transcript(session_id)).closed
            yield gr.skip(), gr.Group(visible=closed)

        return moved

    async def _played(self, session_id: str, events: AsyncIterator[Event]) -> AsyncIterator[list[Message]]:
        transcript = await self._interview.store.transcript(session_id)
        spoken = ""
        async for event in events:
            if isinstance(event, Delta):
                spoken += event.text
                yield [*self._messages(transcript), _bot(spoken)]
            else:
                spoken = ""
                transcript = transcript.plus(event)
                yield self._messages(transcript)
        yield self._messages(transcript)

    async def _lang(self, session_id: str) -> Lang:
        return progress(await self._interview.store.transcript(session_id)).settings.lang

    def _messages(self, transcript: Transcript) -> list[Message]:
        lang = progress(transcript).settings.lang
        messages = [
            _bot(
                f"*{WORDS['engine'].get(lang)}: {transcript.turns[0].data['engine']}. {WORDS['practice_only'].get(lang)}*"
            )
        ]
        for turn in transcript.turns:
            if turn.kind == "answer":
                messages.append(_user(turn.text))
            elif turn.kind == "grade":
                messages.append(_bot(self._verdicts(turn, lang)))
            elif turn.kind == "closed":
                messages.append(_bot(make_report(transcript, self._interview.library).as_markdown()))
            elif turn.text:
                messages.append(_bot(turn.text))
        return messages

    def _verdicts(self, turn: Turn, lang: Lang) -> str:
        card: Card = self._interview.library.cards[turn.data["card"]]
        lines = []
        for point in Grade.from_json(turn.data["grade"]).points:
            # The wording of a missed point would answer the follow-up: the report shows it.
            text = WORDS["hidden"] if point.verdict in ("missed", "uncertain") else card.point(point.id).text
            lines.append(f"- **{WORDS[point.verdict].get(lang)}** {text.get(lang)}")
            lines += [f"  > {html.escape(span.text)}" for span in point.evidence]
            if point.why:
                lines.append(f"\n  {html.escape(point.why)}")
        return "\n".join(lines) or turn.data["grade"].get("reason", "")


def _user(text: str) -> Message:
    # Candidate text is data: no HTML of it reaches the page.
    return {"role": "user", "content": html.escape(text, quote=False)}


def _bot(text: str) -> Message:
    return {"role": "assistant", "content": text}
