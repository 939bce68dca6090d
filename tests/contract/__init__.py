"""Tests of botprobe.contract."""
