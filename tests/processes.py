"""Processes that run Python programs, forked from one that has imported the libraries.

Importing torch and transformers takes longer than most of what a test runs. What is forked is a
process as any other, with a number, signals and an exit status of its own; the project's code is
imported in it, from the folder whose program it runs.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

LIBRARIES = [
    *("torch", "transformers.models.auto.modeling_auto", "transformers.modeling_utils"),
    *("transformers.models.gpt_neox.modeling_gpt_neox", "accelerate", "safetensors.torch", "h5py"),
    *("pandas", "pyarrow.parquet", "pyarrow.dataset", "scipy.stats", "seaborn", "typer", "psutil"),
    *("matplotlib.figure", "matplotlib.backends.backend_pdf", "rich.console", "pydantic", "yaml"),
]
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(LIBRARIES)


class Started(NamedTuple):
    """A running program, and the files that it prints into."""

    process: BaseProcess
    output: Path
    errors: Path

    @property
    def pid(self) -> int:
        """Number of the process."""
        assert self.process.pid is not None
        return self.process.pid

    def kill(self) -> None:
        """Kill it, as `kill -9` does."""
        self.process.kill()

    def ended(self) -> int | None:
        """Its exit status, if it has ended: a negative one is the signal that it died of."""
        return self.process.exitcode

    def said(self) -> str:
        """All that it has printed up to now."""
        return self.output.read_text() + self.errors.read_text()

    def wait(self, seconds: float = 300) -> int:
        """Wait for its end, and return its exit status."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            os.killpg(self.pid, signal.SIGKILL)
            raise AssertionError(f"not at its end after {seconds} s: {self.said()}")
        return self.process.exitcode


@cache
def outputs() -> Path:
    """Folder of what all processes print, which is removed at the end."""
    folder = tempfile.TemporaryDirectory(prefix="processes-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def start(folder: Path, arguments: tuple[str, ...], environment: Mapping[str, str]) -> Started:
    """Start what `python ARGUMENTS` would be in a folder: a file, -c code, or -m module."""
    place = Path(tempfile.mkdtemp(dir=outputs()))
    printed = place / "output", place / "errors"
    for path in printed:
        path.touch()
    process = SERVER.Process(
        target=be, args=(folder.absolute(), arguments, dict(environment), printed)
    )
    process.start()
    return Started(process, *printed)


def finished(
    folder: Path, arguments: tuple[str, ...], environment: Mapping[str, str]
) -> subprocess.CompletedProcess:
    """Run what `python ARGUMENTS` would be in a folder, to its end."""
    started = start(folder, arguments, environment)
    status = started.wait(600)
    return subprocess.CompletedProcess(
        arguments, status, started.output.read_text(), started.errors.read_text()
    )


def be(
    folder: Path,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    printed: tuple[Path, Path],
) -> None:
    """Become the program, in the process that is forked for it."""
    os.setsid()  # what it starts can be ended with it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for descriptor, path in enumerate(printed, 1):
        opened = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.exit(program(arguments))


def program(arguments: tuple[str, ...]) -> int:
    """Run a program as Python does, and return its exit status."""
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    try:
        if arguments[0] == "-c":
            sys.argv = ["-c", *arguments[2:]]
            sys.path.insert(0, "")
            exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
        elif arguments[0] == "-m":
            sys.argv = list(arguments[1:])
            sys.path.insert(0, "")
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = list(arguments)
            sys.path.insert(0, str(Path(arguments[0]).resolve().parent))
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
