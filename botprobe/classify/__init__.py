"""From facts to verdicts: pure rules over what was measured."""
