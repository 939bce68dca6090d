"""Tests of botprobe.scope."""
