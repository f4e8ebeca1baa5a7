"""What ails a fit, and what to do about it."""
