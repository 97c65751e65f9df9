"""DINO ViTs: loading, features, Splice."""
