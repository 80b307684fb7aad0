"""Stories: rehearsals and the timelines that they must give.

The stories of failover are numbered by the statements that must be true of it: their files begin with ``failover-`` and
the number, their figures are asserted in ``test_failover_statements``. Where each statement is shown:

== ==================================================== ==================================== ===========================
 n statement                                            rehearsal                            real API server, in
                                                                                             ``tests/kubernetes/failover``
== ==================================================== ==================================== ===========================
 1 all endpoints go: one write, in time                 ``failover-01-*``                    ``test_leaving``
 2 ready pods that answer 500                           ``failover-02-*``                    ``test_probing``
 3 every request fails; forty are too few               ``failover-03-*``
 4 two bad probes, then a good one, for ever            ``failover-04-*``
 5 Prometheus down, slow, empty, NaN                    ``failover-05-*``
 6 the backup is dead too                               ``failover-06-*``                    ``test_leaving``
 7 never all zero, never onto what is not freshly well  ``failover-07-*``,
                                                        ``test_failover_machine``
 8 ordered backups                                      ``failover-08-*``
 9 a rolling update                                     ``failover-09-*``
10 failback ramps, breaks and waits longer              ``failover-10-*``                    ``test_canary``
11 Propose and manual failback wait for a number        ``failover-11-*``                    ``test_people``
12 a primary that flaps is latched                      ``failover-12-*``
13 slow caches; a restart in the middle of a failback   ``failover-13-*``                    ``test_restarts``
14 nothing from old knowledge                           ``failover-14-*``                    ``test_blind``
15 somebody else writes, too (the rehearsal: weights)   ``failover-15-*``                    ``test_hands``
16 35 routes, one decision                              ``failover-16-*``                    ``test_leaving``
17 a fleet limit (many Rollouts: over fakes)            ``test_failover_fleet``
18 the gateway does not follow                          ``failover-18-*``                    ``test_gateway``
19 drills                                               ``failover-19-*``
20 a primary or a canary dies during an attempt         ``failover-20-*``                    ``test_canary``
== ==================================================== ==================================== ===========================
"""
