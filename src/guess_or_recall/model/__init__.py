"""The language model: a GPT-NeoX trained here or one from a folder, and what it can recite."""
