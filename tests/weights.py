"""Folders of weights for the tests."""

import json

import numpy as np
import pytest

from guess_or_recall.errors import UserError
from guess_or_recall.model.pointer import describe

TOKENS = np.random.default_rng(0).integers(3, 50, (3, 24)).astype(np.int32)


def change(folder, **settings):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def refused(folder, **options):
    """The one line with which a folder is refused, before any work."""
    with pytest.raises(UserError) as caught:
        describe("path", folder, "float32", **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)
