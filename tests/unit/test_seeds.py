"""No test's weights depend on the tests before it."""

import pytest
import torch

FIRST = []


@pytest.fixture(scope="module")
def of_the_module():
    return torch.rand(3)


@pytest.mark.parametrize("draws", [1, 5, 2])
def test_a_test_begins_with_the_same_draws(draws):
    FIRST.append(torch.rand(1).item())
    torch.rand(draws)
    assert FIRST[-1] == FIRST[0]


def test_a_fixture_of_a_module_is_drawn_from_the_seed(of_the_module):
    assert torch.equal(of_the_module, torch.rand(3, generator=torch.Generator().manual_seed(0)))
