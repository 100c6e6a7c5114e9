"""Figures and tables, and the copy of the curves in wandb."""
