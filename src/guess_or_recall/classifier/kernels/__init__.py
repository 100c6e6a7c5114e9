"""The arithmetic of the CNNs by the way that is fastest on a CPU and on a GPU."""
