"""What the package promises: the wheel works outside the checkout, the papers agree with the code."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from interviewer import __version__
from interviewer.cli.main import app
from tests.conftest import Run

ROOT = Path(__file__).parents[1]
COMMANDS = (
    "serve", "vllm", "practice", "grade", "evaluate", "calibrate", "search", "index", "report", "doctor", "cards check", "cards list", "cards show", "cards new",
    "sessions list", "sessions show", "sessions delete", "sessions export", "config show",
)  # fmt: skip
READING = ("search", "index", "report", "doctor", "practice", "evaluate", "calibrate", "cards check", "cards list", "cards show", "sessions list", "sessions show", "config show")  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, installed into an empty folder."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True, capture_output=True)  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel)], check=True)  # fmt: skip
    return folder / "site"


def test_wheel_plays_a_session_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    def call(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "interviewer", *arguments],
            input=stdin, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(installed)},
        )  # fmt: skip

    where = subprocess.run(
        [sys.executable, "-c", "import interviewer; print(interviewer.__file__)"],
        capture_output=True, text=True, check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(installed)},
    )  # fmt: skip
    assert where.stdout.startswith(str(installed))
    assert call("cards", "check").returncode == 0
    played = call("practice", "--questions", "1", "--about", "显存不够时怎么微调", "--lang", "zh", stdin="/不会\n")
    assert played.returncode == 0, played.stderr
    assert "练习报告" in played.stdout
    assert str(ROOT) not in played.stdout


def test_only_one_package_is_importable(installed: Path) -> None:
    assert [path.name for path in installed.iterdir() if path.suffix != ".dist-info" and path.name != "bin"] == [
        "interviewer"
    ]


def test_changelog_version_and_package_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    top = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert top is not None
    assert project["project"]["version"] == __version__ == top[1]


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pins = {
        re.sub(r"[-_.]+", "-", line.split("==")[0].lower())
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if "==" in line
    }
    for wanted in project["dependencies"] + project["optional-dependencies"]["dev"]:
        name = re.match(r"[A-Za-z0-9._-]+", wanted)
        assert name
        assert re.sub(r"[-_.]+", "-", name[0].lower()) in pins


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: Run, command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.returncode == 0
    assert command in result.stdout
    assert "Usage" in result.stdout
    assert ("--json" in result.stdout) == (command in READING)


def test_command_list_is_complete() -> None:
    from typer.main import get_command

    found = set()
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= {f"{name} {sub}" for sub in inner} if inner else {name}
    assert found == set(COMMANDS)


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_readme_names_commands_that_exist(readme: str) -> None:
    text = (ROOT / readme).read_text("utf-8")
    assert text.index("make run") < text.index("make test")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= targets
    words = {command.split()[0] for command in COMMANDS}
    assert set(re.findall(r"(?:^|bin/|`)interviewer ([a-z]+)", text)) <= words
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / target).exists(), target


def test_workflow_data_is_utf8_yaml() -> None:
    for path in (ROOT / "knowledge").rglob("*.yaml"):
        yaml.safe_load(path.read_text("utf-8"))
