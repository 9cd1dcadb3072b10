"""What was tried, and on what: data sets, studies, runs, workers and artifacts. Never torch.

Nothing is imported here, so that ``import storage`` costs nothing: take what you need from its module.
"""
