"""Where the object is in an image: ranking of positions by features, and a random walk over the image's colors."""
