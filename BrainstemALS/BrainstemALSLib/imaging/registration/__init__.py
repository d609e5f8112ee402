"""Registration of diffusion and T1."""
