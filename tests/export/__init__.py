"""Tests of botprobe.export."""
