"""Tests of botprobe.store."""
