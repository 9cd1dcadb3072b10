"""Optuna's own database storage, repeated after passing trouble.

What Optuna does in one transaction, and may do again, is repeated as it is. What must not happen twice stands in
`storage.trials.trial_storage`.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial

from storage.database.engine import engine_options, read_url
from storage.database.optuna_schema import FrozenStudy, utc_times_of
from storage.database.retry import RetryPolicy
from storage.trials.idempotency import remove_keys
from storage.trials.trial_times import local_time

# The rest is written out below and in `storage.trials.trial_storage`.
REPEATABLE = (
    "set_study_user_attr",
    "set_study_system_attr",
    "get_study_id_from_name",
    "get_study_name_from_id",
    "get_study_directions",
    "get_study_user_attrs",
    "get_trial_user_attrs",
    "get_trial_param",
    "_set_trial_param",
    "set_trial_intermediate_value",
    "set_trial_user_attr",
    "set_trial_system_attr",
    "get_trial_id_from_study_id_trial_number",
    "_get_best_trial_id",
    "record_heartbeat",
    "_get_stale_trial_ids",
)

_logger = logging.getLogger(__name__)


class RetryingStorage(RDBStorage):
    """RDBStorage with our engine options and retries.

    url: as `storage.database.engine.read_url` takes it.
    skip_table_creation, skip_compatibility_check: as Optuna's. looking: nothing is to be written.
    retry_policy: how long passing trouble is waited for, by every method but the constructor.
    Raises DatabaseError for a URL that names no database of ours, and when passing trouble does not pass; Optuna's
    errors otherwise.
    """

    def __init__(
        self,
        url: str,
        *,
        skip_compatibility_check: bool = False,
        skip_table_creation: bool = False,
        retry_policy: RetryPolicy | None = None,
        looking: bool = False,
    ) -> None:
        self.retry_policy = retry_policy or RetryPolicy()
        try:
            super().__init__(
                read_url(url).render_as_string(hide_password=False),
                engine_kwargs=engine_options(url, self.retry_policy, looking=looking),
                skip_compatibility_check=skip_compatibility_check,
                skip_table_creation=skip_table_creation or looking,
            )
        except BaseException:
            if hasattr(self, "engine"):
                self.engine.dispose()
            raise

    @staticmethod
    def _fill_storage_url_template(template: str) -> str:
        return template  # ours has no placeholders, and a brace in a path or a password is only a brace

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """The study's system attributes, without the idempotency keys."""
        attributes = self.retry_policy.call(functools.partial(super().get_study_system_attrs, study_id))
        remove_keys(attributes)
        return attributes

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        """The trial's system attributes, without the idempotency keys."""
        attributes = self.retry_policy.call(functools.partial(super().get_trial_system_attrs, trial_id))
        remove_keys(attributes)
        return attributes

    def get_all_studies(self) -> list[FrozenStudy]:
        """Every study, without the idempotency keys."""
        studies = self.retry_policy.call(super().get_all_studies)
        for study in studies:
            remove_keys(study.system_attrs)
        return studies

    def _build_frozen_trial_from_trial_model(self, trial: Any) -> FrozenTrial:
        frozen = super()._build_frozen_trial_from_trial_model(trial)
        remove_keys(frozen.system_attrs)
        frozen.datetime_start, frozen.datetime_complete = map(local_time, utc_times_of(trial))
        return frozen


def _patiently(name: str) -> Callable[..., Any]:
    inherited = getattr(RDBStorage, name)

    @functools.wraps(inherited)
    def method(self: RetryingStorage, *args: Any, **kwargs: Any) -> Any:
        return self.retry_policy.call(lambda: inherited(self, *args, **kwargs))

    return method


for _name in REPEATABLE:
    setattr(RetryingStorage, _name, _patiently(_name))
