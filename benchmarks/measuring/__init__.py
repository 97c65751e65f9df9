"""Time and memory of a piece of work, undisturbed by what the process did before."""
