"""Where commands ask: the seam, and its two sides."""
