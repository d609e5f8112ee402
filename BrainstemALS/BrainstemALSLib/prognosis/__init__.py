"""Clinical scales of ALS and published clinical prognosis; models that learn from MRI follow.

Scalars for one visit, arrays for a cohort; numpy at import, scipy only inside functions. ``alsfrs``
ratings, ``kings`` and ``mitos`` stages, ``slope`` of decline, ``d50`` disease course, ``fvc``,
``encals`` survival.
"""
