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

from kling_lipsync.sandbox.model import Face as SessionFace
from kling_lipsync.sandbox.model import Order, Session, SpokenAudio, Stretch, Task, Video
from kling_lipsync.sandbox.refusals import Refused, wrong
from kling_lipsync.sandbox.settings import Duplicates, Settings

IDENTIFY_UNITS = Decimal("0.05")
SPEECH_UNITS = Decimal("0.05")
TASK_UNITS = Decimal("0.5")
TASK_UNITS_MS = 5000
"""Kling's prices: a look for faces, a speech, and each started five seconds of a result."""

CHARGES_KEPT = 10_000
"""Charges of an account that are kept one by one."""

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
    """When and how much: looks for faces, speech, and tasks that are no longer kept; old ones are added up."""
    by_external_id: dict[str, list[Task]] = field(factory=dict)
    open: dict[str, float] = field(factory=dict)
    """Who holds a slot, and until when."""
    max_running: int = 0
    created: int = 0
    identify_calls: int = 0
    costs_at: float = -math.inf
    requests: Counter[str] = field(factory=Counter)
    refusals: Counter[int] = field(factory=Counter)

    def running(self, now: float) -> int:
        """Slots held at ``now``; those whose time is over are given back."""
        for holder in [holder for holder, until in self.open.items() if until <= now]:
            del self.open[holder]
        return len(self.open)

    def charge(self, moment: float, units: Decimal) -> None:
        """Writes down what something cost."""
        self.charges.append((moment, units))
        if len(self.charges) > CHARGES_KEPT:
            old, self.charges = self.charges[: CHARGES_KEPT // 2], self.charges[CHARGES_KEPT // 2 :]
            self.charges.insert(0, (old[-1][0], sum((units for _, units in old), Decimal(0))))

    def forget_external_id(self, task: Task) -> None:
        """The task is no longer found under its external id."""
        others = [other for other in self.by_external_id.pop(task.order.external_task_id, []) if other is not task]
        if others:
            self.by_external_id[task.order.external_task_id] = others

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
    requests: Counter[str] = field(factory=Counter, init=False)
    refusals: Counter[int] = field(factory=Counter, init=False)
    leaked_keys: int = field(default=0, init=False)
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
            until = self.clock() + self.settings.identify_seconds / self.settings.speed
            self._hold(account, self.new_id("identify"), until)

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

    def bought(self, account: Account, external_task_id: str) -> Task | None:
        """The task that an order with this external id gets instead of a new one.

        Raises:
            Refused: 1201, where the id is in use and that is refused.
        """
        old = account.by_external_id.get(external_task_id)
        if not old or self.settings.duplicates is Duplicates.ALLOW:
            return None
        if self.settings.duplicates is Duplicates.REFUSE:
            raise wrong(f"external_task_id: {external_task_id} already exists")
        return old[0]

    def start(self, account: Account, order: Order, *, stuck: bool = False) -> Task:
        """A new task, which holds a slot from now on; whoever calls has checked that one is free."""
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
        self._hold(account, task.task_id, task.ends_at)
        self._forget_old_tasks(account, now)
        return task

    def _hold(self, account: Account, holder: str, until: float) -> None:
        now = self.clock()
        account.open[holder] = until
        account.max_running = max(account.max_running, account.running(now))
        self.max_running = max(self.max_running, sum(each.running(now) for each in self.accounts.values()))

    def _task_seconds(self) -> float:
        spread = math.exp(self.settings.task_sigma * self._chance.gauss(0, 1))
        return self.settings.task_seconds * spread / self.settings.speed

    def _forget_old_tasks(self, account: Account, now: float) -> None:
        if len(account.tasks) <= self.settings.keep_tasks:
            return
        ended = next((task for task in account.tasks.values() if task.ends_at <= now), None)
        if ended is not None:
            account.charge(ended.ends_at, ended.units(now))
            del account.tasks[ended.task_id]
            account.forget_external_id(ended)

    def all_tasks(self) -> Iterator[tuple[Account, Task]]:
        """Every task of every account, oldest first within an account."""
        for account in self.accounts.values():
            for task in account.tasks.values():
                yield account, task


def _drop_oldest(kept: dict[K, V], most: int) -> None:
    while len(kept) > most:
        del kept[next(iter(kept))]
