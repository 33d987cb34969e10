"""The terminal as a person uses it: a real pseudo-terminal, Ctrl-C at any prompt, a full disk."""

import contextlib
import os
import pty
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SECONDS = 60
PROMPT = "\x1b[?2004h"
"""Bracketed paste is switched on: the prompt takes keys."""


class Screen:
    """A program on a pseudo-terminal."""

    def __init__(self, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "interviewer", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(slave), os.O_RDWR)),  # its controlling terminal
            env={**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        )
        os.close(slave)
        self.text = ""

    def wait_for(self, words: str) -> None:
        deadline = time.monotonic() + SECONDS
        while words not in self.text:
            if time.monotonic() > deadline:
                raise AssertionError(f"{words!r} never came; the screen shows: {self.text[-800:]}")
            self._read()

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def ends_with(self, code: int) -> None:
        deadline = time.monotonic() + SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read()
        self._read()
        assert self.process.poll() == code, self.text[-800:]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)

    def _read(self) -> None:
        ready, _, _ = select.select([self._master], [], [], 0.2)
        if ready:
            with contextlib.suppress(OSError):  # the other end is closed
                self.text += os.read(self._master, 65536).decode("utf-8", "replace")


@pytest.fixture
def practice(own_home: Path) -> Iterator[Screen]:
    screen = Screen("practice", "--questions", "1", "--topic", "repetition", "--seed", "1")
    yield screen
    screen.close()


def test_ctrl_c_at_the_first_prompt_leaves_a_session_to_resume(practice: Screen) -> None:
    practice.wait_for(PROMPT)
    practice.type("\x03")
    practice.ends_with(130)
    assert "practice --resume" in practice.text
    assert "Traceback" not in practice.text


@pytest.mark.parametrize("moment", ["Score so far", "follow up", PROMPT])
def test_ctrl_c_with_half_an_answer_typed_and_while_it_speaks(practice: Screen, moment: str) -> None:
    practice.wait_for(PROMPT)
    practice.text = ""
    practice.type("It is the likelihood objective, among other things.\r")
    practice.wait_for(moment)
    practice.type("half an answ")
    practice.wait_for("half an answ")
    practice.type("\x03")
    practice.ends_with(130)
    assert "practice --resume" in practice.text
    assert "Traceback" not in practice.text


def test_refused_answer_comes_back_to_the_prompt(practice: Screen) -> None:
    practice.wait_for(PROMPT)
    practice.type("/nonsense\r")
    practice.wait_for("no such command")
    practice.type("   \r")
    practice.wait_for("the answer is empty")
    practice.type("/stop\r")
    practice.ends_with(0)
    assert "# Practice report" in practice.text


@pytest.mark.parametrize("arguments", [["index"], ["search", "forgetting"], ["practice", "--questions", "1"]])
@pytest.mark.parametrize("limit", [0, 20_000, 40_000])
def test_full_disk_is_one_clear_line(own_home: Path, arguments: list[str], limit: int) -> None:
    """Every write past `limit` bytes of a file fails, as on a full disk."""
    result = subprocess.run(
        [sys.executable, "-m", "interviewer", *arguments],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert result.returncode == 1, result.stderr[-800:]
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "INTERVIEWER_HOME" in errors[0]
    assert "Traceback" not in result.stderr


def test_ctrl_c_stops_a_grading_run(own_home: Path, tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    line = '{"id":"a","question":"q","points":[{"id":"p","text":"weights stay frozen"}],"answer":"they stay frozen"}\n'
    file.write_text(line * 20_000, "utf-8")
    output = tmp_path / "out.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "interviewer", "grade", str(file), "--output", str(output)],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + SECONDS
    while not (output.exists() and output.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert said.startswith("interrupted; ")
    assert "Traceback" not in said
    assert output.read_text("utf-8").endswith("}\n")  # what was graded is there, line by line
