"""Tests of the passive observers."""
