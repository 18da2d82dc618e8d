"""From a question to an answer: candidates, plans, bound, bottleneck."""
