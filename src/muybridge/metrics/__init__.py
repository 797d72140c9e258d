"""Figures of merit, as pure functions of scores and truth."""
