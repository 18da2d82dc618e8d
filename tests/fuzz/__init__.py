"""Try inputs by the hundred thousand: whatever comes in, a person gets an answer or a clear error.

``python -m tests.fuzz --count 200000 --seed 1`` runs long; ``test_fuzz.py`` runs shortly.
"""
