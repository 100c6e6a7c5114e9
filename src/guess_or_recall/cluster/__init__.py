"""The study as jobs of SLURM."""
