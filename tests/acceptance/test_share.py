"""The remotes on a real S3 server: the commands of docs/sharing.md, and what can go wrong."""

import hashlib
import re
import shutil
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest

from tests.conftest import commit, copy_of, environment, must, run
from tests.pages import commands
from tests.servers import KEYS, free_ports, s3, wait_for

SWEEPS = "benchmark: [{taxonomy: [guess, recite]}]\nrho: [{taxonomy: guess, rho: 0.5}]\n"
[SERVER] = commands("docs/sharing.md", "On a server")


@pytest.fixture(scope="module")
def study(micro, tmp_path_factory):
    """The micro study with its sweeps and tables, cloned from and pushed to a bare repository."""
    folder = copy_of(micro, tmp_path_factory.mktemp("share"))
    (folder / "sweeps.yaml").write_text(SWEEPS)
    commit(folder)
    must(folder, "git", "clone", "-q", "--bare", ".", "../origin.git")
    must(folder, "git", "remote", "add", "origin", "../origin.git")
    [block] = commands("docs/sweeps.md", "Sweeps and tables")
    must(folder, "bash", "-euc", block, PYTHONPATH=str(folder / "src"))
    return folder


@pytest.fixture(scope="module")
def port(study):
    """Of an S3 server that runs for all tests; its bucket is in the folder s3."""
    (study.parent / "s3/guess-or-recall").mkdir(parents=True)
    [port] = free_ports(1)
    with s3(study.parent / "s3", port):
        yield port


@pytest.fixture(scope="module")
def published(study, port):
    """The study, pushed as docs/sharing.md says."""
    [block] = commands("docs/sharing.md", "Where the study ran")
    told = bash(study, port, SERVER + block)
    assert "Pushed experiment" in told and "few.h5: non-memorized" in told
    return study


@pytest.fixture
def clone(published, tmp_path):
    """A new clone, on another machine: nothing of the cache."""
    must(tmp_path, "git", "clone", "-q", str(published.parent / "origin.git"), "clone")
    for key in ("user.email", "user.name"):
        must(tmp_path / "clone", "git", "config", key, "tests@example.org")
    return tmp_path / "clone"


def bash(folder, port, script):
    """What a script of a page says, in a shell of a user who has the endpoint and the keys."""
    known = KEYS | {"S3_ENDPOINT": f"http://127.0.0.1:{port}"}
    return must(folder, "bash", "-euc", script, **known)


def files(folder):
    """Bytes of all files below a folder, by path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_folders_beside_the_checkout_need_no_setting(study, tmp_path):
    """Push, pull of the light remote into a second clone, and an experiment from there."""
    folder = copy_of(study, tmp_path)
    shutil.copytree(study.parent / "origin.git", tmp_path / "origin.git")
    (folder / ".dvc/config.local").unlink(missing_ok=True)
    must(folder, "dvc", "push")
    must(folder, "git", "push", "-q", "origin", "HEAD")
    assert "recite-delta8" in must(folder, "dvc", "exp", "push", "-r", "light", "origin")
    remotes = tmp_path / "guess-or-recall-remotes"
    assert {path.name for path in remotes.iterdir()} == {"light", "heavy"}
    must(tmp_path, "git", "clone", "-q", "origin.git", "second")
    second = tmp_path / "second"
    must(second, "dvc", "pull", "-q", "-r", "light", "--allow-missing")
    light = {name for name in files(folder / "data") if not name.startswith("attention/")}
    assert files(second / "data") == {name: files(folder / "data")[name] for name in light}
    assert "Running stage" not in must(second, "dvc", "repro", "--allow-missing")
    must(second, "dvc", "exp", "pull", "-r", "light", "origin", "recite-delta8")
    must(second, "dvc", "pull", "-q", "data/attention")
    assert files(second / "data") == files(folder / "data")


def test_every_output_has_its_remote(published):
    """The heavy remote has the shards and nothing else, the light one all but them."""
    store = {name: objects(published.parent / "s3", name) for name in ("heavy", "light")}
    shards = set(map(md5, (published / "data/attention").iterdir()))
    heavy = {name for name in store["heavy"] if not name.endswith(".dir")}
    assert heavy == shards
    assert not heavy & store["light"]
    rest = [path for path in (published / "data").rglob("*.*") if "attention" not in path.parts]
    assert {md5(path) for path in rest if path.is_file()} <= store["light"]


def objects(store, remote):
    """Hashes of what a remote holds."""
    files = (store / "guess-or-recall" / remote / "files/md5").rglob("*")
    return {path.parent.name + path.name for path in files if path.is_file()}


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_on_a_laptop(published, port, clone):
    """All blocks of the section, in order."""
    light, draw, heavy = commands("docs/sharing.md", "On a laptop")
    shutil.rmtree(clone / "figures")
    told = bash(clone, port, SERVER + light)
    assert "Running stage" not in told and "up to date" in told
    assert not (clone / "data/attention").exists()
    assert files(clone / "figures") == files(published / "figures")
    for sweep in ("benchmark", "rho"):
        for path in (published / "results").glob(f"{sweep}*.[cmt]*"):
            assert (clone / "results" / path.name).read_bytes() == path.read_bytes()
    assert must(clone, "git", "status", "--porcelain", "figures", "metrics", "dvc.lock") == ""
    (clone / "few.h5").write_bytes((published / "few.h5").read_bytes())
    bash(clone, port, draw)
    drawn = {path.name for path in (clone / "results").glob("few_*.png")}
    assert drawn == {f"few_{x}.png" for x in ("attention_gallery", "delta_maps", "delta_profile")}
    with h5py.File(clone / "few.h5") as few:
        assert set(np.asarray(few["label"])) == {0, 1, 2}
    told = bash(clone, port, heavy)
    assert "Running stage 'label'" in told and "Running stage 'attention'" not in told
    assert files(clone / "data/attention") == files(published / "data/attention")


def test_plain_repro_does_not_make_the_attention_again(published, port, clone):
    """In a clone without it DVC would; its stage stops, and says how to go on: all of it works."""
    bash(clone, port, SERVER + "dvc pull -q -r light --allow-missing")
    before = files(clone / "data"), files(clone / "metrics")
    for command in (["repro"], ["exp", "run"]):
        done = run(clone, "dvc", *command)
        assert done.returncode != 0 and "Running stage 'attention'" in done.stdout
        [said] = re.findall("error in attention: data/attention is not made again.*", done.stderr)
        assert "Traceback" not in done.stderr
        making, restoring = re.findall("`((?:gor|git)[^`]*)`", said)
        must(clone, "bash", "-euc", restoring)
        assert (files(clone / "data"), files(clone / "metrics")) == before
    assert "Running stage" not in must(clone, "dvc", "repro", "--allow-missing")
    must(clone, "bash", "-euc", making, PYTHONPATH=str(clone / "src"))
    assert "Running stage 'attention'" in must(clone, "dvc", "repro")
    assert files(clone / "data/attention") == files(published / "data/attention")


def test_an_experiment_arrives_with_its_results(published, port, clone):
    """Pulled by name into a clone that has nothing else, and taken for a branch."""
    script = "dvc exp pull -r light origin recite-delta8; dvc exp branch recite-delta8 recite"
    bash(clone, port, SERVER + script)
    must(clone, "git", "checkout", "-q", "recite")
    told = must(clone, "dvc", "checkout", "--allow-missing")
    assert "data/evaluate" in told and not (clone / "data/attention").exists()
    assert "taxonomy: recite" in (clone / "params.yaml").read_text()
    table = (clone / "data/evaluate/confusion.csv").read_text()
    assert "recite" in table and "recall" not in table


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "Forbidden"),
        ({"AWS_ACCESS_KEY_ID": "wrong"}, "Forbidden"),
    ],
)
def test_a_wrong_key(port, clone, keys, message):
    bash(clone, port, SERVER)
    for command in (["pull", "-r", "light", "--allow-missing"], ["push"]):
        done = run(clone, "dvc", *command, **KEYS | keys)
        assert done.returncode != 0
        assert message in done.stderr and "Traceback" not in done.stderr
    bash(clone, port, "dvc pull -q -r light --allow-missing")
    assert (clone / "data/evaluate/confusion.csv").exists()


def test_a_server_that_is_down(published, clone):
    [nobody] = free_ports(1)
    url = f"http://127.0.0.1:{nobody}"
    before = files(published / "data")
    for folder, command in (
        (clone, ["pull", "-r", "light", "--allow-missing"]),
        (published, ["push"]),
    ):
        config = (folder / ".dvc/config.local").read_bytes() if folder is published else None
        must(folder, "bash", "-c", SERVER, S3_ENDPOINT=url)
        done = run(folder, "dvc", *command, **KEYS, AWS_MAX_ATTEMPTS="1")  # else 2 minutes
        assert done.returncode != 0
        assert f'Could not connect to the endpoint URL: "{url}' in done.stderr
        assert "Traceback" not in done.stderr
        if config:
            (folder / ".dvc/config.local").write_bytes(config)
    assert files(published / "data") == before


def test_a_server_that_is_killed_in_mid_push(micro, tmp_path):
    """The push fails and says so; on the server that is up again, a second one finishes."""
    folder, [port] = copy_of(micro, tmp_path), free_ports(1)
    store = tmp_path / "s3"
    (store / "guess-or-recall").mkdir(parents=True)
    must(folder, "bash", "-c", SERVER, S3_ENDPOINT=f"http://127.0.0.1:{port}")
    before = files(folder / "data")
    with s3(store, port, "--bwlimit", "300k") as server:
        command = [sys.executable, "-m", "dvc", "push"]
        kept = environment(**KEYS)
        push = subprocess.Popen(command, cwd=folder, env=kept, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: any(store.rglob("files/md5/*/*")), 60, "the first object")
        server.send_signal(signal.SIGKILL)
        server.wait()
        said = push.communicate(timeout=120)[1]
    assert push.returncode != 0
    assert re.search("failed to transfer|failed to push|Could not connect", said)  # by its moment
    assert "Traceback" not in said
    whole = set(map(md5, (path for path in (folder / "data").rglob("*") if path.is_file())))
    assert not whole <= objects(store, "heavy") | objects(store, "light")
    with s3(store, port):
        must(folder, "dvc", "push", **KEYS)
        assert "Everything is up to date" in must(folder, "dvc", "push", **KEYS)
    assert whole <= objects(store, "heavy") | objects(store, "light")
    for path in store.rglob("files/md5/*/*"):
        if ".rclone_temp" not in path.name:  # half a file of the killed server, which serves none
            assert md5(path) == (path.parent.name + path.name).removesuffix(".dir")
    assert files(folder / "data") == before
