"""What docs/gallery.md shows: which images, how each is made, where it is kept, how a sheet of them is drawn."""
