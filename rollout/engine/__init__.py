"""What happens next: phases, the transition table, steps, guards, weights, and ``decide``."""
