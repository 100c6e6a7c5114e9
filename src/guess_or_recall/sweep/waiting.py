"""Other commands of DVC in this checkout: they are waited for, and never called dead.

DVC's own messages about a lock advise to remove it, which is right for nobody who runs two commands
at once: it forgets by itself the locks of processes that have ended.
"""

import fcntl
import json
import re
import time
from itertools import chain
from pathlib import Path

import psutil

from guess_or_recall.errors import say_once

LOCKS = Path(".dvc/tmp")
PAUSE = 1.0  # seconds until a lock is looked at again
BLOCKED = re.compile(r"\(PID (\d+)\): (.+)")
SIGNS = ("is busy, it is being blocked by", "Unable to acquire lock")


def blocked_by(output: str) -> str:
    """Which other command kept one of DVC from its locks, by what it said; nothing if none did."""
    if not any(sign in output for sign in SIGNS):
        return ""
    named = BLOCKED.search(output)
    return described(*named.groups()) if named else "another command of DVC"


def wait_until_idle() -> None:
    """Wait until no stage runs in this checkout, and say what is waited for."""
    while holder := at_work():
        wait_for(holder)


def wait_for(holder: str) -> None:
    """Say once that another command is waited for, and wait a moment."""
    say_once(f"note: {holder} works in this checkout: waiting until it has ended")
    time.sleep(PAUSE)


def at_work() -> str:
    """A command of DVC that works in this checkout; nothing if none does.

    It holds DVC's lock between its stages, and while one runs, entries of the file rwlock.
    """
    if not (LOCKS / "lock").exists():
        return ""
    try:
        with open(LOCKS / "lock", "a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return next(filter(None, map(living, entries())), "")
    except BlockingIOError:
        return "another command of DVC"
    except OSError:
        return ""  # another user's, or no locks here: DVC itself will say so


def entries() -> list[dict]:
    """What the file rwlock says of each path that a stage reads or writes: process and command."""
    try:
        content = json.loads((LOCKS / "rwlock").read_bytes())
        noted = [*content.get("write", {}).values(), *chain(*content.get("read", {}).values())]
        return [{"pid": int(entry["pid"]), "cmd": str(entry["cmd"])} for entry in noted]
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return []  # none was ever made, or a kill has left half of it, which DVC will name


def living(entry: dict) -> str:
    """The command of an entry, if its process lives."""
    return described(entry["pid"], entry["cmd"]) if psutil.pid_exists(entry["pid"]) else ""


def described(process: int | str, command: str) -> str:
    """A command without the folder of its program, and its process."""
    program, _, rest = command.partition(" ")
    return f"`{Path(program).name} {rest}` (process {process})"
