"""Settings of params.yaml, changed in places."""

from guess_or_recall.settings.params import parse_params
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from tests.conftest import ROOT

DEFAULT = ROOT / "profiles" / "default.yaml"


def yaml_of(**changes):
    """The text of the default with some dotted keys changed ('samples__train' is samples.train)."""
    content = read_yaml(DEFAULT)
    for key, value in changes.items():
        *sections, last = key.split("__")
        place = content
        for section in sections:
            place = place[section]
        place[last] = value
    return dump_yaml(content)


def params(**changes):
    """The settings of such a text."""
    return parse_params(yaml_of(**changes), "params.yaml")
