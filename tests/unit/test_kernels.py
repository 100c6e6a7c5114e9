"""The kernels of the CNN for CPU and GPU: their products and derivatives, without a GPU."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from guess_or_recall.attention.triangle import pack
from guess_or_recall.classifier.cnn import Architecture, Keeps
from guess_or_recall.classifier.dropout import draw_keeps
from guess_or_recall.classifier.kernels import cpu as fast
from guess_or_recall.classifier.kernels.gpu import Columns, WindowProduct, logits_together, windows
from tests.cnns import causal, cnn_of

pytestmark = pytest.mark.usefixtures("one_thread")


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
