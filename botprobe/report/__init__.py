"""What the trap saw: weekly numbers, and pages for people."""
