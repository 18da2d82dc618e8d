"""Mixture of experts, parallel groups, uneven exchanges."""
