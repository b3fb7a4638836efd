"""Measures, each figure beside a floor that is run in the same minute. See README.md here."""
