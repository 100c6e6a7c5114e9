"""Model folders damaged at random: each ends in one line, or its hashes tell the result apart.

    python benchmarks/fuzz_models.py [FOLDERS]

Every folder is a copy of a tiny model, with one to three damages drawn from its number as seed.
"""

import json
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.random import Generator

from guess_or_recall.corpus.tokenizer import train_tokenizer
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import write_json
from guess_or_recall.model.load import load_folder
from guess_or_recall.model.pointer import pointer_to_folder
from guess_or_recall.model.scoring import score
from guess_or_recall.model.training import new_model

LENGTH, FOLDERS = 16, 60
TOKENS = np.random.default_rng(0).integers(3, 260, (4, LENGTH)).astype(np.int32)
NONSENSE = (None, -1, 0, 1, 3, 10**12, 1.5, "x", "", [], [1], {}, {"a": 1}, True, "../x")


def make_study(folder: Path) -> None:
    """A tiny model with a tokenizer, and what the stage `model` reads of the sequences."""
    model = new_model(vocabulary=260, layers=2, width=16, heads=2, length=LENGTH, seed=0)
    model.save_pretrained(folder / "net")
    for place in (folder / "net", folder / "sequences" / "tokenizer"):
        train_tokenizer(["some text to learn from"] * 3, 260).save_pretrained(place)
    write_json(folder / "sequences" / "corpus.json", {"source": "files"})


def damage_bytes(path: Path, random: Generator) -> None:
    """Cut a file, change some of its bytes, or put others in their place."""
    content = bytearray(path.read_bytes())
    place = int(random.integers(len(content)))
    match int(random.integers(3)):
        case 0:
            content = content[:place]
        case 1:
            content[place : place + 4] = random.bytes(4)
        case _:
            content = bytearray(random.bytes(int(random.integers(200))))
    path.write_bytes(content)


def damage_values(path: Path, random: Generator) -> None:
    """Give one key of a JSON file a value without sense, or take it away."""
    try:
        content = json.loads(path.read_text())
        keys = sorted(content)
    except (ValueError, TypeError):  # damaged before
        return damage_bytes(path, random)
    key = keys[int(random.integers(len(keys)))] if keys else "x"
    if random.random() < 0.2:
        content = {name: value for name, value in content.items() if name != key}
    else:
        content[key] = NONSENSE[int(random.integers(len(NONSENSE)))]
    path.write_text(json.dumps(content))
    return None


def damage_index(folder: Path, random: Generator) -> None:
    """Put an index in the place of the weights, which leads to them or elsewhere."""
    names = ["model-1.safetensors", "../net/model.safetensors", "pytorch_model.bin", 5, "gone"]
    if (folder / "model.safetensors").exists():
        (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    name = names[int(random.integers(len(names)))]
    write_json(folder / "model.safetensors.index.json", {"weight_map": {"a": name}})


def damage(folder: Path, random: Generator) -> None:
    """Damage one file of a model's folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.stat().st_size)
    file = files[int(random.integers(len(files)))]
    match int(random.integers(5)):
        case 0:
            damage_bytes(file, random)
        case 1:
            file.unlink()
        case 2:
            damage_index(folder, random)
        case _:
            jsons = [path for path in files if path.suffix == ".json"]
            if jsons:
                damage_values(jsons[int(random.integers(len(jsons)))], random)


def outcome(folder: Path, sequences: Path) -> tuple[str, str]:
    """What becomes of a model: the line that refuses it; or its hashes, and what it scores."""
    try:
        pointer = pointer_to_folder(folder, "float32", "auto", sequences, LENGTH)
        scores = score(load_folder(folder), TOKENS, LENGTH // 2, 4, 4)
    except UserError as error:
        return "refused", str(error)
    identity = f"{pointer['weights']} {pointer['settings']} {pointer['bos']}"
    return identity, str([values.tolist() for values in scores])


def fuzz(folders: int) -> Counter:
    """Counts of what became of so many folders: refused, the same, another one by its hashes.

    "without a word" counts lines of more than one, and other results under the same hashes.
    """
    counts: Counter = Counter()
    with tempfile.TemporaryDirectory() as place:
        study = Path(place)
        make_study(study)
        whole = outcome(study / "net", study / "sequences")
        for seed in range(folders):
            random = np.random.default_rng(seed)
            copy = Path(shutil.copytree(study / "net", study / str(seed) / "net"))
            for _ in range(int(random.integers(1, 4))):
                damage(copy, random)
            said = outcome(copy, study / "sequences")
            if said[0] == "refused":
                counts["refused" if "\n" not in said[1] else "without a word"] += 1
            elif said[1] == whole[1]:
                counts["the same"] += 1
            else:
                named = said[0] != whole[0]
                counts["another one by its hashes" if named else "without a word"] += 1
    return counts


if __name__ == "__main__":
    print(dict(fuzz(int(sys.argv[1]) if len(sys.argv) > 1 else FOLDERS)))
