"""The files that a model is read from, and their hashes: safetensors of one folder, no others."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from guess_or_recall.errors import UserError
from guess_or_recall.io.checksums import sha256

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
SETTINGS = ("config.json", "generation_config.json")
LOAD = "from transformers import AutoModelForCausalLM as M; M.from_pretrained("
MERGE = (
    "from peft import AutoPeftModelForCausalLM as M; M.from_pretrained('{folder}')"
    ".merge_and_unload().save_pretrained('{folder}-safetensors')"
)
SAVE = ").save_pretrained('{folder}-safetensors')"


def weight_files(folder: Path, named: str) -> list[Path]:
    """The files that hold a model's weights: one, or those that the index names.

    Args:
        folder: of the model.
        named: what errors call it.

    Raises:
        UserError: there are none, or some are no safetensors or not inside the folder.
    """
    if (folder / "adapter_config.json").exists():
        raise UserError(
            f"{named} is an adapter (adapter_config.json), not a whole model: merge it (pip "
            f'install peft; python -c "{MERGE.format(folder=folder)}") and name that folder'
        )
    if (folder / WHOLE).is_file():
        return [folder / WHOLE]
    if not (folder / INDEX).is_file():
        raise UserError(f"{named} holds no .safetensors weights{conversion(folder)}")
    shards = sorted(set(shards_of(folder / INDEX, named)))
    for shard in shards:
        if not is_inside(shard):
            raise UserError(
                f"{named}: {INDEX} names '{shard}': only .safetensors files inside the folder are "
                f"read{conversion(folder)}"
            )
    if absent := [shard for shard in shards if not (folder / shard).is_file()]:
        raise UserError(
            f"{named} lacks {absent[0]}, which {INDEX} names: fetch or copy the folder again"
        )
    return [folder / shard for shard in shards]


def shards_of(index: Path, named: str) -> Iterable[str]:
    """The names of files in an index of weights; UserError where it is no index."""
    again = "fetch or copy the folder again"
    try:
        content = json.loads(index.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{named}: {index.name} is damaged ({error}): {again}") from None
    shards = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(shards, dict) or not shards:
        raise UserError(f"{named}: {index.name} has no weight_map of names and files: {again}")
    if wrong := [shard for shard in shards.values() if not isinstance(shard, str)]:
        raise UserError(f"{named}: {index.name} names {wrong[0]!r}, which is no file: {again}")
    return shards.values()


def is_inside(shard: str) -> bool:
    """Whether the name in an index is that of a safetensors file in the index's own folder."""
    return shard.endswith(".safetensors") and PurePosixPath(shard).name == shard


def conversion(folder: Path) -> str:
    """The end of a complaint: what the folder has instead, and the command that converts it."""
    save = SAVE.format(folder=folder)
    if ggufs := sorted(folder.glob("*.gguf")):
        loaded = f"{LOAD}'{folder}', gguf_file='{ggufs[0].name}'"
        return f' but GGUF: convert it (pip install gguf; python -c "{loaded}{save}")'
    pickled = [path for ending in ("bin", "pt", "pth") for path in folder.glob(f"*.{ending}")]
    if pickled:
        return (
            " (pickled weights are not read, because they can run code): where you trust them, "
            f"convert them (python -c \"{LOAD}'{folder}'{save}\") and name that folder"
        )
    return ": name a folder with model.safetensors, or fetch or copy it again"


def content_of_model(folder: Path, named: str) -> dict[str, str]:
    """Hashes of all that is read of a model: of its weights, and of its two files of settings."""
    settings = [folder / name for name in SETTINGS if (folder / name).is_file()]
    return {
        "weights": files_hash(weight_files(folder, named)),
        "settings": files_hash(settings),
    }


def files_hash(files: list[Path]) -> str:
    """What `content_hash` gives of files, without reading the large ones of the hub's cache.

    The cache links to files that are named by their SHA-256.
    """
    digest = hashlib.sha256()
    for path in files:
        blob = Path(os.readlink(path)).name if path.is_symlink() else ""
        if not is_blob(path, blob):  # small files are named otherwise
            blob = sha256(path)
        digest.update(path.name.encode() + bytes.fromhex(blob))
    return digest.hexdigest()


def is_blob(path: Path, name: str) -> bool:
    """Whether a link leads to a file of the hub's cache that is named by its SHA-256."""
    is_hash = len(name) == 64 and not set(name) - set("0123456789abcdef")
    return is_hash and path.resolve().parent.name == "blobs" and "snapshots" in path.parts
