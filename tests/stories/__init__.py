"""Stories: rehearsals and the timelines that they must give.

The stories of failover are numbered by the statements that must be true of it. Where each of these is shown (a story
is named by its number; its figures are asserted in ``test_failover_statements``):

== ========================================================= ========================================================
 n statement                                                 where shown
== ========================================================= ========================================================
 1 all endpoints go: one write, in time                      ``failover-01-*``
 2 ready pods that answer 500                                ``failover-02-*``
 3 every request fails; forty are too few                    ``failover-03-*``
 4 two bad probes, then a good one, for ever                 ``failover-04-*``
 5 Prometheus down, slow, empty, NaN                         ``failover-05-*``
 6 the backup is dead too                                    ``failover-06-*``
 7 never all zero, never onto what is not freshly healthy    ``failover-07-*``, ``test_failover_machine``
 8 ordered backups                                           ``failover-08-*``
 9 a rolling update                                          ``failover-09-*``
10 failback ramps, breaks and waits longer                   ``failover-10-*``
11 Propose and manual failback wait for a number             ``failover-11-*``
12 a primary that flaps is latched                           ``failover-12-*``
13 slow caches; a restart in the middle of a failback        ``failover-13-*``
14 nothing from old knowledge                                ``failover-14-*``
15 somebody else writes, too                                 ``failover-15-*`` (weights and conflicts)
16 35 routes, one decision                                   ``failover-16-*``
17 a fleet limit                                             ``test_failover_fleet``
18 the gateway does not follow                               ``failover-18-*``
19 drills                                                    ``failover-19-*``
20 a primary or a canary dies during an attempt              ``failover-20-*``
== ========================================================= ========================================================
"""
