"""What clients see of a service while its surroundings fail."""
