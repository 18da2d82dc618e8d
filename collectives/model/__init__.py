"""The collectives, schedules and their dependencies, and the proof on real data."""
