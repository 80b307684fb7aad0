"""The only door to Envoy: route files in, admin answers out.

``routes`` owns the weights in the user's RDS files, ``health`` and ``measurements`` read the
admin endpoint; ``bootstrap`` hands them to the controller as ports.
"""
