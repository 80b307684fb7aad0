"""Delivery: nothing lost, in order, whatever a sink does; against scripted senders, in time that tests turn on."""
