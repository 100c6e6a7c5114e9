"""What text and tokens alone tell about a sequence: a table of columns."""
