"""`interviewer serve` as a process: it says where it is, answers on loopback only, and stops on Ctrl-C."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run

SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(own_home: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "interviewer", "serve", "--port", str(port)], stderr=subprocess.PIPE, text=True
    )
    yield process, port
    if process.poll() is None:
        process.kill()
    process.communicate()


def get(port: int, path: str) -> bytes:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return bytes(answer.read())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def test_server_says_where_it_is_and_stops_on_ctrl_c(server: tuple[subprocess.Popen[str], int]) -> None:
    process, port = server
    assert json.loads(get(port, "/health")) == {"status": "ok", "engine": "offline"}
    page = get(port, "/").decode()
    assert "Interviewer" in page
    assert "https://fonts" not in page
    # Loopback only: the machine's other addresses don't answer.
    with socket.socket() as probe:
        probe.settimeout(2)
        assert probe.connect_ex(("127.0.0.2", port)) != 0
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert f"http://127.0.0.1:{port}" in said
    assert "Traceback" not in said


def test_port_that_is_taken_is_one_clear_line(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = run("serve", "--port", str(taken.getsockname()[1]))
    assert result.returncode == 2
    assert "--port" in result.stderr
    assert result.stderr.count("\n") == 1
