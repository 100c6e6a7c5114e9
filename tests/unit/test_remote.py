"""`gor remote`: what it writes where, and what it refuses."""

import configparser

import pytest

from guess_or_recall.commands import remote
from guess_or_recall.errors import UserError
from tests.conftest import ROOT, must

LOCAL = ".dvc/config.local"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A DVC repository with the remotes of this one."""
    must(tmp_path, "git", "init", "-q")
    must(tmp_path, "dvc", "init", "-q")
    (tmp_path / ".dvc/config").write_bytes((ROOT / ".dvc/config").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(repository) -> dict[str, dict[str, str]]:
    """The remotes of .dvc/config.local."""
    config = configparser.ConfigParser()
    config.read(repository / LOCAL)
    return {name.split('"')[1]: dict(config[name]) for name in config.sections()}


def test_a_server(repository):
    config = (repository / ".dvc/config").read_bytes()
    remote.main("s3://bucket/study/", "https://s3.example.org")
    assert written(repository) == {
        name: {"url": f"s3://bucket/study/{name}", "endpointurl": "https://s3.example.org"}
        for name in ("light", "heavy")
    }
    assert (repository / ".dvc/config").read_bytes() == config
    assert LOCAL not in must(repository, "git", "status", "--porcelain", "-uall")


def test_a_second_address_replaces_the_first_and_keeps_the_keys(repository):
    remote.main("s3://bucket", "https://s3.example.org")
    must(repository, "dvc", "remote", "modify", "--local", "light", "access_key_id", "mine")
    remote.main("s3://other")
    assert written(repository) == {
        "light": {"url": "s3://other/light", "access_key_id": "mine"},
        "heavy": {"url": "s3://other/heavy"},
    }


def test_a_folder(repository):
    """Relative to where the command runs, as DVC writes it: relative to .dvc."""
    remote.main("../disk")
    assert str(repository.parent / "disk/heavy") in must(repository, "dvc", "remote", "list")
    assert written(repository)["light"] == {"url": "../../disk/light"}


@pytest.mark.parametrize(
    ("address", "endpoint", "message"),
    [
        ("http://x", "", "'http://x': give s3://BUCKET"),
        ("s3://", "", "'s3://': give s3://BUCKET"),
        ("", "", "'': give s3://BUCKET"),
        ("disk", "http://x", "--endpoint http://x: a folder has none"),
        ("s3://x", "x:9000", "--endpoint 'x:9000': give http://HOST:PORT"),
        ("s3://x", "https://", "--endpoint 'https://': give http://HOST:PORT"),
        ("s3://me:secret@x", "", "set AWS_ACCESS_KEY_ID"),
        ("s3://x", "https://me:secret@host", "set AWS_ACCESS_KEY_ID"),
    ],
)
def test_what_is_refused(repository, address, endpoint, message):
    with pytest.raises(UserError) as caught:
        remote.main(address, endpoint)
    assert message in str(caught.value) and "secret" not in str(caught.value)
    assert not (repository / LOCAL).exists()
