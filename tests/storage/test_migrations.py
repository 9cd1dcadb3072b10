from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from optuna.storages import RDBStorage
from sqlalchemy import Engine, Inspector, create_engine, inspect, text

from storage.database import migrations
from storage.database.engine import engine_options, prepare_folder, read_url
from storage.database.schema import Table
from storage.errors import DatabaseError
from storage.store import Store, open_store
from support.studies import study_row

PLAN = study_row(study="old")
TABLES = ("studies", "datasets", "hosts", "attempts", "epochs", "holdout_looks")
OURS = {f"marsearch_{table}" for table in TABLES}


@pytest.fixture
def bare(store_url: str) -> Iterator[Engine]:
    """An engine on a database without any table, unless `store` came first."""
    prepare_folder(store_url)
    engine = create_engine(read_url(store_url), **engine_options(store_url))
    yield engine
    engine.dispose()


def _differences(engine: Engine) -> list[object]:
    options = {
        "compare_type": True,
        "include_name": lambda name, kind, _parents: kind != "table" or name in OURS,
    }
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), Table.metadata))


def _schema(inspector: Inspector) -> dict[str, object]:
    return {
        table: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)],
            inspector.get_pk_constraint(table),
            sorted(index["name"] or "" for index in inspector.get_indexes(table)),
            sorted(unique["name"] or "" for unique in inspector.get_unique_constraints(table)),
            [key["options"] for key in inspector.get_foreign_keys(table)],
        )
        for table in sorted(OURS)
    }


def test_the_upgraded_schema_is_the_tables_metadata(store: Store) -> None:
    assert set(Table.metadata.tables) == OURS
    assert _differences(store.engine) == []


def test_the_newest_step_is_named_in_a_file_so_that_two_made_side_by_side_conflict() -> None:
    newest = Path(migrations.__file__).parent / "versions" / "NEWEST"
    assert newest.read_text("ascii") == f"{migrations.newest()}\n"


def test_the_comparison_sees_a_difference(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE marsearch_attempts ADD COLUMN extra INTEGER"))
    assert len(_differences(store.engine)) == 1


def test_the_upgrade_makes_what_the_metadata_makes(store: Store, bare: Engine) -> None:
    migrated = _schema(inspect(store.engine))
    with store.engine.begin() as connection:
        Table.metadata.drop_all(connection)
        Table.metadata.create_all(connection)
    assert _schema(inspect(bare)) == migrated


def test_optunas_history_is_untouched(store: Store, store_url: str) -> None:
    storage = RDBStorage(store_url)
    assert storage.get_current_version() == storage.get_head_version()
    storage.engine.dispose()
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM marsearch_version")).scalar_one() == migrations.head()
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() != migrations.head()


def test_opening_again_changes_nothing(store: Store, store_url: str, tmp_path: Path) -> None:
    with store.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO marsearch_hosts"
                " VALUES ('w', 1, 'h', 'm', 1, '1', 'cpu', 1, :now, :now, 'working', '[]', NULL, NULL)"
            ),
            {"now": "2030-01-01 00:00:00"},
        )
    open_store(store_url, str(tmp_path / "artifacts")).close()
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM marsearch_hosts")).scalar_one() == 1


def test_a_database_of_plain_optuna_gets_our_tables(store_url: str, bare: Engine, tmp_path: Path) -> None:
    plain = RDBStorage(read_url(store_url).render_as_string(hide_password=False))
    plain.create_new_study([], "theirs")
    plain.engine.dispose()
    store = open_store(store_url, str(tmp_path / "artifacts"))
    assert _differences(store.engine) == []
    assert [study.study_name for study in store.trials.get_all_studies()] == ["theirs"]
    store.close()


@pytest.mark.parametrize("table", ["marsearch_version", "alembic_version"])
def test_a_newer_schema_is_refused_in_one_sentence(table: str, store: Store, store_url: str, tmp_path: Path) -> None:
    with store.engine.begin() as connection:
        connection.execute(text(f"UPDATE {table} SET version_num = 'from_the_future'"))
    with pytest.raises(DatabaseError, match="was made by") as caught:
        open_store(store_url, str(tmp_path / "artifacts"))
    assert "\n" not in str(caught.value)


def test_an_upgrade_is_all_or_nothing(bare: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with bare.begin() as connection:
        connection.execute(text("CREATE TABLE marsearch_epochs (id INTEGER)"))  # the last one fails
    with bare.connect() as connection:
        if bare.dialect.name == "sqlite":
            connection.execute(text("BEGIN IMMEDIATE"))
        with pytest.raises(Exception, match="already exists"):
            migrations.upgrade(connection)
        connection.rollback()
    assert inspect(bare).get_table_names() == ["marsearch_epochs"]


def test_the_history_can_be_taken_back(bare: Engine) -> None:
    config = migrations._config()
    with bare.begin() as connection:
        migrations.upgrade(connection)
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert OURS.isdisjoint(inspect(bare).get_table_names())
