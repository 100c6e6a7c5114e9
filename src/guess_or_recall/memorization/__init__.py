"""What the texts and tokens alone tell about a memorized sequence: ROUGE, templates, code."""
