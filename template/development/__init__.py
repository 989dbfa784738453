"""Development servers and tools. The image does not contain them."""
