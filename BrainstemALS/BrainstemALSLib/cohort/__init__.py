"""Cohorts: their tables, and the way of many exams through the pipeline."""
