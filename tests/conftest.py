"""What holds for all tests."""

import sys

import pygal  # noqa: F401  # for its import hook

# It leaves an import hook of the old kind behind, which only its map plug-ins need, and over which
# pytest stumbles when it collects the next folder.
sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
