"""The folder that DVC shares among users, tried by `python -m guess_or_recall.io.site_cache`.

DVC keeps there what it knows of files and remotes, by default in /var/tmp/dvc. Where it is full or
another user's, DVC fails with a bare error, whatever the command.
"""

import configparser
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

PLACE = "/var/tmp/dvc"
FAULTS = (  # as the database says that lies there
    "database or disk is full",
    "unable to open database file",
    "attempt to write a readonly database",
    "disk I/O error",
)


def site_cache() -> Path:
    """The folder, as DVC chooses it."""
    config = configparser.ConfigParser(interpolation=None, strict=False)
    with suppress(configparser.Error, UnicodeDecodeError):  # which DVC names itself
        config.read([".dvc/config", ".dvc/config.local"])
    configured = config.get("core", "site_cache_dir", fallback=PLACE)
    return Path(os.environ.get("DVC_SITE_CACHE_DIR") or configured)


def fault_of_site_cache(said: str) -> str:
    """What to do about an error, if it is one of this folder; else nothing."""
    place = str(site_cache())
    named = [line for line in said.splitlines() if "Errno" in line and place in line]
    named += [line for line in said.splitlines() if any(fault in line for fault in FAULTS)]
    return f"{named[-1].strip()}: {way_out(place)}" if named else ""


def way_out(place: str) -> str:
    """How to give DVC another folder."""
    return (
        f"DVC cannot write to {place}, which it shares among users: give it a folder of your own "
        "by `dvc config --local core.site_cache_dir FOLDER` (or set DVC_SITE_CACHE_DIR)"
    )


def main() -> int:
    """Try whether DVC can write there."""
    folder = site_cache() / "repo"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(1 << 16))
    except OSError as error:
        print(f"{error}: {way_out(str(site_cache()))}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
