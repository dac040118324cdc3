"""Ids of cells by the hundred thousand, as the 16 bytes that each is: packed by the database and compared by numpy.

Objects of so many ids take longer to make than all that is done with them.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import QuerySet
from numpy.typing import NDArray

Ids = NDArray[np.uint8]

# Bytes of an id.
ID = 16


def pack(ids: Sequence[UUID]) -> Ids:
    """(n, 16) of n ids."""
    return unpacked(b"".join(each.bytes for each in ids))


def unpacked(content: bytes) -> Ids:
    return np.frombuffer(content, dtype=np.uint8).reshape(-1, ID)


def packed(sql: str, parameters: Sequence[Any]) -> bytes:
    """The one column of a select, packed in its order. The select ends with a limit, which keeps it in order."""
    found = one_value(f"SELECT string_agg(uuid_send(rows.id), ''::bytea) FROM ({sql}) AS rows(id)", parameters)
    return bytes(found) if found else b""


def packed_rows(rows: "QuerySet[Any, Any]") -> tuple[Ids, NDArray[np.int64]]:
    """The ids and the whole numbers of a query of two columns, (n, 16) and (n,), in no order."""
    try:
        sql, parameters = rows.query.sql_with_params()
    except EmptyResultSet:
        return unpacked(b""), np.zeros(0, dtype=np.int64)
    found = one_value(
        f"SELECT string_agg(uuid_send(rows.id) || int8send(rows.number), ''::bytea) FROM ({sql}) AS rows(id, number)",
        parameters,
    )
    table = np.frombuffer(bytes(found or b""), dtype=np.uint8).reshape(-1, ID + 8)
    return np.ascontiguousarray(table[:, :ID]), np.ascontiguousarray(table[:, ID:]).view(">i8")[:, 0].astype(np.int64)


def one_value(sql: str, parameters: Sequence[Any]) -> Any:
    """The one value of a select over very many rows."""
    with transaction.atomic(), connection.cursor() as cursor:
        # A hundred thousand rows are to be sorted in memory, and compiling the query takes longer than running it.
        cursor.execute("SET LOCAL work_mem = '64MB'; SET LOCAL jit = off")
        cursor.execute(sql, parameters)
        return cursor.fetchone()[0]


def places(among: Ids, ids: Ids) -> NDArray[np.int64]:
    """(n,) where each of n ids stands among others that are sorted; -1 for one that is not there."""
    if not len(among) or not len(ids):
        return np.full(len(ids), -1, dtype=np.int64)
    heads, tails = _halves(among)
    head, tail = _halves(ids)
    # By the first half: that two random ids share 60 bits does not happen, and one of them would be missed at worst.
    at = np.minimum(np.searchsorted(heads, head), len(heads) - 1)
    found = (heads[at] == head) & (tails[at] == tail)
    return np.where(found, at, -1)


def _halves(ids: Ids) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    numbers = np.ascontiguousarray(ids).view(">u8").astype(np.uint64)
    return numbers[:, 0], numbers[:, 1]
