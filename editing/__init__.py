"""Editing by direction: banks of sentences, what a text encoder makes of them, and where the difference points."""
