"""Where in the model memorization happens: Δ maps of the CNNs, ablations of the attention."""
