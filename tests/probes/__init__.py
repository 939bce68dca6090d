"""Tests of the probes, against scripted servers on loopback."""
