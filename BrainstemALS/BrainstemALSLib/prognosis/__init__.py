"""Clinical scales of ALS. Stage and risk follow with the models that learn from them."""
