"""Figures: arrays and data frames in, matplotlib figures out."""
