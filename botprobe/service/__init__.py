"""Loops that run for long: a batch of hosts, a watch over mailboxes."""
