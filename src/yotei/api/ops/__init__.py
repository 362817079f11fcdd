"""What operators and balancers look at."""
