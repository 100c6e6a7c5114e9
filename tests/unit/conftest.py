"""What several of these files share: a small study, made once for all of them."""

import shutil
from pathlib import Path

import pytest


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
