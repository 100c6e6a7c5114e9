"""Attention patterns of the language model: pooled over heads, packed, stored."""
