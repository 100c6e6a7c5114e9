"""The language model: trained here, of a folder or of the hub; and what it memorizes."""
