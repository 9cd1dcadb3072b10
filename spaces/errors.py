"""What can be wrong with a recipe or a space, as one sentence for the person who wrote it.

SpaceError (ValueError)
"""


class SpaceError(ValueError):
    """A recipe or a space file says something that the search space does not allow."""
