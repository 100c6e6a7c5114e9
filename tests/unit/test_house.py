"""The shape of the house: sizes, who may import whom, and one place for each thing."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from guess_or_recall.io import paths, schemas
from tests.conftest import ROOT
from tests.dependencies import PACKAGE, imports_of

FILES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
OPERATE = {"stages", "commands", "cli"}  # what a user runs; the rooms do not know it
FORBIDDEN = {  # room -> rooms that it must not import
    "model": {"attention", "classifier", "taxonomy", "localization", "report", "sweep"},
    "attention": {"taxonomy", "classifier", "localization", "report", "sweep"},
    "classifier": {"taxonomy", "localization", "sweep"},
    "features": {"model", "attention", "taxonomy", "classifier", "report"},
    "statistics": {"model", "attention", "taxonomy", "classifier", "report", "sweep"},
    "io": {"model", "attention", "taxonomy", "classifier", "report", "sweep", "corpus", "features"},
}


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def functions_of(file: Path) -> list[ast.FunctionDef]:
    return [
        node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_files_and_functions_are_short(file):
    most = 60 if room_of(file) == "stages" else 250
    assert len(file.read_text().splitlines()) <= most
    for function in functions_of(file):
        lines = (function.end_lineno or 0) - function.lineno + 1
        assert lines <= 50, f"{function.name}: {lines} lines"
        arguments = function.args
        parameters = [
            argument.arg
            for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
            if argument.arg not in ("self", "cls")
        ]
        is_command = room_of(file) == "commands" and function.name == "main"  # its command line
        assert len(parameters) <= 7 or is_command, f"{function.name}: {parameters}"


@pytest.mark.parametrize("file", TESTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_files_of_tests_are_short(file):
    assert len(file.read_text().splitlines()) <= 250


def test_rooms_import_neither_stages_nor_commands():
    imported = [
        (str(file.relative_to(PACKAGE)), str(target.relative_to(PACKAGE)))
        for file in FILES
        for target in imports_of(file)
        if room_of(target) in OPERATE and room_of(file) != room_of(target)
    ]
    assert not imported


def test_nobody_imports_a_stage():
    assert not [
        file for file in FILES for target in imports_of(file) if room_of(target) == "stages"
    ]


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_does_not_know_what_is_none_of_its_business(room):
    imported = [
        (str(file.relative_to(PACKAGE)), str(target.relative_to(PACKAGE)))
        for file in (PACKAGE / room).rglob("*.py")
        for target in imports_of(file)
        if room_of(target) in FORBIDDEN[room]
    ]
    assert not imported


def ordered(imports: dict) -> list:
    """What is imported before who imports it; a circle fails the test and is shown."""
    try:
        return list(TopologicalSorter(imports).static_order())
    except CycleError as error:
        pytest.fail(str(error))


def test_imports_run_in_no_circle():
    ordered({file: imports_of(file) for file in FILES})


def test_rooms_import_each_other_in_no_circle():
    imports: dict[str, set[str]] = {room_of(file): set() for file in FILES}
    for file in FILES:
        imports[room_of(file)] |= {room_of(target) for target in imports_of(file)}
    order = ordered({room: targets - {room} for room, targets in imports.items()})
    assert order.index("settings") < order.index("model") < order.index("report")


def path_texts(file: Path) -> list[str]:
    """The texts in a file from which a path is made: by Path, by / and by open."""
    tree = ast.walk(ast.parse(file.read_text()))
    return [
        part.value
        for node in tree
        for part in parts_of_path(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]


def parts_of_path(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return [node.left, node.right]
    if isinstance(node, ast.Call):
        return node.args
    if isinstance(node, ast.Tuple | ast.List):
        return node.elts
    return []


def test_paths_and_schemas_stand_in_one_place():
    """Literal paths below data/ and metrics/ in io/paths.py, columns of tables in io/schemas.py."""
    below = re.compile(r"(data|metrics|figures|results)(/[\w./-]*)?")
    names = {path.name for path in vars(paths).values() if isinstance(path, Path) and path.suffix}
    literals = [
        (str(file.relative_to(PACKAGE)), text)
        for file in FILES
        for text in path_texts(file)
        if below.fullmatch(text) or text in names
    ]
    assert {file for file, _ in literals} == {"io/paths.py"}, literals
    declared = re.compile(r"""pa\.schema\(\s*[{\[]\s*\(?f?["']|["']: pa\.\w+\(\)""")
    schemas = {
        str(file.relative_to(PACKAGE)) for file in FILES if declared.search(file.read_text())
    }
    of_the_hub = {"corpus/semantic_filters/data_set.py"}  # files that others made
    assert schemas <= {"io/schemas.py"} | of_the_hub


def calls(file: Path, function: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == function
    ]


def test_every_table_is_made_by_its_schema():
    """No columns but those of io/schemas.py: in parquet by `pa.table`, in CSV by `write_csv`."""
    without = [
        str(file.relative_to(PACKAGE))
        for file in FILES
        for call in calls(file, "pa.table")
        if "schema" not in {keyword.arg for keyword in call.keywords}
    ]
    assert without == ["audit/examine.py"]  # of texts that a user asks about; it is never written
    source = {file: file.read_text() for file in FILES}
    csv = {str(file.relative_to(PACKAGE)) for file in FILES if ".to_csv(" in source[file]}
    assert csv == {"io/files.py"}
    columns = {ast.unparse(call.args[2]) for file in FILES for call in calls(file, "write_csv")}
    names = {column.removeprefix("schemas.") for column in columns}
    assert names - {"[*corpus.manifest]"} <= {*vars(schemas)}


def test_yaml_is_read_in_one_way():
    """DVC's reader stands beside ours in one test, and where comments must survive a write."""
    library = re.compile(r"^\s*(import|from) (yaml|ruamel)\b", re.MULTILINE)
    files = [*FILES, *(ROOT / "benchmarks").glob("*.py"), *(ROOT / "tests").rglob("*.py")]
    users = {file.relative_to(ROOT) for file in files if library.search(file.read_text())}
    assert users == {
        Path("src/guess_or_recall/settings/yaml.py"),
        Path("src/guess_or_recall/settings/profiles.py"),
        Path("tests/unit/test_yaml.py"),
    }


def test_one_word_names_one_class():
    names = [
        node.name
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    assert [name for name in names if names.count(name) > 1] == []


def test_local_names_say_what_a_thing_is():
    vague = {"found", "own", "given", "made", "each", "one", "other"}
    assigned = [
        (str(file.relative_to(ROOT)), node.lineno)
        for file in (*FILES, *TESTS, *(ROOT / "benchmarks").glob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if (isinstance(node, ast.arg) and node.arg in vague)
        or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in vague)
    ]
    assert assigned == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130
