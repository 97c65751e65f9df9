"""The parts of `dev.py bench reliability`: what is done to the pack on purpose, and whether it behaves as promised.

A part is a function `Setting -> Iterator[Result]`, one result per case, in a module of its own; `PARTS` of
benchmarks/reliability.py names it.
"""
