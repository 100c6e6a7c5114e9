"""The paper's data set `usvsnsp/semantic-filters` as a source of sequences."""
