"""Annealed importance sampling, the path of its chains, and the lower and upper bounds of simulated rows."""
