"""Maximum flows and exact fractions: the room that calls solvers."""
