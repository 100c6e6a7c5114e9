"""The language model: its scores, its training, and what of both is refused."""

import os
import time

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from guess_or_recall.errors import UserError
from guess_or_recall.model.scoring import score
from guess_or_recall.model.training import ModelRecipe, batches, new_model, one_cycle, train_model
from tests.processes import start

RECIPE = ModelRecipe(epochs=250, batch=16, learning_rate=0.01, weight_decay=0.0, seed=3)


@pytest.fixture(scope="module")
def windows():
    return np.random.default_rng(0).integers(1, 50, (24, 64)).astype(np.int32)


@pytest.fixture(scope="module")
def memorizer(windows, tmp_path_factory):
    """A model that has learnt the first 16 windows by heart, and half of the others' suffix."""
    model = new_model(vocabulary=50, layers=2, width=64, heads=4, length=64, seed=1)
    checkpoint = tmp_path_factory.mktemp("none") / "checkpoint"
    train_model(model, windows[:16], RECIPE, torch.device("cpu"), checkpoint)
    return model


def test_scores_equal_greedy_generation(memorizer, windows):
    scores = score(memorizer, windows, 32, batch=10, decode_batch=5)
    prefixes = torch.from_numpy(windows[:, :32].astype(np.int64))
    generated = memorizer.generate(
        prefixes,
        attention_mask=torch.ones_like(prefixes),
        min_length=64,
        max_length=64,
        do_sample=False,
        pad_token_id=0,
    )[:, 32:].numpy()
    assert scores.continuation.tolist() == generated.tolist()
    expected = (generated == windows[:, 32:]).mean(axis=1)
    assert scores.memorization_score.tolist() == expected.tolist()
    assert (scores.memorization_score[:16] == 1).all()
    assert (scores.memorization_score[16:] < 1).all()


def test_perplexities_equal_the_models_own_loss(memorizer, windows):
    scores = score(memorizer, windows, 32, batch=7, decode_batch=7)
    for row in (0, 20):
        tokens = torch.from_numpy(windows[row : row + 1].astype(np.int64))
        prompt_only = tokens.clone()
        prompt_only[:, 32:] = -100
        suffix_only = tokens.clone()
        suffix_only[:, :32] = -100
        for labels, perplexity in [
            (prompt_only, scores.prompt_perplexity),
            (suffix_only, scores.generation_perplexity),
            (tokens, scores.sequence_perplexity),
        ]:
            loss = memorizer(input_ids=tokens, labels=labels).loss
            assert perplexity[row] == pytest.approx(loss.exp().item(), rel=1e-4)


@pytest.mark.parametrize(("prefix", "suffix"), [(50, 50), (32, 16), (3, 9), (1, 1)])
def test_any_lengths_equal_a_naive_version(prefix, suffix):
    """Token after token without a cache; each other row is the model's own continuation."""
    length = prefix + suffix
    model = new_model(vocabulary=50, layers=2, width=32, heads=4, length=length, seed=0).eval()
    tokens = np.random.default_rng(0).integers(1, 50, (6, length)).astype(np.int32)
    greedy = torch.from_numpy(tokens[:, :prefix].astype(np.int64))
    for _ in range(suffix):
        logits = model(input_ids=greedy).logits[:, -1]
        logits[:, 0] = -torch.inf  # end of text
        greedy = torch.cat([greedy, logits.argmax(-1, keepdim=True)], 1)
    tokens[::2] = greedy[::2].numpy()
    scores = score(model, tokens, prefix, batch=4, decode_batch=2)
    assert scores.continuation.tolist() == greedy[:, prefix:].tolist()
    matched = (greedy[:, prefix:].numpy() == tokens[:, prefix:]).mean(1)
    assert scores.memorization_score.tolist() == matched.tolist()
    assert (matched[::2] == 1).all() and (matched[1::2] < 1).all()
    wide = torch.from_numpy(tokens.astype(np.int64))
    chances = model(input_ids=wide).logits[:, :-1].log_softmax(-1)
    losses = -chances.gather(2, wide[:, 1:, None])[..., 0]
    expected = [part.mean(1).exp() for part in losses.split([prefix - 1, suffix], 1)]
    perplexities = scores.prompt_perplexity, scores.generation_perplexity
    for values, naive in zip(perplexities, expected, strict=True):
        np.testing.assert_allclose(values, naive.detach(), rtol=1e-4)  # NaN of no token too


def test_end_of_text_is_never_decoded(windows):
    torch.manual_seed(0)
    model = GPT2LMHeadModel(
        GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=50, eos_token_id=9)
    )
    with torch.no_grad():  # a model that wants to stop everywhere
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.copy_(model.transformer.wte.weight[9] * 50)
    assert model(input_ids=torch.tensor([[1]])).logits.argmax() == 9
    assert 9 not in score(model.eval(), windows, 32, batch=8, decode_batch=8).continuation


def test_tokens_outside_the_vocabulary(memorizer, windows):
    with pytest.raises(UserError, match="run from 1 to 50, the model knows 0 to 49"):
        score(memorizer, np.where(windows == windows[0, 0], 50, windows), 32, 8, 8)


def test_broken_weights_are_said(windows):
    model = new_model(vocabulary=50, layers=1, width=8, heads=2, length=64, seed=0).eval()
    with torch.no_grad():
        head = model.get_output_embeddings()
        assert head is not None
        head.weight.fill_(torch.nan)
    with pytest.raises(UserError, match="not finite"):
        score(model, windows, 32, batch=8, decode_batch=8)


def test_a_diverged_training_is_named(windows, tmp_path):
    model = new_model(vocabulary=50, layers=2, width=64, heads=4, length=64, seed=1)
    recipe = RECIPE._replace(epochs=2, learning_rate=1e30)
    said = r"diverged by step \d+: its loss is (nan|inf): lower model.train.learning_rate = 1e\+30"
    with pytest.raises(UserError, match=said):
        train_model(model, windows, recipe, torch.device("cpu"), tmp_path / "checkpoint")


def test_every_epoch_shows_every_window_once():
    rows = torch.cat(list(batches(rows=12, batch=4, epochs=2, seed=0)))
    assert sorted(rows[:12].tolist()) == sorted(rows[12:].tolist()) == list(range(12))
    assert rows[:12].tolist() != rows[12:].tolist()


def test_one_cycle_rises_and_falls():
    rates = [one_cycle(step, 100, 1.0) for step in range(101)]
    assert rates[0] == pytest.approx(0.04)
    assert rates[30] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.0)
    assert rates.index(max(rates)) == 30


TRAINER = """
import sys, numpy as np, torch
from pathlib import Path
from guess_or_recall.model import training
training.CHECKPOINT_SECONDS = 0.0
torch.set_num_threads(1)
windows = np.random.default_rng(0).integers(1, 50, (24, 64)).astype(np.int32)
model = training.new_model(vocabulary=50, layers=2, width=32, heads=4, length=64, seed=1)
recipe = training.ModelRecipe(epochs=40, batch=8, learning_rate=.01, weight_decay=.1, seed=3)
losses = training.train_model(model, windows, recipe, torch.device("cpu"), Path(sys.argv[1]))
model.half().save_pretrained(sys.argv[2])
np.save(Path(sys.argv[2]) / "losses.npy", losses)
"""


def test_a_killed_training_resumes_to_the_same_bytes(tmp_path):
    script, checkpoint = tmp_path / "trainer.py", tmp_path / "checkpoint"
    script.write_text(TRAINER)
    command = (str(script), str(checkpoint), str(tmp_path / "killed"))
    for _ in range(2):
        seen = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        process = start(tmp_path, command, os.environ)
        while process.ended() is None and not (
            checkpoint.exists() and checkpoint.stat().st_mtime_ns > seen
        ):
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -9
    whole = (str(script), str(tmp_path / "other"), str(tmp_path / "whole"))
    for arguments in (command, whole):
        assert start(tmp_path, arguments, os.environ).wait() == 0
    for name in ("model.safetensors", "losses.npy"):
        killed, whole = (tmp_path / run / name for run in ("killed", "whole"))
        assert killed.read_bytes() == whole.read_bytes()
