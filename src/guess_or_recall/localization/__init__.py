"""Where in the model memorization happens: Δ maps of the CNNs, and ablations of the attention."""
