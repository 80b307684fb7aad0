"""What users of other controllers know, replayed on a real API server; and what only happens in a cluster.

Each line is a case, and the test that plays it (``steps`` and so on are the modules ``test_steps`` and so on).

===============================================================  =======================================================
steps of 20 % up to 50 %: 80/20, 60/40, 50/50, never beyond       steps: a_ramp_of_20_to_50_never_goes_beyond
uneven steps: 1, 2, 10, 80 %                                      steps: uneven_steps_are_taken_as_they_are
a single step of 100 % is blue/green                              steps: a_single_step_of_100_is_blue_green
a newer revision at 10 %: 100/0, the next attempt, no evidence    steps: a_newer_revision_begins_anew
the old revision again: straight back, no steps                   steps: the_old_revision_goes_straight_back
two foreign backends in the rule, of weight 1 and 0               steps: foreign_backends_of_the_rule_stay_untouched
filters of every kind, on the rule and on a backend               steps: filters_stay_byte_identical
two rules, of which one is named                                  steps: of_two_rules_only_the_named_one_moves
abort while paused, then retry: the first step again              steps: aborted_while_paused_a_retry_begins_at_the_...
promote in a hold of 24 h, and promote to the end                 steps: promote_goes_on_and_promote_full_to_the_end
inconclusive for ever: neither promoted nor aborted               waiting: what_stays_inconclusive_is_neither_...
two checks, of which one fails: the abort names it                waiting: of_two_checks_the_one_that_fails_is_named
a policy that does not exist yet                                  waiting: a_policy_that_comes_later_makes_the_...
suspended at rest: the status is not written again                waiting: suspending_an_idle_rollout_writes_its_...
a route that is refused, or whose status is old                   waiting: a_route_that_is_not_accepted_is_waited_for
  the same, and a rollback                                        waiting: a_route_that_is_not_accepted_is_rolled_...
  accepted for our parent, refused for another controller's       waiting: what_another_gateway_says_is_nobodys_business
a gate that says 2xx, 403, 500, redirects, or says nothing        waiting: only_a_gate_that_says_2xx_agrees
the route deleted and made again in the middle                    waiting: a_route_that_comes_back_gets_the_intended_...
the Rollout deleted in the middle: restored, or left              waiting: deleted_in_the_middle_it_gives_stable_...
the canary's Service missing: Invalid, nothing moved              waiting: without_the_canarys_service_nothing_moves
steps that go down                                                steps: steps_may_go_down
===============================================================  =======================================================

Beside these: ``lost`` (statuses that get lost or old, in every phase), ``commands`` (each by kubectl, by the API and by
the command line, old ones and two at once), ``workloads`` (what Deployments start, wait for and get), ``grants`` (a
canary in another namespace), ``quiet`` (how many requests all of this costs).
"""
