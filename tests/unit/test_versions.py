"""versions.yaml: it holds what is locked; stages list the libraries that decide their output."""

import re

import pytest

from guess_or_recall.settings.versions import (
    canonical,
    differing_versions,
    main,
    pinned_versions,
)
from guess_or_recall.settings.yaml import read_yaml
from tests.conftest import ROOT
from tests.dependencies import PACKAGE, PIPELINE, reached
from tests.unit.test_dvc_yaml import PARAMS

VERSIONS = read_yaml(ROOT / "versions.yaml")
LOCKED = pinned_versions(ROOT / "requirements.lock")
DIRECT = pinned_versions(ROOT / "requirements.txt")
DECIDES = {  # a library decides the result, or its bytes, of a stage whose code says this
    "torch": r"^\s*(import|from) torch\b",
    "transformers": r"^\s*(import|from) transformers\b",
    "tokenizers": r"^\s*(import|from) tokenizers\b",
    "numpy": r"\bnp\.random\.\w+\(",
    "scipy": r"^\s*(import|from) scipy\b",
    "charset-normalizer": r"^\s*(import|from) charset_normalizer\b",
    "magika": r"^\s*(import|from) magika\b",
    "onnxruntime": r"^\s*(import|from) magika\b",
    "fasttext-predict": r"^\s*import fasttext\b",
    "matplotlib": r"^\s*(import|from) matplotlib\b",
    "seaborn": r"^\s*(import|from) seaborn\b",
    "pillow": r"^\s*(import|from) matplotlib\b",  # writes its PNG files
    "pyarrow": r"^from .* import .*\bwrite_(table|parts)\b",
    "pandas": r"\bwrite_csv\([^%\n]+\)$",  # numbers in a format of its own choice
    "h5py": r"^from .* import .*\bwrite_shard\b",
    "safetensors": r"^from safetensors\S* import .*\bsave_file\b|^\s+model\S*\.save_pretrained\(",
}


def listed(stage: str) -> set[str]:
    """Libraries whose version a stage of dvc.yaml depends on."""
    files = [entry for entry in PIPELINE["stages"][stage]["params"] if isinstance(entry, dict)]
    return {name for entry in files for name in entry.get("versions.yaml", [])}


@pytest.mark.parametrize("stage", PIPELINE["stages"])
def test_a_stage_lists_the_libraries_that_decide_its_result_and_no_other(stage):
    code = "\n".join(path.read_text() for path in reached(PACKAGE / "stages" / f"{stage}.py"))
    deciding = {name for name, pattern in DECIDES.items() if re.search(pattern, code, re.M)}
    corpus = set(PARAMS["sequences"]["packages"]) if stage == "sequences" else set()
    assert listed(stage) == deciding | corpus
    assert listed(stage) <= set(VERSIONS)


def test_every_library_belongs_to_a_stage():
    assert set(VERSIONS) == set().union(*map(listed, PIPELINE["stages"]))


def test_versions_are_those_that_are_locked():
    assert {canonical(name): version for name, version in VERSIONS.items()} == {
        name: (LOCKED | DIRECT)[name] for name in map(canonical, VERSIONS)
    }


def test_the_lock_holds_every_direct_dependency():
    """But torch: its builds for CPUs and GPUs have the same version and other hashes."""
    assert len(DIRECT) > 40
    assert DIRECT.items() - LOCKED.items() == {("torch", DIRECT["torch"])}
    assert "torch" not in LOCKED


def test_the_lock_has_hashes_and_no_address():
    text = (ROOT / "requirements.lock").read_text()
    entries = re.split(r"^(?=\S+==)", text, flags=re.M)[1:]
    assert len(entries) == len(LOCKED) > len(DIRECT)
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"://|file:|^\s*--(?!hash)|@ |^/", text, re.M)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a lock of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.lock").write_text(
        "seaborn==0.1 \\\n    --hash=sha256:0\nhuggingface-hub==7.0 ; a == 'b' \\\n"
    )
    (tmp_path / "requirements.txt").write_text("seaborn==0.1  # corpus\ntorch==9.9 # models\n")
    (tmp_path / "versions.yaml").write_text('# text\nhuggingface_hub: "1"\n\n# more\ntorch: ""\n')
    return tmp_path


def test_the_versions_are_written_from_the_lock(folder):
    main()
    assert (folder / "versions.yaml").read_text() == (
        '# text\nhuggingface_hub: "7.0"\n\n# more\ntorch: "9.9"\n'
    )


def test_other_versions_than_those_recorded_are_named(folder, monkeypatch):
    monkeypatch.setattr(
        "importlib.metadata.version", {"huggingface_hub": "1", "torch": "2+cpu"}.get
    )
    assert differing_versions() == ["torch is 2, not "]
    (folder / "versions.yaml").write_text('torch: "2"\n')
    assert differing_versions() == []
    (folder / "versions.yaml").write_text('torch: "2.1"\n')
    assert differing_versions() == ["torch is 2, not 2.1"]


def test_a_library_that_is_missing_is_named(folder):
    (folder / "versions.yaml").write_text('no-such-library: "2"\n')
    assert differing_versions() == ["no-such-library is missing, not 2"]
