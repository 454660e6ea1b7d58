"""Pictures of the results, in colours that the colour-blind can tell apart."""
