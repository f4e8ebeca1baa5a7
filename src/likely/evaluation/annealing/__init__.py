"""Annealed importance sampling, the path of its chains, and the bounds that pinch it from both sides."""
