"""Taxonomies of memorization: their language, the 20 trees, variants and their samples."""
