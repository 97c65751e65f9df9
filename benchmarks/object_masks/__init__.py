"""Objects of pocket scenes, whole and cropped, and the ways of finding them that are compared."""
