"""The profile command: the default byte for byte, the others as changes of it."""

import shutil
from pathlib import Path

import pytest

from guess_or_recall.commands.profile import main
from guess_or_recall.errors import UserError
from guess_or_recall.settings.params import read_params
from guess_or_recall.settings.yaml import read_yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def keys(content, prefix=""):
    """Every leaf of nested mappings, by its dotted key."""
    if not isinstance(content, dict):
        return {prefix: content}
    return {
        dotted: leaf
        for key, value in content.items()
        for dotted, leaf in keys(value, f"{prefix}.{key}").items()
    }


def test_the_repository_ships_the_default():
    shipped, default = ROOT / "params.yaml", ROOT / "profiles" / "default.yaml"
    assert shipped.read_bytes() == default.read_bytes(), "gor profile default"


def test_the_default_is_written_byte_for_byte(folder):
    (folder / "params.yaml").write_text("broken: [")
    main("default")
    assert Path("params.yaml").read_bytes() == Path("profiles/default.yaml").read_bytes()


@pytest.mark.parametrize("name", [path.stem for path in sorted((ROOT / "profiles").iterdir())])
def test_every_profile_is_allowed_and_bears_its_name(folder, name):
    main(name)
    assert read_params().profile == name


def test_micro_changes_what_it_says_and_nothing_else(folder):
    main("micro")
    written = keys(read_yaml(Path("params.yaml")))
    default = keys(read_yaml(Path("profiles/default.yaml")))
    expected = keys(read_yaml(Path("profiles/micro.yaml"))) | {".profile": "micro"}
    replaced = (".sequences.planted.", ".sequences.studied.")
    assert {key: written[key] for key in expected} == expected
    rest = {key for key in written.keys() | default.keys() if not key.startswith(replaced)} - set(
        expected
    )
    assert {key: written[key] for key in rest} == {key: default[key] for key in rest}
    assert [key for key in written if key.startswith(replaced) and key not in expected] == []


def test_comments_stay(folder):
    main("micro")
    text = Path("params.yaml").read_text()
    assert text.startswith("# Every setting of the study.")
    assert "of every random draw" in text
    assert "# trees of your own" in text


def test_a_section_is_merged_and_user_s_own_mappings_are_replaced(folder):
    (folder / "profiles" / "mine.yaml").write_text(
        "# mine\nsamples: {eval: 7}\ntaxonomies: {other: {nodes: {a: is_code}}}\n"
    )
    main("mine")
    got = read_params()
    main("default")
    assert got.samples == read_params().samples.model_copy(update={"eval": 7})
    assert list(got.taxonomies) == ["other"]


def test_listing(folder, capsys):
    main("micro")
    capsys.readouterr()
    main()
    default, micro = capsys.readouterr().out.splitlines()[:2]
    assert default.startswith("  default")
    assert default.endswith("changes one for one experiment.")
    assert micro.startswith("* micro")
    assert "seconds on a CPU" in micro


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rhoo: 0.5", "profile 'bad': unknown key rhoo"),
        ("rho: 7", "profile 'bad': rho = 7"),
        ("a: [", "profile 'bad' is no YAML"),
        ("# nothing", "profile 'bad' is not a mapping"),
    ],
)
def test_a_bad_profile_leaves_params_as_they_are(folder, text, said):
    main("default")
    (folder / "profiles" / "bad.yaml").write_text(text)
    with pytest.raises(UserError, match=said):
        main("bad")
    assert Path("params.yaml").read_bytes() == Path("profiles/default.yaml").read_bytes()


def test_the_listing_needs_settings(folder):
    (folder / "params.yaml").write_text("- rho\n")
    with pytest.raises(UserError, match="is not a mapping of settings"):
        main()


def test_unknown_profiles_are_refused(folder):
    with pytest.raises(UserError, match="unknown profile 'mcro': there are default, micro"):
        main("mcro")


def test_a_base_comes_first(folder):
    main("pythia-1.4b")
    got = read_params()
    assert got.model.hub.name == "EleutherAI/pythia-1.4b-deduped-v0"
    assert got.sequences.semantic_filters.model == "1.4b"
    assert (got.model.source, got.model.hub.dtype, got.samples.train) == ("hub", "float16", 4000)
    (folder / "profiles" / "mine.yaml").write_text("# mine\nbase: gone\nrho: 0.4\n")
    with pytest.raises(UserError, match="profile 'mine': no base 'gone': there are default"):
        main("mine")


def test_the_name_of_a_profile_without_its_settings_is_refused(folder):
    """What `-S profile=paper` would make; a change on top of a profile is allowed."""
    main("default")
    text = Path("params.yaml").read_text()
    for name, said in (("paper", "none of its settings: write them with"), ("gone", "there are")):
        Path("params.yaml").write_text(text.replace("profile: default", f"profile: {name}"))
        with pytest.raises(UserError, match=f"profile = '{name}'.*{said}"):
            read_params()
    main("paper")
    Path("params.yaml").write_text(
        Path("params.yaml").read_text().replace("rho: 0.5 ", "rho: 0.6 ")
    )
    assert read_params().rho == 0.6


def test_the_listing_says_what_was_changed_since(folder, capsys):
    main("micro")
    Path("params.yaml").write_text(
        Path("params.yaml").read_text().replace("rho: 0.5 ", "rho: 0.6 ")
    )
    capsys.readouterr()
    main()
    assert capsys.readouterr().out.splitlines()[-1] == "params.yaml has changed since, in rho"
