"""Annealed importance sampling, its schedule, and the bounds that pinch it from both sides."""
