"""One sequence under the current model and CNNs: looked up, examined, and described in words."""
