"""DINO vision transformers: the network, its preprocessing and the features that are read from it."""
