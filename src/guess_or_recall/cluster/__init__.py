"""The study as a chain of SLURM jobs."""
