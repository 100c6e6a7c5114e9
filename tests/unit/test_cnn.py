"""The CNN: sizes by hand, and the fast way against the plain one."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from guess_or_recall.classifier.cnn import Architecture, derived_seed
from guess_or_recall.classifier.dropout import draw_keeps, draw_keeps_on_device
from guess_or_recall.classifier.kernels import cpu as fast
from guess_or_recall.errors import UserError
from tests.cnns import causal, cnn_of

GRID = [Architecture(kernel, features, "mean") for kernel in (6, 8) for features in (10, 16)]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("architecture", "sides", "parameters"),
    [
        # 64 -> 59 -> 29 -> 24 -> 12; 10*(8*36+1) + 10*(10*36+1) + 64*(1440+1) + 3*65
        (Architecture(6, 10, "mean"), (29, 12), 2_890 + 3_610 + 92_224 + 195),
        # 64 -> 57 -> 28 -> 21 -> 10; 16*(8*64+1) + 16*(16*64+1) + 64*(1600+1) + 3*65
        (Architecture(8, 16, "max"), (28, 10), 8_208 + 16_400 + 102_464 + 195),
    ],
)
def test_sizes_by_hand(architecture, sides, parameters):
    cnn = cnn_of(architecture, layers=8)
    assert architecture.sides(64) == sides
    assert sum(value.numel() for value in cnn.parameters()) == parameters
    assert cnn(causal(5, 8)).shape == (5, 3)


def test_name():
    assert Architecture(6, 10, "mean").name == "k6-f10-mean"


def test_kernel_that_leaves_nothing():
    assert Architecture(21, 10, "mean").sides(64) == (22, 1)
    with pytest.raises(UserError, match=r"kernel = 22 leaves nothing.*smaller"):
        Architecture(22, 10, "mean").sides(64)
    assert Architecture(22, 10, "mean").sides(100) == (39, 9)


def test_plain_forward_is_the_published_stack():
    cnn = cnn_of(GRID[0])
    stack = torch.nn.Sequential(
        *(cnn.conv1, torch.nn.ReLU(), torch.nn.MaxPool2d(2)),
        *(cnn.conv2, torch.nn.ReLU(), torch.nn.MaxPool2d(2)),
        *(torch.nn.Flatten(), cnn.linear1, torch.nn.ReLU(), cnn.linear2),
    )
    torch.testing.assert_close(cnn(causal(4, 2)), stack(causal(4, 2)))


def test_dropout_by_hand():
    """Masks in the place of nn.Dropout: after ReLU, before pooling, scaled by 1 / (1 - p)."""
    cnn, patterns = cnn_of(GRID[0]), causal(3, 2)
    keeps = draw_keeps(np.random.SFC64(1), cnn, 3, 0.5)
    assert keeps
    maps = torch.relu(cnn.conv1(patterns))[..., :58, :58] * keeps.first * 2
    maps = torch.relu(cnn.conv2(F.max_pool2d(maps, 2))) * keeps.second * 2
    hidden = torch.relu(cnn.linear1(F.max_pool2d(maps, 2).flatten(1))) * keeps.hidden * 2
    torch.testing.assert_close(cnn(patterns, keeps), cnn.linear2(hidden))


@pytest.mark.parametrize("architecture", [*GRID, Architecture(5, 3, "mean")], ids=lambda a: a.name)
@pytest.mark.parametrize("with_dropout", [True, False])
def test_fast_equals_plain(architecture, with_dropout):
    cnn, patterns = cnn_of(architecture), causal(4, 2)
    keeps = draw_keeps(np.random.SFC64(1), cnn, 4, 0.5) if with_dropout else None
    labels = torch.tensor([0, 1, 2, 1])
    plain, quick = cnn(patterns, keeps), fast.logits(cnn, patterns, keeps)
    torch.testing.assert_close(quick, plain, rtol=1e-5, atol=1e-6)
    expected, measured = (
        torch.autograd.grad(F.cross_entropy(logits, labels), list(cnn.parameters()))
        for logits in (plain, quick)
    )
    for first, second in zip(expected, measured, strict=True):
        assert first.abs().max() > 0
        torch.testing.assert_close(second, first, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("length", [40, 47])
def test_fast_equals_plain_for_other_lengths(length):
    cnn, patterns = cnn_of(Architecture(6, 4, "max"), length=length), causal(2, 2, length)
    torch.testing.assert_close(fast.logits(cnn, patterns), cnn(patterns), rtol=1e-5, atol=1e-6)


def test_fast_shrink_gradient_is_the_derivative():
    generator = torch.Generator().manual_seed(3)
    maps = torch.randn(2, 3, 7, 7, generator=generator, requires_grad=True)
    keep = torch.rand(2, 3, 6, 6, generator=generator).round()
    weights = torch.randn(2, 3, 3, 3, generator=generator)
    gradient = torch.autograd.grad((fast.shrink(maps, keep, 3) * weights).sum(), maps)[0]
    plain = F.max_pool2d(torch.relu(maps)[..., :6, :6] * keep, 2)
    expected = torch.autograd.grad((plain * weights).sum(), maps)[0]
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("dropout", [0.1, 0.5, 0.9])
def test_dropout_rate(dropout):
    keeps = draw_keeps(np.random.SFC64(5), cnn_of(GRID[1]), 8, dropout)
    assert keeps
    for keep in keeps[:2]:
        assert set(keep.unique().tolist()) == {0.0, 1.0}
        error = abs(keep.mean().item() - (1 - dropout))
        assert error < 5 * (dropout * (1 - dropout) / keep.numel()) ** 0.5 + 1 / 32768
    assert [tuple(keep.shape) for keep in keeps] == [(8, 16, 58, 58), (8, 16, 24, 24), (8, 64)]


def test_dropout_masks_are_independent_of_each_other():
    """Neighbours, channels and samples agree in half of the cases."""
    keeps = draw_keeps(np.random.SFC64(5), cnn_of(GRID[1]), 8, 0.5)
    assert keeps
    for dim in range(4):
        agreement = (keeps.first == keeps.first.roll(1, dim)).float().mean().item()
        assert abs(agreement - 0.5) < 0.005


def test_no_dropout_and_torch_generator():
    cnn = cnn_of(GRID[0])
    assert draw_keeps(np.random.SFC64(5), cnn, 8, 0) is None
    assert draw_keeps_on_device(torch.Generator(), cnn, 8, 0) is None
    keeps = draw_keeps_on_device(torch.Generator().manual_seed(1), cnn, 8, 0.25)
    assert keeps and keeps.first.shape == (8, 10, 58, 58)
    assert abs(keeps.first.mean().item() - 0.75) < 0.005


def test_first_weights_depend_on_seed_and_name_only():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, again = cnn_of(GRID[0]), cnn_of(GRID[0])
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.conv1.weight, again.conv1.weight)
    assert not torch.equal(first.conv1.weight, cnn_of(GRID[0], seed=2).conv1.weight)
    larger = cnn_of(Architecture(6, 10, "max"))
    assert not torch.equal(first.conv1.weight, larger.conv1.weight)


def test_derived_seeds_differ():
    seeds = {derived_seed(s, "dropout", n, e) for s in (1, 2) for n in "ab" for e in range(5)}
    assert len(seeds) == 20
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_relus_are_modules_for_hooks():
    cnn = cnn_of(GRID[0])
    seen = []
    for module in cnn.modules():
        if isinstance(module, torch.nn.ReLU):
            module.register_forward_hook(lambda module, inputs, out: seen.append(out.shape))
    cnn(causal(1, 2))
    assert seen == [(1, 10, 59, 59), (1, 10, 24, 24), (1, 64)]
