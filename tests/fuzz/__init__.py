"""Coverage-guided fuzzing of all that reads bytes from outside; run by ``scripts/fuzz``."""
