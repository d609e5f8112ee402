"""Simulated cohorts with a known truth: tables of thousands of people, images of tens."""
