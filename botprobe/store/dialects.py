"""What SQLite and PostgreSQL say with different words; all other statements are the same."""

import re
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    String,
    case,
    cast,
    func,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

Number = BigInteger().with_variant(Integer(), "sqlite")
"""Of rows that may be more than two thousand million; SQLite's own kind counts as far."""


def words(length: int) -> TypeEngine[str]:
    """Return the type of a text that is ordered by its bytes in every database."""
    ordered = postgresql.VARCHAR(length, collation="C")
    return String(length).with_variant(ordered, "postgresql")


_UNKEPT = re.compile("[\0\ud800-\udfff]")


def kept_text(text: str | None) -> str | None:
    """Return a text that every database takes: NUL and half characters are replaced."""
    return None if text is None else _UNKEPT.sub("\N{REPLACEMENT CHARACTER}", text)


def upsert(connection: Connection, table: Any) -> Any:
    """Return an ``insert`` that knows ``ON CONFLICT``."""
    return (postgresql if is_postgres(connection) else sqlite).insert(table)


def smaller(one: Any, other: Any) -> ColumnElement[Any]:
    """Return the smaller of two values that are not NULL."""
    return case((one < other, one), else_=other)


def larger(one: Any, other: Any) -> ColumnElement[Any]:
    """Return the larger of two values that are not NULL."""
    return case((one > other, one), else_=other)


def whole(connection: Connection, number: Any) -> ColumnElement[int]:
    """Cut the fraction off; PostgreSQL's cast would round."""
    return cast(func.trunc(number) if is_postgres(connection) else number, Integer)


def of_largest(connection: Connection, column: Column[Any], rank: Any) -> ColumnElement[Any]:
    """Return a column of that row of a group which has the largest rank.

    SQLite takes bare columns from the row that has the maximum (its documentation of SELECT,
    "Bare columns in an aggregate query"), if ``max(rank)`` is selected beside them; a window
    function takes three times as long.
    """
    if not is_postgres(connection):
        return column
    in_order = postgresql.aggregate_order_by(column, rank.desc())
    return func.array_agg(in_order, type_=postgresql.ARRAY(column.type))[1]


def is_postgres(connection: Connection) -> bool:
    """Say which of the two databases it is."""
    return connection.dialect.name == "postgresql"
