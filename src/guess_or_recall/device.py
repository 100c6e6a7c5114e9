"""Where tensors are computed: one place, for the language model and for the CNNs."""

import torch


def device() -> torch.device:
    """The first GPU, or the CPU where there is none (CUDA_VISIBLE_DEVICES= hides the GPUs)."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
