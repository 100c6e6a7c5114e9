"""A tiny model that has attention in a part of its layers."""

import torch
from transformers import OlmoHybridConfig, OlmoHybridForCausalLM

KINDS = ["linear_attention", "full_attention", "linear_attention", "full_attention"]
NUMBERS = [1, 3]  # of the layers that have attention


def hybrid(vocabulary: int) -> OlmoHybridForCausalLM:
    """An OLMo hybrid with random weights, in evaluation mode."""
    torch.manual_seed(0)
    config = OlmoHybridConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=16,
        layer_types=KINDS,
        linear_num_key_heads=2,
        linear_num_value_heads=2,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        pad_token_id=0,
        eos_token_id=0,
    )
    return OlmoHybridForCausalLM(config).eval()
