"""Models of the hub that are refused: each in one line, with a way out."""

import importlib.util
import json

import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from transformers import (
    BertConfig,
    BertForMaskedLM,
    T5Config,
)

from guess_or_recall.corpus.tokenizer import train_tokenizer
from guess_or_recall.errors import UserError
from guess_or_recall.model import hub, load
from tests.hub_cache import (
    COMMIT,
    NAME,
    SHAPE,
    fetched,
    made,
    put,
    saved,
)

HTTP = "httpx2" if importlib.util.find_spec("httpx2") else "httpx"  # of huggingface_hub


@pytest.fixture
def cache(workspace, monkeypatch):
    """An empty cache of the hub, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(workspace / "home" / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return workspace / "home" / "hub"


def refusal(folder, **settings):
    """The one line with which the stage refuses."""
    with pytest.raises(UserError) as caught:
        fetched(folder, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_not_in_the_cache(cache, workspace, monkeypatch):
    said = refusal(workspace)
    assert "'org/net' at revision 'main' is not whole in the cache" in said
    assert "HF_HUB_OFFLINE is set" in said
    assert "hf download org/net --revision main" in said
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    down = LocalEntryNotFoundError("Got: ConnectError: no route\nAn error happened")
    monkeypatch.setattr(hub, "snapshot_download", raising(down))
    assert "cannot be downloaded (ConnectError: no route)" in refusal(workspace)


def raising(error):
    def fail(*args, **kwargs):
        raise error

    return fail


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (GatedRepoError, "'org/net' is gated: accept its licence at"),
        (RepositoryNotFoundError, "the hub has no model 'org/net', or it is private"),
        (RevisionNotFoundError, "'org/net' has no revision 'main': set model.hub.revision"),
    ],
)
def test_what_the_hub_refuses(kind, said, cache, workspace, monkeypatch):
    http = importlib.import_module(HTTP)
    response = http.Response(403, request=http.Request("GET", "https://hub.test/x"))
    monkeypatch.setattr(hub, "snapshot_download", raising(kind("no\nno", response=response)))
    assert said in refusal(workspace)


def test_no_network_in_the_midst_of_a_download(cache, workspace, monkeypatch):
    late = importlib.import_module(HTTP).ReadTimeout("read timed out")
    monkeypatch.setattr(
        hub,
        "snapshot_download",
        raising(late),
    )
    assert "cannot be downloaded (" in refusal(workspace)
    monkeypatch.setattr(hub, "snapshot_download", raising(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        fetched(workspace)


def test_a_commit_that_the_cache_holds_whole_is_not_asked_for(cache, workspace, monkeypatch):
    folder = put(cache, saved(made(), workspace / "net"))
    monkeypatch.setattr(hub, "snapshot_download", raising(ConnectionError("asked")))
    assert hub.snapshot(NAME, COMMIT) == folder
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    with pytest.raises(UserError, match="is not whole in the cache"):
        hub.snapshot(NAME, COMMIT)


def test_no_name_of_the_hub(cache, workspace):
    assert "'/gone/net' is no name of a repository" in refusal(workspace, name="/gone/net")


def test_a_folder_is_not_read_as_a_model_of_the_hub(cache, workspace):
    """Its name would be all that DVC sees of it."""
    saved(made(), workspace / "org/net")
    said = refusal(workspace)
    assert "'org/net' is a folder" in said
    assert "set model.source to path and model.path to org/net" in said


def test_pickled_weights_are_not_read(cache, workspace):
    folder = saved(made(), workspace / "net")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    put(cache, folder)
    said = refusal(workspace)
    assert "model.hub: 'org/net' holds no .safetensors weights (pickled weights are not" in said
    assert f"M.from_pretrained('{hub.snapshot(NAME, 'main')}').save_pretrained(" in said


def test_models_that_are_not_causal(cache, workspace):
    bert = BertForMaskedLM(BertConfig(**SHAPE))
    put(cache, saved(bert, workspace / "bert"))
    assert refusal(workspace) == "model.hub: 'org/net' is a BertForMaskedLM, not a causal LM"
    T5Config().save_pretrained(workspace / "t5")
    (workspace / "t5/model.safetensors").touch()
    put(cache, workspace / "t5", "org/t5")
    assert refusal(workspace, name="org/t5") == "model.hub: 'org/t5' is a t5, not a causal LM"


def test_remote_code_is_not_run(cache, workspace):
    folder = saved(made(), workspace / "net")
    content = json.loads((folder / "config.json").read_text())
    content |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}
    (folder / "config.json").write_text(json.dumps(content))
    (folder / "own.py").write_text("raise SystemExit('was run')")
    put(cache, folder)
    assert "'org/net' is not supported" in refusal(workspace)


def test_another_tokenizer(cache, workspace):
    folder = saved(made(), workspace / "net")
    train_tokenizer(["cccc dddd"] * 3, 260).save_pretrained(folder)
    put(cache, folder)
    assert "the sequences were not made with the tokenizer of" in refusal(workspace)


def test_a_model_over_several_gpus_needs_accelerate(cache, workspace, monkeypatch):
    put(cache, saved(made(), workspace / "net"))
    monkeypatch.setattr(load.importlib.util, "find_spec", lambda name: None)
    assert "device_map = auto needs accelerate: pip install" in refusal(
        workspace, device_map="auto"
    )


def test_a_model_larger_than_the_gpu(cache, workspace, monkeypatch):
    put(cache, saved(made(), workspace / "net"))
    monkeypatch.setattr(torch.nn.Module, "to", raising(torch.OutOfMemoryError("full")))
    said = refusal(workspace, dtype="float16")
    assert said.startswith("model.hub: 'org/net' does not fit on the GPU in float16")
