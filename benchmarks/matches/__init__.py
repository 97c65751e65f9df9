"""Finding the same spot of two animals of the pocket world, by one kind of feature or another."""
