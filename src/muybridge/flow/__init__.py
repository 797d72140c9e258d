"""Optical flow: how far every pixel moves from one frame to the next."""
