"""What several of these files share: a small study, made once for all of them."""

import shutil
from pathlib import Path

import pytest

from guess_or_recall.errors import say_once


@pytest.fixture(scope="session")
def localized(tmp_path_factory):
    """A folder in which the stages up to localize ran on made sequences."""
    from tests.made_study import make_study  # imports all stages, which few tests need

    folder = tmp_path_factory.mktemp("localized")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_study()
    return folder


@pytest.fixture
def study(workspace, localized):
    """A copy of it, the working folder."""
    return Path(shutil.copytree(localized, workspace, dirs_exist_ok=True))


@pytest.fixture(scope="session")
def saved_net(tmp_path_factory):
    """Folder of a tiny model with random weights."""
    from guess_or_recall.model.training import new_model

    model = new_model(vocabulary=50, layers=2, width=16, heads=2, length=24, seed=0)
    folder = tmp_path_factory.mktemp("models") / "net"
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def net(saved_net, tmp_path, monkeypatch):
    """A copy of it, below the working folder; what is said once is said again."""
    say_once.cache_clear()
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(saved_net, tmp_path / "net"))


@pytest.fixture
def published_study(workspace, monkeypatch):
    """Folder of the paper's data set, of made rows; the working folder has a model and settings."""
    from tests.data_set import make_study

    make_study(workspace / "filters", monkeypatch)
    return workspace / "filters"


@pytest.fixture
def one_thread():
    """Sums in one order, whatever the machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
