"""What can go wrong with stored things, each as one sentence for the person at the command line.

StorageError
    DataError       a data file cannot be read, or says something impossible
    DatabaseError   the database is unreachable, its URL is nonsense, or its schema is not ours
        NothingStored   it has no tables yet
    StudyError      the study is unknown, or exists with another space, data set or setting
    StudyFull       the study has all the trials it was to have
    ArtifactError   an artifact is missing, misnamed, or its store cannot be used
"""


class StorageError(Exception):
    """Anything in storage that the person who asked can put right."""


class DataError(StorageError):
    """A data file is missing, broken, or not one of the layouts that can be read."""


class DatabaseError(StorageError):
    """The database cannot be reached or used under the URL that was given; the password is never shown."""


class NothingStored(DatabaseError):
    """The database holds no study yet, or is not there; only what makes a study makes one."""


class StudyError(StorageError):
    """A study is unknown, or exists already with something else than what was asked for."""


class StudyFull(StudyError):
    """A study has all the trials of its target: another host has claimed the last one."""


class ArtifactError(StorageError):
    """An artifact is missing or misnamed, or the place that keeps the artifacts cannot be used."""
