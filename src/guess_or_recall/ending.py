"""How a program ends, for `gor` and `src/run.py` alike: an exit status, and a line on an error."""

import errno
import os
import sys
from collections.abc import Callable

from guess_or_recall.errors import UserError, first_line
from guess_or_recall.io.site_cache import fault_of_site_cache

CUDA_OUT_OF_MEMORY = 2  # its number among the errors of CUDA
MACHINE = {  # errors of the system that no code can prevent, and what mends them
    errno.ENOSPC: "disk full: free some",
    errno.EDQUOT: "your quota of the disk is used up: free some, or work on another one",
    errno.EACCES: "mend its rights (ls -l), or take another place",
    errno.EPERM: "mend its rights (ls -l), or take another place",
    errno.EROFS: "its file system cannot be written to: work in a copy on another one",
    errno.EIO: "the disk or the network fails: run it again, or work on another one",
    errno.ESTALE: "the network's file system has lost it: run it again",
    errno.EMFILE: "too many files are open: `ulimit -n 4096`, then run it again",
}
SMALLER = "free some, take a smaller batch in params.yaml, or a larger machine"


def set_environment() -> None:
    """Set what OpenMP and CUDA read when torch is imported; what a user has set stays."""
    # threads that spin while they wait stall one another wherever another process has a core
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # the same bits on every stream


def exit_status(name: str, work: Callable[[], object]) -> int:
    """Do the work of a stage or command; what a user can mend ends in one line on stderr.

    Args:
        name: of the stage or command, which opens the line.
        work: raises what goes wrong; an error that is nobody's but ours keeps its traceback.

    Returns:
        0, or 1 after an error, or 130 after Ctrl-C.
    """
    try:
        work()
    except UserError as error:
        return complain(name, str(error))
    except Exception as error:
        if not (line := of_the_machine(error)):
            raise
        return complain(name, line)
    except KeyboardInterrupt:
        print(f"{name} interrupted: earlier outputs stand, run it again", file=sys.stderr)
        return 130
    return 0


def of_the_machine(error: Exception) -> str:
    """What to do about an error that is the machine's; nothing about others."""
    if fault := fault_of_site_cache(str(error)):
        return fault
    if isinstance(error, OSError) and error.errno in MACHINE:
        return f"{first_line(error)}: {MACHINE[error.errno]}"
    dvc = sys.modules.get("dvc.exceptions")  # likewise: a damaged .dvc/config, say
    if dvc and isinstance(error, dvc.DvcException):
        named = " (.dvc/config, .dvc/config.local)" if "config file" in str(error) else ""
        return f"DVC says: {first_line(error)}{named}"
    return f"{first_line(error) or 'out of memory'}: {SMALLER}" if is_out_of_memory(error) else ""


def complain(name: str, line: str) -> int:
    """Print an error of a stage or command, and return the exit status for it."""
    print(f"error in {name}: {line}", file=sys.stderr)
    return 1


def is_out_of_memory(error: Exception) -> bool:
    """Whether Python, NumPy, Arrow or CUDA says so; what a message mentions is no evidence."""
    torch = sys.modules.get("torch")  # slow to import; without it there is no such error
    if torch is None or isinstance(error, MemoryError):
        return isinstance(error, MemoryError)
    if isinstance(error, torch.AcceleratorError):
        return getattr(error, "error_code", None) == CUDA_OUT_OF_MEMORY
    return isinstance(error, torch.OutOfMemoryError)
