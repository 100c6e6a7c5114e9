"""Curves of a training in wandb: one run a variant, with all its CNNs in it.

Offline runs lie in wandb/ of a run's folder, or of WANDB_DIR (`wandb sync` uploads them). The
files of the stage are the record of truth and wandb a copy: nothing here may stop or delay the
pipeline.
"""

import netrc
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

from guess_or_recall.errors import first_line, say_once

Mode = Literal["offline", "online", "disabled"]
T = TypeVar("T")
PATIENCE = 5  # seconds that a server may take to answer


class Run(NamedTuple):
    """What identifies a run in wandb.

    A run of this id that is there already is replaced by this one, so that work which was killed
    and taken up again is one run.
    """

    name: str
    config: dict  # parameters to show beside the curves
    folder: Path  # where `wandb/` is made, unless WANDB_DIR says otherwise
    id: str | None = None
    group: str | None = None  # such as the sweep; WANDB_RUN_GROUP if none
    replaces: Sequence[str] = ()  # other ids, whose offline runs are removed too


@contextmanager
def tracked(mode: Mode, run: Run) -> Iterator[Callable[[dict], None]]:
    """Open a run and give the function that reports a row of the history to it.

    SIGTERM ends the block with SystemExit, so that the run is finished and nothing is lost.

    Args:
        mode: of wandb; `online` falls back to `offline`, with a warning, where there is no key or
            no server.
        run: the run.
    """
    if mode == "disabled":
        yield lambda row: None
        return
    folder = Path(os.environ.get("WANDB_DIR", run.folder))
    attempted(lambda: remove_earlier(folder, [run.id, *run.replaces]))
    started = attempted(lambda: start(mode, run, folder))
    try:
        with ended_by_sigterm():
            yield lambda row: attempted(lambda: started and started.log(curves(row)))
    except BaseException:
        attempted(lambda: started and started.finish(exit_code=1))
        raise
    attempted(lambda: started and started.finish())


def attempted(action: Callable[[], T]) -> T | None:
    """What an action of wandb gives; where it fails, a line on stderr, and the pipeline goes on."""
    try:
        return action()
    except Exception as error:
        say_once(f"warning: wandb fails ({type(error).__name__}: {first_line(error)})")
        return None


def remove_earlier(folder: Path, ids: Iterable[str | None]) -> None:
    """Remove the offline runs of some ids: what they hold is reported again."""
    for run_id in filter(None, ids):
        for path in folder.glob(f"wandb/offline-run-*-{run_id}"):
            shutil.rmtree(path)


def curves(row: dict) -> dict:
    """A row of the history as points of one CNN's curves."""
    points = {f"{row['cnn']}/{key}": value for key, value in row.items() if key != "cnn"}
    return {"epoch": points.pop(f"{row['cnn']}/epoch"), **points}


def start(mode: Mode, run: Run, folder: Path) -> Any:
    """Start a run; offline where online fails."""
    import wandb  # takes half a second, which a disabled run should not

    options = {"project": "guess-or-recall", "settings": quiet(wandb), "dir": str(folder)}
    options |= {"name": run.name, "config": run.config, "id": run.id, "group": run.group}
    if mode == "online":
        trouble = obstacle(wandb.setup().settings.base_url)
        if not trouble:
            try:
                return with_epochs(wandb.init(mode="online", **options))
            except wandb.Error as error:
                trouble = " ".join(str(error).split())
        print(f"warning: wandb goes on offline: {trouble}", file=sys.stderr)
    return with_epochs(wandb.init(mode="offline", **options))


def with_epochs(run: Any) -> Any:
    """Have a run's curves drawn over epochs."""
    run.define_metric("epoch")
    run.define_metric("*", step_metric="epoch")
    return run


def quiet(wandb: ModuleType) -> Any:
    """Settings under which nothing is watched or captured, and nothing waits long."""
    return wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        silent=True,
        init_timeout=4 * PATIENCE,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
        x_file_stream_retry_max=2,
        x_file_stream_timeout_seconds=PATIENCE,
        x_file_transfer_retry_max=2,
        x_file_transfer_timeout_seconds=PATIENCE,
        x_graphql_retry_max=2,
        x_graphql_timeout_seconds=PATIENCE,
    )


def obstacle(base_url: str) -> str | None:
    """What stands between here and the wandb server; says so without waiting for a time-out."""
    url = urlsplit(base_url)
    host = url.hostname or base_url
    if not has_key(host):
        return f"no API key for {host} (`wandb login`, or WANDB_API_KEY)"
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except OSError as error:
        return f"{host} cannot be reached ({error})"
    return None


def has_key(host: str) -> bool:
    """Whether wandb would find an API key, and so not ask for one."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Turn SIGTERM into SystemExit inside the block (in the main thread, which alone may)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
