"""Dense trajectories: points that are followed, and what is seen around them."""
