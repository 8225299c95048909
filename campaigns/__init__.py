"""Why, to whom and when a shop writes, and whether it worked."""
