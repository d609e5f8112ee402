"""Group analysis: what the disease does to the brainstem, over a cohort's tables."""
