"""params.yaml and the profiles, as checked values."""
