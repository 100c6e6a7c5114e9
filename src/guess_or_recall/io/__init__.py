"""Files: atomic writes, tables and their schemas, scratch folders and locks."""
