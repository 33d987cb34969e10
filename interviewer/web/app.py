"""The Gradio app: a form to start, a chat to practise in, the report at its end."""

import html
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from interviewer.calibration import trust
from interviewer.desk import with_about
from interviewer.errors import InterviewerError
from interviewer.interview import Delta, Event, Interview
from interviewer.language import Lang, dont_know
from interviewer.progress import Move, SessionSettings, open_to_self_assessment, progress, standing
from interviewer.prompts import plain
from interviewer.report import make_report
from interviewer.settings import Settings
from interviewer.transcript import Transcript, Turn
from interviewer.usage import cost_line, spent
from interviewer.web.words import WORDS

Message = dict[str, str]
STREAMS = 20
"""Candidates that may stream at once."""
MOVES: tuple[Move, ...] = ("hint", "skip", "back", "reference", "stop")
CSS = """
footer {display: none !important}
.gradio-container {max-width: 860px !important; width: 100% !important; margin: 0 auto !important}
button[aria-label="Clear"], button[title="Clear"] {display: none !important}
.narrow button {min-width: 7rem !important}
#answer textarea {min-height: 5rem}
@media (max-width: 700px) {.gradio-container {padding: 8px !important}}
"""


def build(interview: Interview, settings: Settings) -> gr.Blocks:
    """Return the app."""
    page = Page(interview, settings)
    titles = interview.library.titles
    with gr.Blocks(title="Interviewer", analytics_enabled=False) as app:
        session = gr.BrowserState("", storage_key="interviewer-session", secret="only-a-session-id")
        lang = gr.Radio([("English", "en"), ("中文", "zh")], value=settings.lang, label="Language / 语言")
        with gr.Group() as form:
            topics = gr.Dropdown(
                [(t.get(settings.lang), name) for name, t in titles.items()], multiselect=True, value=[]
            )
            about = gr.Textbox(max_length=500)
            with gr.Row():
                questions = gr.Slider(1, 20, value=5, step=1)
                difficulty = gr.Dropdown(["any", 1, 2, 3, 4, 5], value="any")
            start = gr.Button(variant="primary")
        with gr.Column(visible=False) as room:
            chat = gr.Chatbot(
                height="60vh", buttons=["copy"], show_label=False, sanitize_html=True, group_consecutive_messages=False
            )
            said = gr.CheckboxGroup(visible=False, elem_id="said")
        with gr.Column(visible=False) as desk:
            # One line that grows: with more, Gradio makes Enter a new line and Shift+Enter the sending.
            answer = gr.Textbox(lines=1, max_lines=14, submit_btn=True, elem_id="answer", autofocus=True)
            with gr.Row(elem_classes="narrow"):
                idk = gr.Button(size="sm")
                buttons = {move: gr.Button(size="sm") for move in MOVES}
        labelled = [topics, about, questions, difficulty, start, answer, idk, *buttons.values()]
        views = [chat, form, room, desk, said]
        quiet: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": STREAMS, "show_progress": "hidden"}
        lang.change(page.labels, lang, labelled, **quiet)
        app.load(page.labels, lang, labelled, **quiet)
        app.load(page.reload, session, [*views, lang], **quiet)
        start.click(page.start, [lang, topics, about, questions, difficulty], [*views, session], **quiet)
        answer.submit(page.answer, [session, answer], [*views, answer], **quiet)
        said.input(page.assess, [session, said], views, **quiet)
        idk.click(page.dont_know, session, views, **quiet)
        for move, button in buttons.items():
            button.click(page.mover(move), session, views, **quiet)
    return app


class Page:
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
            gr.Textbox(label=word["about"], placeholder=word["about_example"]),
            gr.Slider(label=word["questions"]),
            gr.Dropdown(label=word["difficulty"], choices=[(word["any"], "any"), *((str(n), n) for n in range(1, 6))]),
            gr.Button(word["start"]),
            gr.Textbox(label=word["answer"]),
            gr.Button(word["idk"]),
            *(gr.Button(word[move]) for move in MOVES),
        ]

    async def reload(self, session_id: str) -> tuple[Any, ...]:
        """Show the session that this browser was in, as the store has it."""
        try:
            transcript = await self._interview.store.transcript(session_id)
        except InterviewerError:
            hidden = gr.Column(visible=False)
            return [], gr.Group(visible=True), hidden, hidden, gr.CheckboxGroup(visible=False), gr.skip()
        return *self._views(transcript), progress(transcript).settings.lang

    async def start(
        self, lang: Lang, topics: list[str], about: str, questions: float, difficulty: Any
    ) -> AsyncIterator[tuple[Any, ...]]:
        """Open a session and ask the first question."""
        wish = SessionSettings(
            lang=lang,
            topics=tuple(topics or ()),
            about=about or "",
            questions=int(questions),
            difficulty=int(difficulty) if str(difficulty).isdigit() else None,
            seed=secrets.randbits(32),
        )
        with _told():
            session_id = await self._interview.open(await with_about(wish, self._settings, self._interview))
            async for views in self._played(session_id, self._interview.go_on(session_id)):
                yield *views, session_id

    async def answer(self, session_id: str, text: str) -> AsyncIterator[tuple[Any, ...]]:
        """Grade an answer; the text stays in its box until it is written down."""
        with _told():
            transcript = await self._interview.store.transcript(session_id)
            grading = WORDS["grading"].get(progress(transcript).settings.lang)
            yield *self._views(transcript, _user(text), _bot(grading)), gr.skip()
            try:
                async for views in self._played(session_id, self._interview.answer(session_id, text)):
                    yield *views, ""
            except InterviewerError:
                yield *self._views(await self._interview.store.transcript(session_id)), gr.skip()
                raise

    async def dont_know(self, session_id: str) -> AsyncIterator[tuple[Any, ...]]:
        """Answer that one doesn't know."""
        with _told():
            lang = progress(await self._interview.store.transcript(session_id)).settings.lang
            async for views in self._played(session_id, self._interview.answer(session_id, dont_know(lang))):
                yield views

    async def assess(self, session_id: str, said: list[str]) -> tuple[Any, ...]:
        """Write down which of the uncertain points the candidate says were said."""
        with _told():
            claimed = [(card, point) for card, _, point in (name.partition("/") for name in said)]
            return self._views(await self._interview.assess(session_id, claimed))

    def _said(self, transcript: Transcript) -> gr.CheckboxGroup:
        """Return the box that lists what the judge couldn't tell."""
        lang = progress(transcript).settings.lang
        cards = self._interview.library.cards
        found = open_to_self_assessment(transcript, cards)
        return gr.CheckboxGroup(
            choices=[(cards[card].point(point).text.get(lang), f"{card}/{point}") for card, point in found],
            value=[f"{card}/{point}" for (card, point), claimed in found.items() if claimed],
            label=WORDS["said"].get(lang),
            visible=bool(found),
        )

    def mover(self, move: Move) -> Any:
        """Return the handler of one move."""

        async def moved(session_id: str) -> AsyncIterator[tuple[Any, ...]]:
            with _told():
                async for views in self._played(session_id, self._interview.move(session_id, move)):
                    yield views

        return moved

    async def _played(self, session_id: str, events: AsyncIterator[Event]) -> AsyncIterator[tuple[Any, ...]]:
        transcript = await self._interview.store.transcript(session_id)
        spoken = ""
        async for event in events:
            if isinstance(event, Delta):
                spoken += event.text
                yield self._views(transcript, _bot(spoken))
            else:
                spoken = ""
                transcript = transcript.plus(event)
                yield self._views(transcript)
        yield self._views(transcript)

    def _views(self, transcript: Transcript, *more: Message) -> tuple[Any, ...]:
        """Return the chat, whether form, chat and answer box are shown, and what the candidate may assess."""
        closed = progress(transcript).closed
        return (
            [*self._messages(transcript), *more],
            gr.Group(visible=closed),
            gr.Column(visible=True),
            gr.Column(visible=not closed),
            self._said(transcript),
        )

    def _messages(self, transcript: Transcript) -> list[Message]:
        lang = progress(transcript).settings.lang
        engine = f"{WORDS['engine'].get(lang)}: {transcript.turns[0].data['engine']}"
        trusted = trust(self._settings, transcript.turns[0].data["engine"], lang=lang)
        messages = [_bot(f"*{engine} · {WORDS['practice_only'].get(lang)}*\n\n<small>{plain(trusted)}</small>")]
        if note := progress(transcript).settings.note:
            messages.append(_bot(f"*{plain(note)}*"))
        for turn in transcript.turns:
            if turn.kind == "answer":
                messages.append(_user(turn.text))
            elif turn.kind == "grade":
                messages.append(_bot(self._verdicts(transcript, turn, lang)))
            elif turn.kind == "closed":
                messages.append(_bot(make_report(transcript, self._interview.library).as_markdown()))
            elif turn.text:
                messages.append(_bot(turn.text))
            if cost := spent(turn):
                messages[-1]["content"] += f"\n\n<small>{cost_line(cost, lang)}</small>"
        return messages

    def _verdicts(self, transcript: Transcript, turn: Turn, lang: Lang) -> str:
        stands = standing(transcript, turn, self._interview.library.cards)
        lines = []
        for point in stands.grade.points:
            if point.id not in stands.wording:
                continue
            lines.append(f"- **{WORDS[point.verdict].get(lang)}** {stands.wording[point.id].get(lang)}")
            lines += [f"  > {plain(span.text)}\n" for span in point.evidence]
            if point.why:
                lines.append(f"\n  {point.why}")
        if hidden := len(stands.grade.points) - len(stands.wording):
            lines.append(f"- {WORDS['hidden'].get(lang).format(hidden)}")
        if note := turn.data["grade"].get("note"):
            lines.append(f"\n<small>{plain(note)}</small>")
        return "\n".join(lines) or turn.data["grade"].get("reason", "")


@contextmanager
def _told() -> Iterator[None]:
    """Show an error of ours to the candidate; what they typed stays where it is."""
    try:
        yield
    except InterviewerError as error:
        raise gr.Error(html.escape(str(error))) from error


def _user(text: str) -> Message:
    # Candidate text is data: no Markdown, HTML or link of it comes alive on the page.
    return {"role": "user", "content": plain(text)}


def _bot(text: str) -> Message:
    return {"role": "assistant", "content": text}
