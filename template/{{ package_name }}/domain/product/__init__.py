"""Products: things with a unique SKU and a price, drafted, sold, and one day retired."""
