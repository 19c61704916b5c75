"""The file's format: its tables, and the steps from each version of the format to the next.

Money is in whole millionths of a unit. A job is ``open`` where a task of it runs or may run; ``owner`` is who has
claimed it, for as long as that owner lives; ``paused`` says that a run has left it there; ``job`` is all of it, for a
service that goes on with it by itself; ``intents`` are the external ids of all tasks that were ever to be bought;
``news`` are ids of tasks that one process was called back about, for the others. What an account has learnt of a job
may not hold for the next: events up to ``account_since`` were written under earlier ones. ``tally`` is kept by
triggers, in the transaction of whatever changes a job, so the ceiling on slots and the budget are checked without a
look at every job.
"""

from __future__ import annotations

APPLICATION_ID = 0x4B4C_534A
"""Marks the file as ours in SQLite's header (``KLSJ``)."""

FIRST_FORMAT = (
    """
    create table meta (
        id integer primary key check (id = 1),
        journal_id text not null,
        account text,
        account_since integer not null default 0
    )
    """,
    """
    create table jobs (
        position integer primary key,
        key text not null unique,
        settings text not null,
        attempt integer not null default 1,
        version integer not null default 0,
        status text not null default 'not_started',
        holds_slot integer not null default 0 check (holds_slot in (0, 1)),
        reserved integer not null default 0,
        spent integer not null default 0,
        outcome text,
        owner text,
        paused integer not null default 0,
        job text,
        open integer as (holds_slot or reserved > 0 or status in ('running', 'in_doubt'))
    )
    """,
    "create index open_jobs on jobs (position) where open",
    "create index kept_jobs on jobs (position) where job is not null",
    """
    create table events (
        seq integer primary key autoincrement,
        job integer not null references jobs (position),
        version integer not null,
        attempt integer not null,
        at real not null,
        kind text not null,
        facts text not null,
        unique (job, version)
    )
    """,
    """
    create table intents (
        external_task_id text primary key,
        job integer not null references jobs (position)
    ) without rowid
    """,
    """
    create table news (
        seq integer primary key autoincrement,
        task_id text not null
    )
    """,
    """
    create table sessions (
        video text primary key,
        session text not null,
        made_at real not null
    ) without rowid
    """,
    """
    create table tally (
        status text primary key,
        jobs integer not null,
        slots integer not null,
        spent integer not null,
        reserved integer not null
    ) without rowid
    """,
    """
    create trigger job_added after insert on jobs begin
        insert into tally values (new.status, 1, new.holds_slot, new.spent, new.reserved)
        on conflict (status) do update set
            jobs = jobs + 1, slots = slots + excluded.slots,
            spent = spent + excluded.spent, reserved = reserved + excluded.reserved;
    end
    """,
    """
    create trigger job_changed after update of status, holds_slot, spent, reserved on jobs
    when (old.status, old.holds_slot, old.spent, old.reserved)
        is not (new.status, new.holds_slot, new.spent, new.reserved)
    begin
        update tally set
            jobs = jobs - 1, slots = slots - old.holds_slot,
            spent = spent - old.spent, reserved = reserved - old.reserved
        where status = old.status;
        insert into tally values (new.status, 1, new.holds_slot, new.spent, new.reserved)
        on conflict (status) do update set
            jobs = jobs + 1, slots = slots + excluded.slots,
            spent = spent + excluded.spent, reserved = reserved + excluded.reserved;
    end
    """,
)

STEPS = (FIRST_FORMAT,)
"""``STEPS[n]`` brings a file of format ``n`` to format ``n + 1``; format 0 is an empty file."""

FORMAT = len(STEPS)
"""The format that this version of the package reads and writes (SQLite's ``user_version``)."""
