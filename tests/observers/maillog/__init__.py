"""Tests of the mail-log observer."""
