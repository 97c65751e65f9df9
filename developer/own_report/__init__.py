"""`dev.py report`: transfers between a user's own images on their own machine, as one page for eyes."""
