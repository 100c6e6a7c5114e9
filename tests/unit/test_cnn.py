"""The CNN: sizes by hand, and the fast way against the plain one."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from guess_or_recall.attention.triangle import pack
from guess_or_recall.classifier.cnn import Architecture, Keeps, derived_seed, initialised
from guess_or_recall.classifier.dropout import draw_keeps, draw_keeps_on_device
from guess_or_recall.classifier.kernels import cpu as fast
from guess_or_recall.classifier.kernels.gpu import Columns, WindowProduct, logits_together, windows
from guess_or_recall.errors import UserError

GRID = [Architecture(kernel, features, "mean") for kernel in (6, 8) for features in (10, 16)]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def cnn_of(architecture, layers=2, classes=3, length=64, seed=1):
    return initialised(architecture, layers, classes, length, 0.5, seed)


def causal(batch, layers, length=64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.tril(torch.rand(batch, layers, length, length, generator=generator))


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


def parameter_gradients(logits, cnns):
    """Gradients of the summed cross-entropy of some CNNs, for all their parameters."""
    labels = torch.tensor([0, 2, 1])
    parameters = [value for cnn in cnns for value in cnn.parameters()]
    losses = torch.stack([F.cross_entropy(part, labels) for part in logits])
    return torch.autograd.grad(losses.sum(), parameters)


@pytest.mark.parametrize(("length", "kernel"), [(7, 3), (8, 4), (5, 1)])
def test_window_product_is_the_convolution_and_its_derivative(length, kernel):
    """Where a window sees only key > query, the convolution gives its bias."""
    generator = torch.Generator().manual_seed(2)
    patterns = causal(2, 3, length).double()
    shapes = (4, 3, kernel, kernel), (4,)
    weight, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in shapes
    )
    packed = pack(patterns)
    product = WindowProduct.apply(packed, weight, bias)
    torch.testing.assert_close(product, F.conv2d(patterns, weight, bias))
    assert len(windows(length, kernel, packed.device).maps) < (length - kernel + 1) ** 2
    assert torch.autograd.gradcheck(
        lambda *parameters: WindowProduct.apply(packed, *parameters), (weight, bias)
    )


@pytest.mark.parametrize(("side", "kernel"), [(6, 3), (5, 5), (4, 1)])
def test_columns_are_unfold_and_its_derivative(side, kernel):
    generator = torch.Generator().manual_seed(2)
    maps = torch.randn(
        2, 3, side, side, generator=generator, dtype=torch.float64, requires_grad=True
    )
    torch.testing.assert_close(Columns.apply(maps, kernel), F.unfold(maps, kernel))
    assert torch.autograd.gradcheck(lambda values: Columns.apply(values, kernel), maps)


@pytest.mark.parametrize(("length", "kernel"), [(9, 3), (7, 4), (11, 1)])
def test_causal_convolution_of_the_cpu_is_differentiated_right(length, kernel):
    generator = torch.Generator().manual_seed(2)
    patterns = causal(2, 3, length).double().contiguous(memory_format=torch.channels_last)
    shapes = (4, 3, kernel, kernel), (4,)
    weight, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in shapes
    )
    convolution = fast.CausalConvolution.apply
    torch.testing.assert_close(
        convolution(patterns, weight, bias), F.conv2d(patterns, weight, bias)
    )
    assert torch.autograd.gradcheck(
        lambda *parameters: convolution(patterns, *parameters), (weight, bias)
    )


@pytest.mark.parametrize("with_dropout", [True, False])
def test_shrink_of_the_cpu_is_differentiated_right(with_dropout):
    generator = torch.Generator().manual_seed(3)
    maps = torch.randn(2, 3, 7, 7, generator=generator, dtype=torch.float64, requires_grad=True)
    keep = torch.rand(2, 3, 6, 6, generator=generator).round().double() if with_dropout else None
    assert torch.autograd.gradcheck(lambda values: fast.shrink(values, keep, 3), maps)


@pytest.mark.parametrize("with_dropout", [True, False])
@pytest.mark.parametrize("length", [20, 33])
def test_logits_together_are_those_of_each_cnn(with_dropout, length):
    """The way of a GPU: CNNs of one kernel share their windows, and each keeps its dropout."""
    cnns = [cnn_of(Architecture(4, n, "mean"), length=length, seed=n).double() for n in (2, 3)]
    patterns, bits = causal(3, 2, length).double(), np.random.SFC64(1)
    keeps = [draw_keeps(bits, cnn, 3, 0.5) if with_dropout else None for cnn in cnns]
    keeps = [keep and Keeps(*(part.double() for part in keep)) for keep in keeps]
    plain = [cnn(patterns, keep) for cnn, keep in zip(cnns, keeps, strict=True)]
    together = logits_together(cnns, pack(patterns), keeps)
    for expected, logits in zip(plain, together, strict=True):
        torch.testing.assert_close(logits, expected)
    pairs = zip(parameter_gradients(plain, cnns), parameter_gradients(together, cnns), strict=True)
    for expected, gradient in pairs:
        assert expected.abs().max() > 0
        torch.testing.assert_close(gradient, expected)


def test_logits_together_are_differentiated_right():
    cnn = cnn_of(Architecture(2, 2, "mean"), length=9).double()
    names = [name for name, _ in cnn.named_parameters()]
    packed = pack(causal(2, 2, 9).double())

    def logits(*values):
        replaced = {f"cnn.{name}": value for name, value in zip(names, values, strict=True)}
        [result] = torch.func.functional_call(Together(cnn), replaced, (packed,))
        return result

    assert torch.autograd.gradcheck(logits, tuple(cnn.parameters()))


class Together(torch.nn.Module):
    """`logits_together` of one CNN as a module, whose parameters can be replaced."""

    def __init__(self, cnn):
        super().__init__()
        self.cnn = cnn

    def forward(self, packed):
        return logits_together([self.cnn], packed, [None])
