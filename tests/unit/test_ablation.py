"""Ablation: nothing cut changes nothing; a cut equals what hooks and plain formulas give."""

import copy

import numpy as np
import pytest
import torch
from scipy import stats

from guess_or_recall.errors import UserError
from guess_or_recall.localization.ablation import ablate
from guess_or_recall.localization.cuts import Cut, Regions, cutting, kept, plan
from guess_or_recall.model.interface import attention_modules
from guess_or_recall.model.layers import numbered_modules
from guess_or_recall.model.scoring import score
from guess_or_recall.statistics.agreement import rank_agreement
from guess_or_recall.statistics.intervals import mean_interval
from tests.unit.test_pooling import MODELS

LENGTH = 64
REGIONS = Regions(prefix=32, near=4)
HOWS = ("only-diagonal", "all-but-diagonal", "only-prefix-to-suffix", "all-but-prefix-to-suffix")


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = MODELS[request.param]().eval()
    for parameter in network.parameters():
        parameter.data.normal_(0, 0.2)  # biases too
    return network


@pytest.fixture(scope="module")
def tokens():
    return torch.randint(50, (5, LENGTH), generator=torch.Generator().manual_seed(1))


def logits(model, tokens):
    with torch.no_grad():
        return model(tokens, use_cache=False).logits


def close(first, second):
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)


def test_attention_modules_are_found_in_order(model):
    modules = attention_modules(model)
    assert [module.layer_idx for module in modules] == [0, 1, 2]


def test_ablating_nothing_changes_nothing(model, tokens):
    modules, whole = numbered_modules(model), logits(model, tokens)
    for cut in (Cut("off", ()), Cut("only-diagonal", ())):
        with cutting(model, modules, cut, REGIONS):
            close(logits(model, tokens), whole)
    with cutting(
        model, modules, Cut("all-but-diagonal", (0, 1, 2)), Regions(32, -1)
    ):  # all cells left
        close(logits(model, tokens), whole)


@pytest.mark.parametrize("layers", [(1,), (0, 2)])
def test_off_equals_an_attention_block_whose_output_is_removed(model, tokens, layers):
    """Independent: a copy whose projections of the heads to the block's output are all zero."""
    silent = copy.deepcopy(model)
    for layer in layers:
        module = attention_modules(silent)[layer]
        names = [n for n, _ in module.named_modules() if n in ("dense", "o_proj", "c_proj")]
        assert len(names) == 1
        for parameter in module.get_submodule(names[0]).parameters():
            parameter.data.zero_()
    with cutting(model, numbered_modules(model), Cut("off", layers), REGIONS):
        silenced = logits(model, tokens)
    close(silenced, logits(silent, tokens))
    assert not torch.allclose(silenced, logits(model, tokens), atol=0.1)


@pytest.mark.parametrize("how", HOWS)
def test_a_restriction_equals_the_formula(how, tokens):
    """Llama: the heads' output computed from its own patterns and values, put in by a hook."""
    torch.manual_seed(3)
    model = MODELS["llama-grouped-keys"]().eval()
    model.set_attn_implementation("eager")
    attention = model.model.layers[1].self_attn
    values = []
    handle = attention.v_proj.register_forward_hook(lambda *call: values.append(call[-1]))
    with torch.no_grad():
        pattern = model(tokens, output_attentions=True, use_cache=False).attentions[1]
    handle.remove()
    value = values[0].view(5, LENGTH, 2, 8).repeat_interleave(2, dim=2)  # 2 of 4 heads have keys
    query, key = np.arange(LENGTH)[:, None], np.arange(LENGTH)
    cells = {
        "only-diagonal": abs(query - key) <= 4,
        "only-prefix-to-suffix": (query >= 32) & (key < 32),
    }
    cells |= {name.replace("only", "all-but"): ~mask for name, mask in cells.items()}
    heads = torch.einsum("bhqk,bkhd->bqhd", pattern * torch.from_numpy(cells[how]), value)
    handle = attention.o_proj.register_forward_pre_hook(lambda *_: (heads.reshape(5, LENGTH, 32),))
    expected = logits(model, tokens)
    handle.remove()
    with cutting(model, numbered_modules(model), Cut(how, (1,)), REGIONS):
        close(logits(model, tokens), expected)
    assert not torch.allclose(expected, logits(model, tokens), atol=1e-4)


def test_the_model_is_given_back(model, tokens):
    before = logits(model, tokens)
    ablate(model, tokens.numpy(), [Cut("off", (1,)), Cut("only-diagonal", (2,))], REGIONS, 2)
    assert torch.equal(logits(model, tokens), before)


@pytest.mark.parametrize(("prefix", "length"), [(32, 64), (32, 48), (7, 20)])
def test_measures_are_those_of_the_score_and_of_a_full_pass(model, tokens, prefix, length):
    tokens, regions = tokens[:, :length], Regions(prefix, 4)
    cuts = [Cut("off", (0,)), Cut("off", (2,)), Cut("only-diagonal", (1, 2))]
    outcomes = ablate(model, tokens.numpy(), cuts, regions, batch=2)
    whole = score(model, tokens.numpy(), prefix, 5, 5)
    assert (outcomes.extractable[0] == (whole.memorization_score == 1)).all()
    np.testing.assert_allclose(
        np.exp(outcomes.suffix_loss[0]), whole.generation_perplexity, rtol=1e-3
    )
    np.testing.assert_allclose(
        np.exp(outcomes.sequence_loss[0]), whole.sequence_perplexity, rtol=1e-3
    )
    for row, cut in enumerate(cuts, 1):  # without what `ablate` saves in front of the cut
        with cutting(model, numbered_modules(model), cut, regions):
            all_logits = logits(model, tokens)[:, :-1]
        losses = torch.nn.functional.cross_entropy(
            all_logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
        ).view(5, -1)
        np.testing.assert_allclose(outcomes.sequence_loss[row], losses.mean(1), rtol=1e-3)
        np.testing.assert_allclose(
            outcomes.suffix_loss[row], losses[:, prefix - 1 :].mean(1), rtol=1e-3
        )
    again = ablate(model, tokens.numpy(), cuts, regions, batch=2)
    assert all(
        first.tobytes() == second.tobytes() for first, second in zip(outcomes, again, strict=True)
    )


def test_a_memorized_sequence_is_memorized_no_more():
    torch.manual_seed(0)
    model = MODELS["gpt-neox"]().eval()
    for parameter in model.parameters():
        parameter.data.mul_(4)
    start = torch.randint(1, 50, (1, 32))
    continued = torch.from_numpy(
        score(model, torch.cat([start, start], 1).numpy(), 32, 1, 1).continuation
    )
    tokens = torch.cat([start, continued], 1).numpy()
    outcomes = ablate(model, tokens, [Cut("off", (0, 1, 2))], REGIONS, 1)
    assert outcomes.extractable.tolist() == [[True], [False]]
    assert outcomes.matched[0] == 1 > outcomes.matched[1]
    assert outcomes.suffix_loss[1] > outcomes.suffix_loss[0]


def test_broken_weights_are_refused():
    model = MODELS["gpt-neox"]().eval()
    model.get_output_embeddings().weight.data.fill_(torch.nan)
    with pytest.raises(UserError, match="not finite"):
        ablate(model, np.ones((1, LENGTH), int), [Cut("off", (0,))], REGIONS, 1)


def test_an_architecture_without_attention_is_refused():
    from tests.unit.test_pooling import MambaConfig, MambaForCausalLM

    model = MambaForCausalLM(MambaConfig(vocab_size=50, hidden_size=32, num_hidden_layers=2))
    with pytest.raises(UserError, match="cannot be observed"):
        attention_modules(model)


def test_kept_cells_by_hand():
    assert not kept("off", 5, REGIONS).any()
    near = kept("only-diagonal", 4, Regions(2, 1)).int().tolist()
    assert near == [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]]
    across = kept("only-prefix-to-suffix", 5, Regions(3, 1)).int().tolist()
    assert across == [[0] * 5] * 3 + [[1, 1, 1, 0, 0]] * 2
    for name in ("diagonal", "prefix-to-suffix"):
        left, taken = (kept(f"{which}-{name}", 9, Regions(5, 3)) for which in ("only", "all-but"))
        assert torch.equal(left, ~taken)


def test_plan_lists_every_window_and_as_many_random_layers():
    cuts = plan({"off": [1, 3], "only-diagonal": [1]}, list(range(8)), 5, seed=1)
    assert [cut.layers for cut in cuts[:8]] == [(i,) for i in range(8)]
    windows = [cut for cut in cuts if len(cut.layers) == 3 and not cut.drawn]
    assert [cut.name for cut in windows] == ["0-2", "1-3", "2-4", "3-5", "4-6", "5-7"]
    drawn = [cut for cut in cuts if cut.drawn]
    assert len(drawn) == 5
    for cut in drawn:
        assert len(set(cut.layers)) == 3
        assert cut.name == "+".join(map(str, cut.layers))
    assert [cut.how for cut in cuts[-8:]] == ["only-diagonal"] * 8
    assert plan({"off": [3]}, list(range(8)), 5, seed=1) == plan(
        {"off": [3]}, list(range(8)), 5, seed=1
    )
    assert plan({"off": [3]}, list(range(8)), 5, seed=1) != plan(
        {"off": [3]}, list(range(8)), 5, seed=2
    )


def test_agreement_of_equal_and_of_opposite_profiles():
    random = np.random.default_rng(0)
    layers = np.linspace(0, 1, 12)
    profiles = layers + 0.01 * random.standard_normal((40, 12))
    same = rank_agreement(profiles, np.exp(3 * profiles), 500, 0)
    assert same["spearman"] == 1
    assert same["low"] > 0.9
    opposite = rank_agreement(profiles, -profiles, 500, 0)
    assert opposite["spearman"] == -1
    assert opposite["high"] < -0.9


def test_agreement_equals_scipy_and_its_interval_covers_few_layers():
    random = np.random.default_rng(1)
    profiles, damage = random.random((30, 8)), random.random((20, 8))
    agreement = rank_agreement(profiles, damage, 2000, 0)
    assert agreement["spearman"] == pytest.approx(
        stats.spearmanr(profiles.mean(0), damage.mean(0))[0]
    )
    assert agreement["high"] - agreement["low"] > 0.8  # noise over 8 layers says next to nothing


def test_agreement_of_nothing_is_undefined():
    some = np.random.default_rng(0).random((4, 8))
    assert rank_agreement(np.ones((4, 8)), some, 10, 0) == {}
    assert rank_agreement(some[:, :2], some[:, :2], 10, 0) == {}


def test_interval_of_a_mean():
    values = np.random.default_rng(0).normal(5, 2, (400, 3))
    low, high = mean_interval(values, 4000, 0)
    error = stats.t.ppf(0.975, 399) * values.std(0, ddof=1) / 20
    np.testing.assert_allclose(high - values.mean(0), error, rtol=0.1)
    np.testing.assert_allclose(values.mean(0) - low, error, rtol=0.1)
