"""What surrounds the program: README, CI, image and requirements agree, and do what they say."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from core.__main__ import main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
START = "pip install -r requirements.txt && python -m demo"
TEST = "pip install -r tests/requirements.txt && python -m pytest"
PYTHONS = ("3.11", "3.13")

# https://huggingface.co/docs/hub/spaces-config-reference
SPACE_COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def requirements(path: str) -> dict[str, Requirement]:
    """Read the packages that a requirements file names itself."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and line[0] not in "#-"]
    return {canonicalize_name(each.name): each for each in found}


def front_matter() -> dict[str, Any]:
    _, header, _ = README.split("---\n", 2)
    return yaml.safe_load(header)


def fenced(language: str) -> list[str]:
    """Return the README's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def cli_lines() -> list[str]:
    lines = "".join(fenced("bash")).splitlines()
    return [line for line in lines if line.startswith("python -m core")]


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Split a Dockerfile into (instruction, arguments), with continued lines joined."""
    kept = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(kept).replace("\\\n", " ").splitlines()
    split = [line.strip().split(maxsplit=1) for line in joined if line.strip()]
    return [(name.upper(), " ".join(rest)) for name, *rest in split]


DOCKERFILE = instructions((ROOT / "Dockerfile").read_text(encoding="utf-8"))


def last(instruction: str) -> str:
    return [given for name, given in DOCKERFILE if name == instruction][-1]


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    return yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))


Core = Callable[[list[str]], tuple[int, str, str]]
SETTINGS = {"PYTHONPATH": str(ROOT), "COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"}
"""A terminal wide enough for help not to wrap."""


@pytest.fixture
def core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Core:
    """Run what follows `python -m core` in an empty folder: its exit code, output and error."""
    monkeypatch.chdir(tmp_path)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)

    def run(arguments: list[str]) -> tuple[int, str, str]:
        return main(arguments), *capsys.readouterr()

    return run


def test_the_readme_header_is_one_that_a_space_accepts() -> None:
    header = front_matter()
    assert header["title"] == "Thaw"
    assert header["sdk"] == "gradio"
    assert {header["colorFrom"], header["colorTo"]} <= SPACE_COLOURS
    assert len(header["short_description"]) <= 60
    assert header["license"] == "mit"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License\n")
    assert (ROOT / header["app_file"]).is_file()


def test_the_versions_in_the_header_are_text_that_the_requirements_allow() -> None:
    header = front_matter()
    assert isinstance(header["sdk_version"], str), "6.30 would be read as 6.3"
    assert requirements("requirements.txt")["gradio"].specifier.contains(header["sdk_version"])
    assert header["python_version"] in PYTHONS, "a Space runs on a Python that CI runs on"


def test_the_readme_has_the_two_commands_that_do_everything() -> None:
    lines = "".join(fenced("bash")).splitlines()
    assert START in lines
    assert TEST in lines
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert f"'{TEST}'" in ci
    assert f"'{START.split(' && ')[1]}'" in ci


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_file_that_a_page_links_to_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)", text)
    local = [link for link in links if not link.startswith(("http:", "https:"))]
    assert [link for link in local if not (ROOT / link).is_file()] == []


def test_the_readme_shows_a_picture_of_the_page() -> None:
    assert re.search(r"!\[[^\]]{20,}\]\(assets/pictures/compare\.png\)", README), (
        "with words for those who cannot see it"
    )


@pytest.mark.parametrize("line", cli_lines())
def test_each_cli_line_of_the_readme_is_one_that_the_cli_knows(line: str, core: Core) -> None:
    command, *arguments = shlex.split(line)[3:]
    code, shown, err = core([command, "--help"])
    assert code == 0, err
    offered = set(re.findall(r"--[\w-]+", shown))
    assert {a for a in arguments if a.startswith("--")} <= offered
    _, listed, _ = core(["--help"])
    assert re.search(rf"^\W*{command}\b", listed, re.MULTILINE)


PLACES = ("in the old harbour", "by the station", "at our hotel", "on the second floor")
OPINIONS = (
    ("A warm welcome", "good"),
    ("Cold soup and a long wait", "bad"),
    ("The best coffee I have had", "good"),
    ("Nobody came to the table", "bad"),
    ("Friendly people and fair prices", "good"),
    ("A sticky floor and rude staff", "bad"),
)


@pytest.mark.slow
def test_the_cli_lines_of_the_readme_run_as_they_stand(core: Core, tmp_path: Path) -> None:
    lines = cli_lines()
    assert len(lines) >= 3, "lines of CLI use"
    (tmp_path / "sentences.txt").write_text("A quiet library.\nA loud bar.\n", encoding="utf-8")
    reviews = [f"{what} {where},{mood}" for where in PLACES for what, mood in OPINIONS]
    for name in ("reviews.csv", "more-reviews.csv"):
        (tmp_path / name).write_text("\n".join(["text,mood", *reviews]) + "\n", encoding="utf-8")
    for line in lines:
        code, _, err = core(shlex.split(line)[3:])
        assert code == 0, f"{line}\n{err}"
    python, *first = shlex.split(lines[0])
    assert python == "python"
    done = subprocess.run(
        [sys.executable, *first], cwd=tmp_path, env={**os.environ, **SETTINGS}, check=False
    )
    assert done.returncode == 0, "as a process of its own too"


@pytest.mark.slow
def test_the_python_lines_of_the_readme_run_as_they_stand() -> None:
    (block,) = fenced("python")
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "tensor" in done.stdout


def test_the_cpu_build_of_torch_has_the_range_of_the_requirements_everywhere() -> None:
    command = f'pip install "{requirements("requirements.txt")["torch"]}"'
    index = "--index-url https://download.pytorch.org/whl/cpu"
    assert f"{command} {index}" in README
    runs = [given for name, given in DOCKERFILE if name == "RUN" and index in given]
    assert len(runs) == 1
    assert runs[0].replace("--no-cache-dir ", "") == f"{command} {index}"


OPTIONAL = {"ray"}
"""Imported only where it is asked for by name, with a sentence that says how to install it."""


@pytest.mark.parametrize("package", ["core", "demo"])
def test_every_package_that_the_program_imports_stands_in_its_requirements(package: str) -> None:
    imported = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported.add(node.module.partition(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"core", "demo"} - OPTIONAL
    assert "torch" in foreign or package == "demo", "finds what is imported"
    bring = packages_distributions()
    named = set(requirements("requirements.txt"))
    missing = {
        name
        for name in foreign
        if not named & {canonicalize_name(each) for each in bring.get(name, [name])}
    }
    assert missing == set()


def test_the_requirements_are_ranges_and_the_linters_are_pinned() -> None:
    for name, requirement in requirements("requirements.txt").items():
        operators = {each.operator for each in requirement.specifier}
        assert operators in ({"~="}, {">=", "<"}), name
    pinned = requirements("tests/requirements.txt")
    assert all(str(pinned[name].specifier).startswith("==") for name in ("ruff", "mypy"))


def test_pre_commit_runs_the_ruff_that_ci_runs() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    revisions = {repo["repo"]: repo.get("rev", "") for repo in config["repos"]}
    ruff = requirements("tests/requirements.txt")["ruff"].specifier
    assert ruff.contains(revisions["https://github.com/astral-sh/ruff-pre-commit"].lstrip("v"))
    local = [repo for repo in config["repos"] if repo["repo"] == "local"]
    assert local[0]["hooks"][0]["entry"] == "mypy core demo"
    assert all(
        re.fullmatch(r"v\d+\.\d+\.\d+", rev) for name, rev in revisions.items() if name != "local"
    )


def test_ci_is_a_script_that_bash_reads_and_that_a_checkout_can_run() -> None:
    script = ROOT / ".ci/run"
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    assert os.access(script, os.X_OK)
    text = script.read_text(encoding="utf-8")
    assert "set -euo pipefail" in text
    for promise in ("THAW_REQUIRE_BROWSER=1", "HF_HUB_OFFLINE=1", "GRADIO_ANALYTICS_ENABLED=False"):
        assert f"export {promise}" in text


def test_github_runs_the_same_script_on_the_oldest_and_the_newest_python(
    workflow: dict[str, Any],
) -> None:
    jobs = [
        job
        for job in workflow["jobs"].values()
        if any(step.get("run", "").strip() == ".ci/run" for step in job["steps"])
    ]
    assert len(jobs) == 1
    assert tuple(jobs[0]["strategy"]["matrix"]["python"]) == PYTHONS


def test_github_may_only_read_and_runs_actions_of_a_pinned_major_version(
    workflow: dict[str, Any],
) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w/-]+@v\d+", action)] == []


def test_the_image_serves_the_page_on_7860_as_a_plain_user_and_says_how_it_is() -> None:
    assert last("USER") not in ("root", "0")
    assert last("EXPOSE") == "7860"
    assert json.loads(last("CMD")) == ["python", "-m", "demo"]
    check = last("HEALTHCHECK").partition("CMD ")[2]
    assert "/healthz" in check
    compile(json.loads(check)[2], "HEALTHCHECK", "exec")
    settings = " ".join(given for name, given in DOCKERFILE if name == "ENV")
    for each in (
        "GRADIO_SERVER_NAME=0.0.0.0",
        "GRADIO_SERVER_PORT=7860",
        "GRADIO_ANALYTICS_ENABLED=False",
    ):
        assert each in settings.split()


def test_the_image_has_a_python_of_ci_and_copies_code_after_packages() -> None:
    python = Version(last("FROM").removeprefix("python:").removesuffix("-slim"))
    assert Version(PYTHONS[0]) <= python <= Version(PYTHONS[1])
    install = DOCKERFILE.index(("RUN", "pip install --no-cache-dir -r requirements.txt"))
    copies = [at for at, (name, given) in enumerate(DOCKERFILE) if name == "COPY"]
    code = [at for at in copies if DOCKERFILE[at][1].split()[0] in ("assets", "core", "demo")]
    assert len(code) == 3
    assert min(code) > install, "a change of code must not install everything again"
