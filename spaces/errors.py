"""What can be wrong with a recipe or a space, as one sentence for the person who wrote it.

SpaceError (ValueError)
  OtherClasses    a recipe was made for other classes than the data has
"""


class SpaceError(ValueError):
    """A recipe or a space file says something that the search space does not allow."""


class OtherClasses(SpaceError):
    """A recipe names classes that the data does not have."""
