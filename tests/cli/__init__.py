"""Tests of botprobe.cli."""
