"""Find what a language model memorizes verbatim, tell guessing from recall, and see where."""
