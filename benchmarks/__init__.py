"""Measurements. Each module has `main(installation, arguments)` and is run by `python dev.py bench NAME`; report.py
runs them all.
"""
