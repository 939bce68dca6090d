"""Passive observers: what logs and captures tell about hosts, without sending a packet."""
