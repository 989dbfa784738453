"""What clients see of a service while its environment fails."""
