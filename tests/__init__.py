"""Tests of botprobe; the folders mirror the package."""
