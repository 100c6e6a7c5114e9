"""Commands beside the pipeline: `python src/run.py COMMAND`."""
