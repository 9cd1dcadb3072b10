"""What a search will do in a database, tried and taken back: sessions, tables, rows, signs; and what mends each."""

from __future__ import annotations

import os
import re
import uuid
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, false, insert, inspect, null, select, text
from sqlalchemy import Table as SqlTable

from storage.database.engine import engine_options, read_url, translate_errors
from storage.database.optuna_schema import StudyModel
from storage.database.retry import RetryPolicy
from storage.database.schema import Table
from storage.errors import DatabaseError

ANSWER_S = 10.0  # a person waits for this one
SIGNS = "ü 火星"

_ALL = 'ON ALL TABLES IN SCHEMA public TO "{role}"; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO "{role}"'
_CURES = (
    (r"needs psycopg", "pip install 'marsearch[postgres]'"),
    (r"tables of another program", "set MARSEARCH_STORAGE to a database of its own"),
    (r"permission denied for schema (\S+)", 'GRANT USAGE, CREATE ON SCHEMA {0} TO "{role}"'),
    (r"permission denied for database (\S+)", 'GRANT CONNECT, TEMPORARY ON DATABASE {0} TO "{role}"'),
    (r"permission denied for|must be owner of", f"GRANT ALL {_ALL}"),
    (r'database "(.+?)" does not exist', 'CREATE DATABASE "{0}", or name another in MARSEARCH_STORAGE'),
    (r'role "(.+?)" does not exist', 'CREATE ROLE "{0}" LOGIN, or name another in MARSEARCH_STORAGE'),
    (
        r"password|no pg_hba.conf entry",
        "set PGPASSWORD, or the name and password in MARSEARCH_STORAGE, to the server's",
    ),
    (
        r"read-only transaction",
        "name the server that takes writes: MARSEARCH_STORAGE=...?target_session_attrs=read-write",
    ),
    (
        r"no equivalent in encoding",
        "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0, and name it in MARSEARCH_STORAGE",
    ),
    (
        r"too many (clients|connections)|remaining connection slots",
        "raise max_connections of the server, or use a pooler",
    ),
    (r"has not answered", "start the server, or give its pooler two sessions or more (default_pool_size)"),
    (r"resolve|translate host|name or service", "correct the host's name in MARSEARCH_STORAGE"),
    (
        r"readonly database|cannot be written|unable to open",
        "chmod u+w the file and its folder, or set MARSEARCH_STORAGE",
    ),
    (r"not a database|malformed", "set MARSEARCH_STORAGE to another file, or restore this one"),
    (r"disk is full|no space left|could not extend", "make room on the database's disk"),
)


def cure(url: str, trouble: str) -> str:
    """What mends a trouble with this database: a statement for its owner, a variable, a package; "" for none known."""
    for pattern, mend in _CURES:
        if found := re.search(pattern, trouble, re.IGNORECASE):
            return mend.format(*found.groups(), role=_role(url))
    return ""


def try_out(url: str) -> str:
    """Do what a search does, and take it back; what was found. Raises DatabaseError for what cannot be done.

    url: of a database that answers. An SQLite file that is not there stays so.
    """
    parsed = read_url(url)
    if parsed.drivername.startswith("sqlite") and not Path(parsed.database or "").exists():
        return _may_appear(Path(parsed.database or ""))
    engine = create_engine(parsed, **engine_options(url, RetryPolicy(answer_s=ANSWER_S)))
    try:
        with translate_errors(url), engine.connect() as first:
            _write(first)
            first.rollback()
            return "tables and rows can be written" + _sessions(engine, first)
    finally:
        engine.dispose()


def _may_appear(file: Path) -> str:
    there = next(folder for folder in file.absolute().parents if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise DatabaseError(f"{file} cannot be written: {there} is no folder that lets files be made in it")
    return f"{file} will be made by the first command"


def _write(connection: Connection) -> None:
    """Ask for every right on the tables that are there and write a row, or make a table where there are none."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("BEGIN IMMEDIATE"))  # without which a new table would stay
    there, name = inspect(connection).get_table_names(), f"{SIGNS} {uuid.uuid4().hex}"
    if StudyModel.__tablename__ in there:
        for table in (*StudyModel.metadata.sorted_tables, *Table.metadata.sorted_tables):
            _touch(connection, table)
        connection.execute(insert(StudyModel).values(study_name=name))
    else:
        connection.execute(text("CREATE TABLE marsearch_doctor (name VARCHAR(64))"))
        connection.execute(text("INSERT INTO marsearch_doctor VALUES (:name)"), {"name": name})


def _touch(connection: Connection, table: SqlTable) -> None:
    """Change no row, which the server lets only those do who may change some."""
    connection.execute(insert(table).from_select(table.columns.keys(), select(table).where(false())))
    connection.execute(table.update().where(false()).values({next(iter(table.columns)): null()}))
    connection.execute(table.delete().where(false()))


def _sessions(engine: Engine, first: Connection) -> str:
    """Two sessions at once, as a change of the schema takes, and whether they are a pooler's."""
    if engine.dialect.name == "sqlite":
        return ""
    first.execute(text("SELECT 1"))
    with engine.connect() as second:
        mine = second.execute(text("SELECT pg_backend_pid()")).scalar_one()
        driver = second.connection.dbapi_connection
        pooled = driver is not None and driver.info.backend_pid != mine
    return ", through a pooler" if pooled else ""


def _role(url: str) -> str:
    try:
        return read_url(url).username or os.environ.get("PGUSER") or "ROLE"
    except DatabaseError:
        return "ROLE"
