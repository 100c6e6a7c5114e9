"""Sweeps: many variants of one study, as DVC experiments."""
