"""The stages of the pipeline: `python src/run.py STAGE` runs one."""
