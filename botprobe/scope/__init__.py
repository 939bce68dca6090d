"""Who may be probed, and how often."""
