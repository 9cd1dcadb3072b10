"""The host that owns the study, the children that own the devices, and what a person sees of them."""
