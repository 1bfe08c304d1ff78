"""Opening the store's database: SQLite or PostgreSQL, set up so that what is committed stays."""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)

from twin.common.errors import TwinError
from twin.live.tables import WrongVersion, migrate
from twin.live.watch import Watch

# Seconds to wait for a connection, or for another process that writes.
PATIENCE_S = 10
# PostgreSQL's "disk full"; SQLite says it in words.
_DISK_FULL = "53100"
_DRIVERS = ("sqlite+pysqlite", "postgresql+psycopg")


class StoreError(TwinError, RuntimeError):
    """A failure of the store; nothing was changed."""


class StoreFull(StoreError):
    """A store without room left on its disk."""


class StoreUnusable(StoreError):
    """A store that cannot be opened; the message says what to do."""


def _url(database: str) -> URL:
    if not database.isprintable():
        raise StoreUnusable("the database's name holds characters that no name has")
    try:
        url = make_url(database if "://" in database else f"sqlite:///{database}")
    except ArgumentError:
        raise StoreUnusable(
            "the database must be a file name, sqlite:///FILE or postgresql://HOST/NAME"
        ) from None
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreUnusable(f'"{url.get_backend_name()}": only sqlite and postgresql are known')
    if "+" in url.drivername and url.drivername not in _DRIVERS:
        raise StoreUnusable(f"{url.drivername}: leave the driver out, as in postgresql://HOST/NAME")
    if url.get_backend_name() == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise StoreUnusable("a store in memory would keep nothing: name a file")
        if url.query:
            raise StoreUnusable("a store in a file has no settings: leave out what follows the ?")
    return url


class Database:
    """A database with the store's tables.

    Parameters
    ----------
    database : str
        A file name (SQLite), or a URL of SQLite or PostgreSQL.

    Raises
    ------
    StoreUnusable
        If it cannot be opened; the message holds no password.
    """

    def __init__(self, database: str) -> None:
        url = _url(database)
        # What follows the ? may be a password, too.
        self.name = url.set(query={}).render_as_string(hide_password=True)
        self.is_file = url.get_backend_name() == "sqlite"
        self._path = Path(os.path.realpath(str(url.database))) if self.is_file else None
        self._file: tuple[int, int] | None = None
        self._held: sqlite3.Connection | None = None
        self._session: Connection | None = None
        self._watch = Watch()
        # SQLite has one writer: threads wait for each other here, which is fair and quick.
        self._turn = threading.Lock() if self.is_file else nullcontext()
        try:
            self._engine = self._open(url)
            try:
                self._make_ready()
            except BaseException:
                self.close()
                raise
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise StoreUnusable(f'{error}: pip install "support-desk-twin[live]"') from None
        except WrongVersion as error:
            raise StoreUnusable(f"{self.name}: {error}") from None
        except StoreUnusable:
            raise
        except (StoreError, SQLAlchemyError, OSError) as error:
            raise StoreUnusable(f"{self.name}: {_reason(error)}") from None

    def _open(self, url: URL) -> Engine:
        # Errors must not show tickets, so they hide what was to be stored.
        common: dict[str, Any] = {"hide_parameters": True, "pool_timeout": PATIENCE_S}
        if not self.is_file:
            engine = create_engine(
                url,
                pool_size=8,
                max_overflow=24,
                pool_pre_ping=True,
                connect_args={"connect_timeout": PATIENCE_S},
                **common,
            )
            return engine
        path = self._path
        assert path is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        # Other users of this machine may not read what customers write.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        engine = create_engine(
            url, pool_size=8, max_overflow=64, connect_args={"timeout": PATIENCE_S}, **common
        )
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _make_ready(self) -> None:
        with self.writing() as connection:
            migrate(connection)
        if self.is_file:
            # Only once the file is known to be a store: this setting is written into it.
            raw = self._engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA journal_mode=WAL").close()
            finally:
                raw.close()
            self._file = self._identity()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the store.

        Raises
        ------
        StoreError
            If the database fails.
        """
        self._see()
        with _plain_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: on leaving, all of it is on the disk, or with an error none of it.

        Raises
        ------
        StoreFull, StoreError
            If the database fails.
        """
        self._see()
        with _plain_errors(), self._turn, self._engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                yield connection
        self._see()

    def _see(self) -> None:
        """See that a file is still where it was opened: what is written to a removed one is lost.

        Raises
        ------
        StoreError
        """
        if self._file is not None and self._identity() != self._file:
            raise StoreError("the store's file was removed or replaced: put it back")

    def _identity(self) -> tuple[int, int] | None:
        assert self._path is not None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def clock(self) -> float:
        """The present moment by the clock that leases go by, whoever sets this machine's.

        It is PostgreSQL's own where several desks share the database, and a watch where a file is
        this desk's alone; seconds since 1970.
        """
        if self.is_file:
            return self._watch.now()
        with self.reading() as connection:
            moment = func.extract("epoch", func.clock_timestamp())
            return float(connection.execute(select(moment)).scalar_one())

    def hold(self, what: str = "") -> bool:
        """Keep a file for this desk alone until `close`; False for a database that is no file.

        Who only reads or adds, as exports and imports do, needs not hold it.

        Parameters
        ----------
        what : str, optional
            A part of the work on the store, which is held apart from all others; of PostgreSQL,
            too, as long as the connection lasts.

        Raises
        ------
        StoreUnusable
            If another desk holds it.
        """
        if self._path is None:
            if what:
                self._hold_session(what)
            return False
        if self._held is not None:
            return True
        # A lock that ends with the process, however that ends, on every system: that of SQLite, on
        # an empty file of its own.
        ending = f".{what}.lock" if what else ".lock"
        beside = self._path.with_name(f"{self._path.name}{ending}")
        try:
            held = sqlite3.connect(beside, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                held.execute("BEGIN EXCLUSIVE")
            except BaseException:
                held.close()
                raise
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
                raise StoreUnusable(f"{beside}: {_reason(error)}") from None
            raise StoreUnusable(
                f"{self.name}: another desk runs on this store; stop that one, name another store, "
                "or use PostgreSQL, which several desks may share"
            ) from None
        self._held = held
        return True

    def _hold_session(self, what: str) -> None:
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        taken = select(func.pg_try_advisory_lock(_lock_number(what)))
        if not session.execute(taken).scalar_one():
            session.close()
            raise StoreUnusable(f"{self.name}: another process does this work ({what}) already")
        self._session = session

    @contextmanager
    def claiming(self, what: str, row: int) -> Iterator[bool]:
        """A claim on work on a row while the context lasts; False if another process has it.

        A file is one desk's alone, so there it is always True: threads keep apart by themselves.
        PostgreSQL ends a claim with its connection, so one of a process that died is free again.

        Raises
        ------
        StoreError
            If the database fails before the claim is made.
        """
        if self.is_file:
            yield True
            return
        number = _lock_number(f"{what} {row}")
        with _plain_errors():
            session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            taken = bool(session.execute(select(func.pg_try_advisory_lock(number))).scalar_one())
        try:
            yield taken
        finally:
            try:
                if taken:
                    session.execute(select(func.pg_advisory_unlock(number)))
                session.close()
            except SQLAlchemyError:
                # The connection is gone, and with it the claim.
                session.invalidate()
                session.close()

    def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            self._session.close()
        self._engine.dispose()
        if self._held is not None:
            self._held.close()


def _lock_number(what: str) -> int:
    """Number by which PostgreSQL knows a lock."""
    return int.from_bytes(hashlib.sha256(what.encode()).digest()[:7])


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # Transactions begin where we say so, not where the driver thinks so.
    connection.isolation_level = None
    for setting in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {setting}")
    # Its own knows the capitals of English only.
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and then writes could fail half-way without IMMEDIATE.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _is_full(error: BaseException) -> bool:
    cause = getattr(error, "orig", error)
    words = "database or disk is full" in str(cause)
    return words or getattr(cause, "sqlstate", None) == _DISK_FULL or _no_space(cause)


def _no_space(error: Any) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Errors of the database as ours; those of a constraint go through, the store reads them."""
    try:
        yield
    except IntegrityError:
        raise
    except (SQLAlchemyError, OSError) as error:
        if _is_full(error):
            raise StoreFull("the store's disk is full") from None
        raise StoreError(_reason(error)) from None


def _reason(error: BaseException) -> str:
    """The reason: the first line of the driver's message, before its SQL and values."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return (str(cause).strip() or type(cause).__name__).splitlines()[0]
