"""A server that refuses checksums, as many S3 services do that are not Amazon's."""

from tests.conftest import must, run
from tests.pages import commands
from tests.servers import KEYS, free_ports, s3
from tests.strict_s3 import strict

[SERVER] = commands("docs/sharing.md", "On a server")
[SETTING] = commands("docs/sharing.md", "A server that refuses checksums")


def test_push_and_pull_with_the_setting_of_the_page(tmp_path):
    (tmp_path / "s3/guess-or-recall").mkdir(parents=True)
    [port], folder = free_ports(1), tmp_path / "study"
    folder.mkdir()
    must(folder, "dvc", "init", "-q", "--no-scm")
    (folder / "out").write_text("attention")
    must(folder, "dvc", "add", "-q", "out")
    with s3(tmp_path / "s3", port), strict(port) as asked:
        known = KEYS | {"S3_ENDPOINT": f"http://127.0.0.1:{asked}"}
        must(folder, "bash", "-euc", f"{SERVER} dvc remote default -q heavy", **known)
        refused = run(folder, "dvc", "push", **KEYS)
        assert refused.returncode != 0 and "NotImplemented" in refused.stderr
        assert "1 file pushed" in must(folder, "bash", "-euc", f"{SETTING} dvc push", **KEYS)
        for path in (folder / "out", folder / ".dvc/cache"):
            path.rename(tmp_path / path.name)
        must(folder, "bash", "-euc", f"{SETTING} dvc pull", **KEYS)
    assert (folder / "out").read_text() == "attention"
