"""Tests of botprobe.report."""
