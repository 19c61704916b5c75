"""The state of the sandbox, driven by a clock: accounts with their sessions, speech, tasks and slots. No I/O."""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from decimal import Decimal
from typing import TypeVar

from attrs import define, field

from kling_lipsync.sandbox.model import Family, Order, Session, SpokenAudio, Stretch, Task, Video
from kling_lipsync.sandbox.model import Face as SessionFace
from kling_lipsync.sandbox.refusals import Refused, wrong
from kling_lipsync.sandbox.settings import Duplicates, ListOrder, Settings

IDENTIFY_UNITS = Decimal("0.05")
SPEECH_UNITS = Decimal("0.05")
TASK_UNITS = Decimal("0.5")
TASK_UNITS_MS = 5000
"""Kling's prices: a look for faces, a speech, and each started five seconds of a result."""

SUBMITTED_SHARE = 0.05
"""The part of a task's time that it spends as submitted."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def task_price(duration_ms: int) -> Decimal:
    """Units for a result of this length."""
    return TASK_UNITS * math.ceil(duration_ms / TASK_UNITS_MS)


@define(kw_only=True)
class Account:
    """One customer: everything here is found by this customer only."""

    name: str
    sessions: dict[str, Session] = field(factory=dict)
    tasks: dict[str, Task] = field(factory=dict)
    audios: dict[str, SpokenAudio] = field(factory=dict)
    charges: list[tuple[float, Decimal]] = field(factory=list)
    """When and how much, of looks for faces and speech; tasks carry their own price."""
    by_external_id: dict[str, list[Task]] = field(factory=dict)
    open: dict[str, float] = field(factory=dict)
    """Who holds a slot, and until when."""
    max_running: int = 0
    created: int = 0
    identify_calls: int = 0

    def running(self, now: float) -> int:
        """Slots held at ``now``; those whose time is over are given back."""
        for holder in [holder for holder, until in self.open.items() if until <= now]:
            del self.open[holder]
        return len(self.open)

    def hold(self, holder: str, until: float, now: float) -> None:
        """Takes a slot until a moment."""
        self.open[holder] = until
        self.max_running = max(self.max_running, self.running(now))

    def bought_twice(self) -> list[str]:
        """External ids that more than one task bears."""
        return sorted(key for key, tasks in self.by_external_id.items() if len(tasks) > 1)

    def units(self, now: float) -> Decimal:
        """Everything charged by ``now``."""
        tasks = sum((task.units(now) for task in self.tasks.values()), Decimal(0))
        return tasks + sum((units for moment, units in self.charges if moment <= now), Decimal(0))


@define
class World:
    """All accounts, and the only source of ids and chance: the same seed and clock give the same world."""

    settings: Settings
    clock: Callable[[], float]
    accounts: dict[str, Account] = field(factory=dict, init=False)
    max_running: int = field(default=0, init=False)
    _chance: random.Random = field(init=False)
    _counts: Counter[str] = field(factory=Counter, init=False)

    @_chance.default
    def _seeded(self) -> random.Random:
        return random.Random(self.settings.seed)  # noqa: S311 - durations and orders, no secrets

    def new_id(self, kind: str) -> str:
        """An id of 18 digits that no other thing has."""
        self._counts[kind] += 1
        digest = hashlib.sha256(f"{self.settings.seed}/{kind}/{self._counts[kind]}".encode()).digest()
        return str(10**17 + int.from_bytes(digest[:8], "big") % (9 * 10**17))

    def account(self, name: str) -> Account:
        """The account of this name, opened on first use."""
        if name not in self.accounts:
            self.accounts[name] = Account(name=name)
            _drop_oldest(self.accounts, self.settings.keep_tasks)
        return self.accounts[name]

    # Sessions

    def begin_identify(self, account: Account) -> None:
        """Counts a look for faces, and takes a slot for it where that is set.

        Raises:
            Refused: 1303 where no slot is free.
        """
        account.identify_calls += 1
        if self.settings.identify_takes_slot:
            self.check_slot(account)
            now = self.clock()
            account.hold(self.new_id("identify"), now + self.settings.identify_seconds / self.settings.speed, now)

    def charge(self, account: Account, units: Decimal) -> None:
        """Writes down what a synchronous call cost."""
        account.charges.append((self.clock(), units))

    def open_session(self, account: Account, video: Video, stretches: tuple[Stretch, ...]) -> Session:
        """A new session over the faces that were found."""
        session_id = self.new_id("session")
        faces = tuple(
            SessionFace(face_id=str(index), stretch=stretch, image=f"{session_id}-{index}.jpg")
            for index, stretch in enumerate(stretches)
        )
        session = Session(session_id=session_id, video=video, faces=faces, created_at=self.clock())
        account.sessions[session_id] = session
        _drop_oldest(account.sessions, self.settings.keep_sessions)
        return session

    def session(self, account: Account, session_id: str) -> Session:
        """The living session of this id.

        Raises:
            Refused: 1201 for an unknown or an expired one.
        """
        session = account.sessions.get(session_id)
        if session is None:
            raise wrong("session_id: session not found")
        if self.clock() >= session.created_at + self.settings.session_lifetime:
            raise wrong("session_id: session has expired")
        return session

    # Speech

    def keep_audio(self, account: Account, audio: SpokenAudio) -> None:
        """Makes a speech known under its id."""
        account.audios[audio.audio_id] = audio
        _drop_oldest(account.audios, self.settings.keep_tasks)

    def audio(self, account: Account, audio_id: str) -> SpokenAudio:
        """The speech of this id.

        Raises:
            Refused: 1201 for an unknown one or one that is too old.
        """
        audio = account.audios.get(audio_id)
        if audio is None:
            raise wrong("audio_id: audio not found")
        if self.clock() >= audio.created_at + self.settings.asset_lifetime:
            raise wrong("audio_id: audio is older than 30 days")
        return audio

    # Tasks

    def check_slot(self, account: Account) -> None:
        """Nothing, where a slot is free.

        Raises:
            Refused: 1303.
        """
        if account.running(self.clock()) >= self.settings.slots:
            raise Refused(1303)

    def buy(self, account: Account, order: Order, *, stuck: bool = False) -> tuple[Task, bool]:
        """The task for an order, and whether it is a new one.

        Raises:
            Refused: 1201 for an external id in use, 1303 where no slot is free.
        """
        old = account.by_external_id.get(order.external_task_id, []) if order.external_task_id else []
        if old and self.settings.duplicates is Duplicates.REFUSE:
            raise wrong(f"external_task_id: {order.external_task_id} already exists")
        if old and self.settings.duplicates is Duplicates.RETURN_OLD:
            return old[0], False
        self.check_slot(account)
        return self._start(account, order, stuck), True

    def _start(self, account: Account, order: Order, stuck: bool) -> Task:
        now = self.clock()
        seconds = self._task_seconds()
        task = Task(
            task_id=self.new_id("task"),
            result_id=self.new_id("result"),
            order=order,
            created_at=now,
            starts_at=now + seconds * SUBMITTED_SHARE,
            ends_at=math.inf if stuck else now + seconds,
            price=task_price(order.video.facts.duration_ms),
        )
        account.tasks[task.task_id] = task
        if order.external_task_id:
            account.by_external_id.setdefault(order.external_task_id, []).append(task)
        account.created += 1
        account.hold(task.task_id, task.ends_at, now)
        self.max_running = max(self.max_running, sum(each.running(now) for each in self.accounts.values()))
        self._forget_old_tasks(account, now)
        return task

    def _task_seconds(self) -> float:
        spread = math.exp(self.settings.task_sigma * self._chance.gauss(0, 1))
        return self.settings.task_seconds * spread / self.settings.speed

    def _forget_old_tasks(self, account: Account, now: float) -> None:
        if len(account.tasks) <= self.settings.keep_tasks:
            return
        ended = next((task for task in account.tasks.values() if task.ends_at <= now), None)
        if ended is not None:
            account.charges.append((ended.ends_at, ended.units(now)))
            del account.tasks[ended.task_id]
            account.by_external_id.pop(ended.order.external_task_id, None)

    def find_task(self, account: Account, family: Family, key: str) -> Task:
        """The task of this id, or of this external id where those are found.

        Raises:
            Refused: 1203.
        """
        task = account.tasks.get(key)
        if task is None and self.settings.find_external_ids:
            task = next(iter(account.by_external_id.get(key, [])), None)
        if task is None or task.order.family is not family:
            raise Refused(1203, "task not found")
        return task

    def page(self, account: Account, family: Family, number: int, size: int) -> list[Task]:
        """One page of the account's tasks, as far as they show yet."""
        shown_until = self.clock() - self.settings.list_delay
        tasks = [
            task
            for task in account.tasks.values()
            if task.order.family is family and task.created_at <= shown_until
        ]
        if self.settings.list_order is ListOrder.NEWEST_FIRST:
            tasks.reverse()
        elif self.settings.list_order is ListOrder.SHUFFLED:
            tasks.sort(key=lambda task: hashlib.sha256(task.task_id.encode()).digest())
        return tasks[(number - 1) * size : number * size]

    def result(self, account: Account, video_id: str) -> Task:
        """The finished task that made this video.

        Raises:
            Refused: 1201 for an unknown one or one that is too old.
        """
        now = self.clock()
        for task in account.tasks.values():
            if task.result_id == video_id and task.units(now):
                if now >= task.ends_at + self.settings.asset_lifetime:
                    raise wrong("video_id: the video is older than 30 days")
                return task
        raise wrong("video_id: video not found")

    def all_tasks(self) -> Iterator[tuple[Account, Task]]:
        """Every task of every account, oldest first within an account."""
        for account in self.accounts.values():
            for task in account.tasks.values():
                yield account, task


def _drop_oldest(kept: dict[K, V], most: int) -> None:
    while len(kept) > most:
        del kept[next(iter(kept))]
