"""Statistics of products: how many have each status, counted from their events."""
