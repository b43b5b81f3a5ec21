"""Streams inside frameworks for voice agents; each module needs the extra of its name."""
