"""From text to 64-token sequences: documents, tokenizer, windows, planted copies, duplicates."""
