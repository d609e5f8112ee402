"""A network that reads painted images of simulated people: a comparator, never a product."""
