import pytest

from spaces.facts import DataFacts


@pytest.fixture
def facts() -> DataFacts:
    """Four classes, the first left out of the mean, grey images of 64x128."""
    return DataFacts(channels=1, height=64, width=128, class_names=("sky", "soil", "sand", "rock"), excluded=("sky",))
