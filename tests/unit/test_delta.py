"""Δ maps: against the paper's formula on all heads, captum, autograd, and by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import GuidedBackprop
from safetensors.torch import save_file
from torch import nn

from guess_or_recall.attention.triangle import pack
from guess_or_recall.classifier.cnn import Architecture, Cnn
from guess_or_recall.classifier.saved import load_cnns
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import write_json
from guess_or_recall.localization.delta import contrast, deltas, positive_share

LAYERS, HEADS, LENGTH, CLASSES = 3, 4, 64, 3


def random_cnn(pooling="mean", seed=0, classes=CLASSES):
    torch.manual_seed(seed)
    return Cnn(Architecture(6, 4, pooling), LAYERS, classes, LENGTH).eval()


@pytest.fixture(scope="module")
def heads():
    """Attention of 5 sequences: eighths, so that means over four heads are exact in float16."""
    generator = torch.Generator().manual_seed(1)
    eighths = torch.randint(1, 9, (5, LAYERS, HEADS, LENGTH, LENGTH), generator=generator) / 8
    return eighths.tril()


def pooled_of(heads):
    both = {"mean": heads.mean(2), "max": heads.amax(2)}
    return {name: pack(values).half().numpy() for name, values in both.items()}


class GuidedRelu(torch.autograd.Function):
    """Guided backpropagation written out: only positive gradients, only where x > 0."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, grad):
        return grad.clamp(min=0) * (ctx.saved_tensors[0] > 0)


def naive_logits(cnn, patterns, relu):
    maps = F.max_pool2d(relu(F.conv2d(patterns, cnn.conv1.weight, cnn.conv1.bias)), 2)
    maps = F.max_pool2d(relu(F.conv2d(maps, cnn.conv2.weight, cnn.conv2.bias)), 2)
    return cnn.linear2(relu(cnn.linear1(maps.flatten(1))))


def naive_delta(cnn, heads, label, relu):
    """The paper's formula for one sequence, on the attention of every head [layers heads q k]."""
    gradients = []
    for t in range(CLASSES):
        leaf = heads.clone().requires_grad_()
        read = leaf.mean(1) if cnn.architecture.pooling == "mean" else leaf.max(1).values
        naive_logits(cnn, read[None], relu)[0, t].backward()
        gradients.append(leaf.grad)
    others = [gradients[t] for t in range(CLASSES) if t != label]
    c = gradients[label] - sum(others) / len(others)
    d = c.clamp(min=0) / c.max()
    return (d * heads).amax(1)


@pytest.mark.parametrize("gradients", ["guided", "plain"])
@pytest.mark.parametrize("poolings", [["mean"], ["max"], ["mean", "max"]])
def test_pooled_attention_gives_the_paper_s_delta_of_all_heads(heads, poolings, gradients):
    cnns = [random_cnn(name, seed) for seed, name in enumerate(poolings)]
    labels = np.array([0, 1, 1, 2, 2], np.int8)
    result = deltas(cnns, pooled_of(heads), labels, gradients, batch=2, quiet=True)
    relu = GuidedRelu.apply if gradients == "guided" else F.relu
    alone = torch.stack(
        [
            torch.stack(
                [naive_delta(cnn, a, int(t), relu) for a, t in zip(heads, labels, strict=True)]
            )
            for cnn in cnns
        ]
    ).detach()
    for label in range(CLASSES):
        expected = alone[:, labels == label].mean((0, 1))
        assert expected.max() > 0.1
        np.testing.assert_allclose(result.maps[label], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(result.profiles, alone.mean((3, 4)), rtol=1e-4, atol=1e-7)


def test_guided_equals_captum(heads):
    cnn, patterns = random_cnn(), heads.mean(2)
    captum = GuidedBackprop(cnn)
    with pytest.warns(UserWarning, match="Setting backward hooks on ReLU"):
        parts = [captum.attribute(patterns.clone().requires_grad_(), t) for t in range(CLASSES)]
    for label in range(CLASSES):
        others = [parts[t] for t in range(CLASSES) if t != label]
        expected = parts[label] - sum(others) / 2
        gradient = contrast(cnn, patterns, label, "guided")
        torch.testing.assert_close(gradient, expected.detach(), rtol=1e-4, atol=1e-7)


def test_plain_equals_autograd(heads):
    cnn, patterns = random_cnn(), heads.mean(2).requires_grad_()
    logits = cnn(patterns)
    expected = torch.autograd.grad((logits[:, 1] - logits[:, [0, 2]].mean(1)).sum(), patterns)[0]
    gradient = contrast(cnn, patterns.detach(), 1, "plain")
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-8)
    assert not torch.allclose(gradient, contrast(cnn, patterns.detach(), 1, "guided"))


def test_hooks_are_gone_afterwards(heads):
    cnn, patterns = random_cnn(), heads.mean(2)
    before = contrast(cnn, patterns, 0, "plain")
    contrast(cnn, patterns, 0, "guided")
    assert torch.equal(contrast(cnn, patterns, 0, "plain"), before)


def tiny_cnn():
    """Two layers, four tokens, kernel 1: logits are h and -h, h the largest A_0 + A_1 / 2."""
    cnn = Cnn(Architecture(1, 1, "max"), 2, 2, length=4).eval()
    for parameter in cnn.parameters():
        nn.init.zeros_(parameter)
    cnn.conv1.weight.data[0, :, 0, 0] = torch.tensor([1.0, 0.5])
    cnn.conv2.weight.data.fill_(1)
    cnn.linear1.weight.data[0] = 1
    cnn.linear2.weight.data[:, 0] = torch.tensor([1.0, -1.0])
    return cnn


@pytest.mark.parametrize("gradients", ["guided", "plain"])
def test_two_layers_by_hand(gradients):
    """C of class 0 is (2, 1) or, guided, (1, 1/2) where A_0 + A_1 / 2 is largest, elsewhere 0."""
    attention = torch.zeros(1, 2, 4, 4)
    attention[0, 0, 2, 1], attention[0, 1, 2, 1] = 0.75, 0.5  # 1: the largest
    attention[0, 0, 3, 0], attention[0, 1, 3, 0] = 0.25, 1.0  # 0.75
    pooled = {name: pack(attention).half().numpy() for name in ("mean", "max")}
    result = deltas([tiny_cnn()], pooled, np.array([0], np.int8), gradients, 1, quiet=True)
    expected = np.zeros((2, 4, 4), np.float32)
    expected[0, 2, 1], expected[1, 2, 1] = 1 * 0.75, 0.5 * 0.5
    np.testing.assert_array_equal(result.maps[0], expected)
    np.testing.assert_allclose(result.profiles[0, 0], [0.75 / 16, 0.25 / 16])


@pytest.mark.parametrize("gradients", ["guided", "plain"])
def test_no_positive_contrast_gives_zero(gradients):
    """Nothing raises the logit -h of class 1 above that of class 0."""
    attention = torch.full((1, 2, 4, 4), 0.5).tril()
    pooled = {name: pack(attention).half().numpy() for name in ("mean", "max")}
    result = deltas([tiny_cnn()], pooled, np.array([1], np.int8), gradients, 1, quiet=True)
    assert not result.maps[1].any()


def test_share_is_of_the_whole_sample():
    c = torch.tensor([[[[4.0, -2.0]], [[1.0, 0.0]]], [[[-1.0, -2.0]], [[-3.0, -4.0]]]])
    expected = torch.tensor([[[[1.0, 0.0]], [[0.25, 0.0]]], [[[0.0, 0.0]], [[0.0, 0.0]]]])
    assert torch.equal(positive_share(c), expected)


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_the_batch_changes_nothing(heads, batch):
    cnns, labels = [random_cnn("max")], np.array([0, 1, 1, 2, 2], np.int8)
    first = deltas(cnns, pooled_of(heads), labels, "guided", batch, quiet=True)
    second = deltas(cnns, pooled_of(heads), labels, "guided", 2, quiet=True)
    np.testing.assert_allclose(first.maps, second.maps, rtol=1e-5, atol=1e-7)
    again = deltas(cnns, pooled_of(heads), labels, "guided", batch, quiet=True)
    assert first.maps.tobytes() == again.maps.tobytes()


@pytest.mark.parametrize("classes", [2, 5])
def test_any_number_of_classes(heads, classes):
    labels = np.arange(5, dtype=np.int8) % classes
    result = deltas(
        [random_cnn(classes=classes)], pooled_of(heads), labels, "guided", 2, quiet=True
    )
    assert result.maps.shape == (classes, LAYERS, LENGTH, LENGTH)
    assert np.isfinite(result.maps).all()


def test_saved_cnns_that_do_not_fit_are_refused(tmp_path):

    cnn = random_cnn()
    save_file(
        {f"a/{name}": value for name, value in cnn.state_dict().items()},
        tmp_path / "cnns.safetensors",
    )
    listed = {"kernel": 6, "features": 4, "pooling": "mean"}
    names = ["x", "y", "z"]
    described = {"grid": {"a": listed}, "classes": names, "length": LENGTH}
    write_json(tmp_path / "cnns.json", described | {"layers": LAYERS})
    [loaded], classes = load_cnns(tmp_path, torch.device("cpu"))
    patterns = torch.rand(2, LAYERS, LENGTH, LENGTH)
    assert torch.equal(loaded(patterns), cnn(patterns))
    assert classes == names
    write_json(tmp_path / "cnns.json", described | {"layers": 7})
    with pytest.raises(UserError, match="the weights of a do not fit"):
        load_cnns(tmp_path, torch.device("cpu"))
