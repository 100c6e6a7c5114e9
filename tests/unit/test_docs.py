"""README, docs and CONTRIBUTING name what exists, and quote the numbers that metrics/ holds."""

import copy
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from guess_or_recall.cli import COMMANDS, load
from guess_or_recall.report.overview import overview
from guess_or_recall.report.svg import DARK, LIGHT
from guess_or_recall.settings.params import Params
from guess_or_recall.settings.profiles import overlay
from guess_or_recall.settings.section import checked
from guess_or_recall.settings.yaml import parse_yaml, read_yaml
from guess_or_recall.taxonomy.trees import tree
from tests.dependencies import rewritten
from tests.pages import PAGES, ROOT, Page, read_page
from tests.quoted import ROW, renewed

PIPELINE = read_yaml(ROOT / "dvc.yaml")["stages"]
PARAMS = read_yaml(ROOT / "params.yaml")
MADE = (
    "data/",
    ".scratch",
    "wandb/",
    "my-corpus",
    "my-model",
    "few.h5",
    ".dvc/config.local",
)  # by runs and by users
TOP = {path.name for path in ROOT.iterdir()}
YAML = [block for path in PAGES for block in read_page(path).blocks if block.language == "yaml"]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.fixture(params=PAGES, ids=NAMES)
def path(request) -> Path:
    return request.param


def spans(page: Page) -> list[str]:
    """What stands between backticks outside of blocks."""
    return re.findall(r"`([^`\n]+)`", page.prose)


def shell_lines(page: Page) -> list[str]:
    """Every command line that a page shows: in its blocks, and between backticks."""
    joined = "\n".join(block.text for block in page.blocks if block.language != "yaml")
    return [*joined.replace("\\\n", " ").splitlines(), *spans(page)]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130


def test_quoted_numbers_are_those_of_the_metrics(path):
    text = path.read_text()
    assert renewed(text) == text, "python -m tests.quoted"


def test_pages_quote_numbers():
    counts = {path.name: len(ROW.findall(path.read_text())) for path in PAGES}
    assert counts["results.md"] >= 15 and counts["README.md"] >= 4


def test_relative_links_lead_somewhere(path):
    """To a file, and to a heading of it where the link names one."""
    text = read_page(path).prose
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    for link in links:
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        if anchor:
            assert anchor in map(slug, read_page(target).headings), link


def slug(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_page_is_linked_from_the_readme():
    text = (ROOT / "README.md").read_text()
    missing = [name for name in NAMES if name != "README.md" and f"({name})" not in text]
    assert missing == []


def test_files_that_are_named_exist(path):
    """Between backticks, and in command lines; what a run or a user makes does not count."""
    for line in shell_lines(read_page(path)):
        for word in re.findall(
            r"[\w.\-]+/[\w./\-]*[\w/]|\b[\w\-]+\.(?:py|yaml|txt|md|env)\b", line
        ):
            if word.split("/")[0] in TOP - {"data", "results"} and not word.startswith(MADE):
                assert (ROOT / word).exists(), f"{word} in: {line}"


def test_stages_that_are_named_exist(path):
    for line in shell_lines(read_page(path)):
        for name in re.findall(r"src/run\.py ([a-z]+)", line):
            assert name in PIPELINE, line


def test_commands_of_gor_and_their_options_exist(path):
    for line in shell_lines(read_page(path)):
        for name, rest in re.findall(r"\bgor ([a-z]+)([^#&;|`]*)", line):
            assert name in COMMANDS, line
            known = [
                [*parameter.opts, *parameter.secondary_opts] for parameter in load(name).params
            ]
            options = {"--help"}.union(*known)
            for option in re.findall(r"(?<=\s)-{1,2}[A-Za-z][\w-]*", rest):
                assert option in options, line


def test_every_command_of_gor_is_in_the_docs():
    lines = "\n".join(line for path in PAGES for line in shell_lines(read_page(path)))
    assert [name for name in COMMANDS if f"gor {name}" not in lines] == []


def test_the_readme_lists_every_stage_in_order():
    prose = read_page(ROOT / "README.md").prose
    rows = re.findall(r"^\| (\w+) \| (.+) \|$", prose.split("## The pipeline")[1], re.MULTILINE)
    assert [name for name, _ in rows if name != "stage"] == list(PIPELINE)
    [chain] = re.findall(r"^`sequences` → .+$", prose, re.MULTILINE)
    assert re.findall(r"`(\w+)`", chain) == list(PIPELINE)


def test_parameters_that_are_named_exist(path):
    """`-S key=value` in command lines, and dotted keys between backticks."""
    page = read_page(path)
    keys = [key for line in shell_lines(page) for key in re.findall(r"-S '?([a-z][\w.]*)=", line)]
    dotted = [span for span in spans(page) if re.fullmatch(r"[a-z_]+(\.[a-z_0-9]+)+", span)]
    keys += [key for key in dotted if key.split(".")[0] in PARAMS and not is_file(key)]
    for key in keys:
        node = PARAMS
        for part in key.split("."):
            assert isinstance(node, dict) and part in node, key
            node = node[part]


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.heading)
def test_settings_that_are_shown_are_allowed(block):
    """Laid over params.yaml; where they declare a taxonomy, it becomes the current one."""
    shown = parse_yaml(block.text, block.heading)
    params = copy.deepcopy(PARAMS)
    overlay(params, shown)
    params["taxonomy"] = next(iter(shown.get("taxonomies", ["guess"])))
    current = checked(Params, params, block.heading)
    assert len(tree(current.taxonomy, current.taxonomies).classes) >= 3


def test_the_sweeps_of_the_paper_were_made_with_its_profile():
    [block] = [block for block in YAML if block.heading == "The sweeps of the shipped model"]
    assert parse_yaml(block.text, "docs") == read_yaml(ROOT / "profiles/paper.yaml")


def is_file(name: str) -> bool:
    return name.endswith((".yaml", ".md", ".py", ".json", ".csv", ".png", ".svg"))


def test_targets_of_make_exist(path):
    makefile = (ROOT / "Makefile").read_text()
    for line in shell_lines(read_page(path)):
        for name in re.findall(r"^make ([a-z]+)", line):
            assert re.search(rf"^{name}:", makefile, re.MULTILINE), line


def test_options_of_benchmarks_exist(path):
    for line in shell_lines(read_page(path)):
        if command := re.match(r"python (benchmarks/\w+\.py)", line):
            source = (ROOT / command[1]).read_text()
            for option in re.findall(r"--[\w-]+", line):
                assert f'"{option}"' in source, line


def test_every_block_of_commands_is_run_by_a_test(path):
    tests = "".join(file.read_text() for file in (ROOT / "tests/acceptance").glob("*.py"))
    name = str(path.relative_to(ROOT))
    for block in read_page(path).blocks:
        if block.language == "bash":
            assert f'commands("{name}", "{block.heading}")' in tests, block.heading


def test_models_memorize_and_recite_is_a_class(path):
    assert not re.search(r"\brecit(es|ed|ing)\b", path.read_text())


def test_the_command_of_contributing_writes_what_dvc_yaml_lists():
    text = (ROOT / "dvc.yaml").read_text()
    missing = "      - src/guess_or_recall/features/rouge.py\n"
    assert rewritten(text) == text
    assert missing in text
    assert rewritten(text.replace(missing, "")) == text


def test_the_overview_is_as_its_code_draws_it():
    drawn = overview()
    command = "python -m guess_or_recall.report.overview > docs/overview.svg"
    assert (ROOT / "docs/overview.svg").read_text() == drawn, command
    used = set(re.findall(r'class="[^"]*(?:fill|stroke)-([\w-]+)', drawn))
    assert used <= LIGHT.keys() == DARK.keys()


def test_the_words_of_the_overview_are_inside_it():
    """Generously: a letter is at most 0.7 of its size wide in any common font."""
    root = ElementTree.fromstring(overview())
    width, height = (float(root.attrib[side]) for side in ("width", "height"))
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        long = 0.62 * (14.5 if "title" in text.attrib["class"] else 13) * len(text.text or "")
        left = (
            float(text.attrib["x"]) - {"start": 0, "middle": long / 2}[text.attrib["text-anchor"]]
        )
        assert left >= 0 and left + long <= width, text.text
        assert 0 < float(text.attrib["y"]) < height
