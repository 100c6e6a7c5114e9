"""A model of the Hugging Face hub at one commit, fetched once and then read from its cache."""

import errno
import re
from pathlib import Path

from huggingface_hub import constants, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from guess_or_recall.errors import UserError, first_line
from guess_or_recall.model.weights import weight_files

PATTERNS = ["*.json", "model*.safetensors"]  # some repositories hold the weights twice, or pickled


def snapshot(name: str, revision: str, patterns: list[str] = PATTERNS) -> Path:
    """The folder of a model at a revision, in the cache of the hub.

    What the cache (`HF_HOME`) lacks is downloaded, unless `HF_HUB_OFFLINE=1`.

    Args:
        name: a repository such as EleutherAI/pythia-70m-deduped.
        revision: a branch, a tag or a commit.
        patterns: of the names of the files to fetch.

    Raises:
        UserError: there is no such repository or revision, it asks for a licence to be accepted,
            or it is not in the cache and cannot be downloaded; or the name is that of a folder.
    """
    if Path(name).is_dir():
        raise UserError(
            f"model.hub.name: '{name}' is a folder, whose changes DVC would not see: set "
            f"model.source to path and model.path to {name}"
        )
    if folder := whole_commit(name, revision):
        return folder
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except Exception as error:  # those of the network have no common type
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise
        raise UserError(f"model.hub: {complaint(name, revision, error)}") from None


def whole_commit(name: str, revision: str) -> Path | None:
    """The folder of a commit that the cache holds whole: then nothing is asked of the hub."""
    if not re.fullmatch("[0-9a-f]{40}", revision):
        return None
    config = try_to_load_from_cache(name, "config.json", constants.HF_HUB_CACHE, revision)
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    try:
        weight_files(folder, name)
    except UserError:
        return None
    return folder


def complaint(name: str, revision: str, error: Exception) -> str:
    """What is wrong with a model that the hub does not give, and the way out."""
    if isinstance(error, HFValidationError):
        return f"'{name}' is no name of a repository (owner/name) of the hub"
    if isinstance(error, GatedRepoError):
        return (
            f"'{name}' is gated: accept its licence at {constants.ENDPOINT}/{name} and log in "
            "(hf auth login, or HF_TOKEN)"
        )
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"the hub has no model '{name}', or it is private: correct model.hub.name, or log in "
            "(hf auth login, or HF_TOKEN)"
        )
    if isinstance(error, RevisionNotFoundError):
        return (
            f"'{name}' has no revision '{revision}': set model.hub.revision to main, or to a "
            f"branch, tag or commit of {constants.ENDPOINT}/{name}/commits"
        )
    place = Path(constants.HF_HUB_CACHE)
    return (
        f"'{name}' at revision '{revision}' is not whole in the cache {place} and cannot be "
        f"downloaded ({unreachable(error)}): download it where there is a network "
        f"(hf download {name} --revision {revision}) and set HF_HOME to that cache"
    )


def unreachable(error: Exception) -> str:
    """Why nothing was downloaded."""
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    return first_line(error).removeprefix("Got: ")
