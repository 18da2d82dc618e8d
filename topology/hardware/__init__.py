"""Rows with sources: media, devices, cables, machines; the figures are in data/*.csv."""
