"""Tests of the loops that run for long."""
