"""The commands of `gor`: a module each, whose `main` has the arguments as its parameters."""
