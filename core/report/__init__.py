"""Drawings and pages that open anywhere."""
