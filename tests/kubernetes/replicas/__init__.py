"""Two replicas of `rollout serve`, of which one acts."""
