"""Is the primary up: health from several signals, shares of the tiers, damping, failback and drill; pure."""
