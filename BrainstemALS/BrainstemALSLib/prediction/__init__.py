"""Diagnosis support, stage, prognosis: models as JSON, predictions with intervals and reasons."""
