"""Failover on a real API server: what names one, or only happens there. The rest is rehearsed (``tests/stories``).

====================================================  ========================================================
all endpoints go in one update: one write, no second  leaving: all_endpoints_at_once_are_one_write
pods ready, and the probe gets 500                    probing: ready_pods_that_answer_500_are_left
35 routes, and 35 Rollouts on one primary             leaving: every_route_of_a_rollout_..., every_rollout_...
the start waits for every cache                       restarts: nothing_moves_before_every_cache_is_synced
a restart in the middle of a failback                 restarts: a_failback_goes_on_where_it_stood
the status is lost while failed over                  restarts: a_status_that_is_lost_...
API server away, half open; leader stopped            blind: all of it
somebody edits another rule meanwhile                 hands: an_edit_of_another_rule_survives
a tool takes the weights back again and again         hands: a_tool_that_takes_the_weights_back_...
accepted, and the gateway does not follow             gateway: a_gateway_that_does_not_follow_is_told_of
separate clusters: backups at the floor               gateway: with_separate_clusters_...
an attempt when the primary or the canary dies        canary: all of it
commands, maintenance, events                         people: all of it
the operator's switch                                 switch: all of it
deleted, or made invalid, while failed over           lives: all of it
====================================================  ========================================================
"""
