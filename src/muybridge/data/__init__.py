"""Data sets: labelled videos on disk as clips for a network, and a film of our own."""
