"""The stages of the pipeline, one short script each: `python src/run.py STAGE`."""
