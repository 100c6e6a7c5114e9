"""From text to sequences: sources, tokenizer, windows, planted copies, duplicates."""
