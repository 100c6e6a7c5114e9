"""The copy of a training's curves in wandb."""
