"""Neural style transfer by optimisation, in JAX."""
