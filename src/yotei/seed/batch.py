"""Events, their attendees and their rooms: one batch is a pure function of the plan and its number.

So batches can be made in another process, and equal plans give equal bytes. Rows are written in COPY's text format.

Times are whole minutes counted from the first day of a table of days (`_Clock`): rows then cost list look-ups and
additions instead of date arithmetic. Every event that has a time of day begins and ends between 8:00 and 20:00 by its
own clock; no zone in `ZONES` changes its offset in these hours.

Rooms cannot be booked twice by construction: the week of a room is cut into cells of two hours, each booking is given a
cell of its own, and stays inside of it with set-up and tear-down. A part of the rooms is for weekly series (a cell is a
weekday and an hour, the whole year through), the rest for single events (a cell is a day and an hour).
"""

import hashlib
import math
from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from yotei.seed.directory import Calendar, Directory, Room, directory, uuid7_hex
from yotei.seed.plan import BATCH_EVENTS, SeedPlan
from yotei.seed.words import ALL_DAY, LOCAL_MEETINGS, MEETINGS, NOTES, PRIVATE, ROUTINES, ZONES

DAYS_BEFORE: Final = 270
DAYS_AFTER: Final = 95
"""First instances lie in the year from `DAYS_BEFORE` before to `DAYS_AFTER` after the day of the plan."""
ROOM_HORIZON_DAYS: Final = 180
"""Series without an end hold their room for this long after the day of the plan."""

# Half of all events repeat; of these, as Apple's simulator has it, 40 % weekly, 20 % daily, 20 % on workdays, the rest
# otherwise, and 43 % have no end. But nobody keeps more than a few of them: beyond ENDLESS_PER_CALENDAR they end.
RECURRING_SHARE: Final = 0.5
ENDLESS_SHARE: Final = 0.43
ENDLESS_PER_CALENDAR: Final = 8
# Guests: 15 % of events have none, 40 % are small (geometric, mean 3.38, a real installation), 45 % are large
# (log-normal with mode 6, median 8, at most 60, Apple's simulator). All-day and private events have none: 5 in all.
ALONE_SHARE: Final = 0.15
SMALL_SHARE: Final = 0.40
GUESTS_MAX: Final = 60
OUTSIDER_SHARE: Final = 0.03

OVERRIDDEN_SHARE: Final = 0.15
ROOM_SHARE: Final = 0.3
SERIES_ROOM_SHARE: Final = 0.25

_SLOTS: Final = (480, 600, 720, 840, 960)
_SLOT_MINUTES: Final = 120
_DURATIONS: Final = (15, 30, 30, 30, 45, 60, 60, 60, 120)
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_NULL: Final = "\\N"
_DAY: Final = 1440

EVENT_COLUMNS: Final = (
    *("id", "calendar_id", "organizer_id", "uid", "sequence", "title", "description", "location", "url"),
    *("start_time", "end_time", "span_end", "tzid", "all_day", "floating", "rrule", "exdates"),
    *(
        "series_id",
        "recurrence_id",
        "this_and_future",
        "status",
        "transparency",
        "visibility",
        "created_at",
        "updated_at",
    ),
)
ATTENDEE_COLUMNS: Final = (
    *("event_id", "start_time", "span_end", "created_at"),
    *("response_status", "responded_at", "is_optional", "email", "user_id", "name"),
)
RESERVATION_COLUMNS: Final = (
    *("id", "resource_id", "unit", "event_id", "recurrence_id", "start_time", "end_time", "blocked", "created_at"),
)


class Batch(NamedTuple):
    """Rows in COPY's text format, how many, and the SHA-256 of each table's."""

    events: bytes
    attendees: bytes
    reservations: bytes
    totals: tuple[int, int, int]
    digests: tuple[bytes, bytes, bytes]


def make_batch(plan: SeedPlan, number: int) -> Batch:
    """Batch `number` of `plan.batch_count`; its `BATCH_EVENTS` rows of events, fewer in the last."""
    making = _Making(plan, number)
    rows = min(BATCH_EVENTS, plan.events - number * BATCH_EVENTS)
    while len(making.events) < rows:
        making.add(rows - len(making.events))
    events, attendees, reservations = (
        "".join(lines).encode() for lines in (making.events, making.attendees, making.reservations)
    )
    return Batch(
        events,
        attendees,
        reservations,
        (len(making.events), making.attendee_count, len(making.reservations)),
        (_digest(events), _digest(attendees), _digest(reservations)),
    )


def _digest(rows: bytes) -> bytes:
    return hashlib.sha256(rows).digest()


class _Clock:
    """Minutes since the start of `first_day` in UTC, and how they are written."""

    def __init__(self, around: date) -> None:
        self.first_day = around - timedelta(days=DAYS_BEFORE + 60)
        self.start = 60
        self.days = DAYS_BEFORE + DAYS_AFTER
        self.today = DAYS_BEFORE + 60
        length = self.start + self.days + 500
        dates = [self.first_day + timedelta(days=n) for n in range(length)]
        self.dates = dates
        self.weekdays = [day.weekday() for day in dates]
        self.workdays = [n for n in range(self.start, self.start + self.days) if self.weekdays[n] < 5]
        self._day_texts = [f"{day:%Y-%m-%d} " for day in dates]
        self._minute_texts = [f"{n // 60:02}:{n % 60:02}:00+00" for n in range(_DAY)]
        self._offsets = [
            [_offset_minutes(datetime(day.year, day.month, day.day, 12, tzinfo=zone)) for day in dates]
            for zone in map(ZoneInfo, ZONES)
        ]
        self.epoch_ms = int(datetime.combine(self.first_day, datetime.min.time(), tzinfo=UTC).timestamp() * 1000)

    def utc(self, zone: int, day: int, wall_minute: int) -> int:
        """The minute at which clocks in the zone show this; zone -1 is the wall clock itself."""
        minute = day * _DAY + wall_minute
        return minute if zone < 0 else minute - self._offsets[zone][day]

    def text(self, minute: int) -> str:
        return self._day_texts[minute // _DAY] + self._minute_texts[minute % _DAY]

    def until(self, minute: int, all_day: bool, floating: bool) -> str:
        """As UNTIL of RFC 5545, section 3.3.10, writes it for each form of DTSTART."""
        day = f"{self.dates[minute // _DAY]:%Y%m%d}"
        if all_day:
            return day
        return f"{day}T{minute % _DAY // 60:02}{minute % 60:02}00{'' if floating else 'Z'}"


def _offset_minutes(moment: datetime) -> int:
    offset = moment.utcoffset()
    return int(offset.total_seconds()) // 60 if offset else 0


class _Tables:
    """What all batches of a plan draw from; made once in a process."""

    def __init__(self, plan: SeedPlan) -> None:
        rng = Random(f"{plan.seed}/tables")  # noqa: S311
        self.clock = _Clock(plan.around)
        self.directory: Directory = directory(plan)
        people = self.directory.people
        # Sizes of calendars follow Zipf's law with a flat top (Mandelbrot), so that none is unlike a real one.
        flat = max(20.0, 0.003 * plan.calendar_count)
        weights = [1 / (place + 1 + flat) for place in range(plan.calendar_count)]
        self.calendar_sums = list(accumulate(weights))
        rows = plan.events / self.calendar_sums[-1]
        self.endless_shares = [
            min(ENDLESS_SHARE, ENDLESS_PER_CALENDAR / (RECURRING_SHARE * rows * one + 1)) for one in weights
        ]
        self.guest_counts = [min(_guest_count(rng), GUESTS_MAX, len(people)) for _ in range(8192)]
        # Answers: a log-normal delay with a median of half an hour; a fifth never come.
        self.answers = [_answer(rng) for _ in range(8192)]
        self.tails = [f"\t{one.email}\t{one.id}\t{_NULL}\n" for one in people] * 2
        self.outsiders = [
            f"\tguest{n}@{('partner', 'supplier', 'client')[n % 3]}.example\t{_NULL}\tGuest {n}\n" for n in range(500)
        ]
        bookable = self.directory.rooms
        series_rooms = len(bookable) // 4 if len(bookable) > 3 else 0
        self.series_rooms = [room for room in bookable if room.units == 1][:series_rooms]
        kept = {room.id for room in self.series_rooms}
        self.single_rooms = [room for room in bookable if room.id not in kept]
        self.titles = [(*LOCAL_MEETINGS.get(zone, ()),) * 4 + MEETINGS for zone in ZONES]


def _guest_count(rng: Random) -> int:
    draw = rng.random()
    if draw < ALONE_SHARE:
        return 0
    if draw < ALONE_SHARE + SMALL_SHARE:
        return 1 + int(math.log(1 - rng.random()) / math.log(1 - 1 / 3.38))
    return max(1, round(rng.lognormvariate(math.log(8), math.sqrt(math.log(8 / 6)))))


def _answer(rng: Random) -> tuple[str, int]:
    draw = rng.random()
    status = "ACCEPTED" if draw < 0.62 else "DECLINED" if draw < 0.72 else "TENTATIVE" if draw < 0.8 else "NEEDS_ACTION"
    return status, min(round(rng.lognormvariate(math.log(30), 1.2)) + 1, 20 * _DAY)


@lru_cache(maxsize=1)
def _tables(plan: SeedPlan) -> _Tables:
    return _Tables(plan)


class _Series(NamedTuple):
    """A rule by arithmetic: the day of instance k. `times` is None without an end."""

    kind: str
    times: int | None

    def day(self, clock: _Clock, first: int, k: int) -> int:
        if self.kind == "WORKDAYS":
            weekday = clock.weekdays[first]
            return first + k + 2 * ((weekday + k) // 5)
        if self.kind == "MONTHLY":
            return _same_weekday_in_month(clock, first, k)
        return first + k * {"DAILY": 1, "WEEKLY": 7, "FORTNIGHTLY": 14}[self.kind]


def _same_weekday_in_month(clock: _Clock, first: int, months: int) -> int:
    day = clock.dates[first]
    nth = (day.day - 1) // 7
    month = day.month - 1 + months
    begins = date(day.year + month // 12, month % 12 + 1, 1)
    return (begins - clock.first_day).days + (day.weekday() - begins.weekday()) % 7 + 7 * nth


class _Making:
    """The rows of one batch while they are being made."""

    def __init__(self, plan: SeedPlan, number: int) -> None:
        self.events: list[str] = []
        self.attendees: list[str] = []
        self.reservations: list[str] = []
        self.attendee_count = 0
        self._plan = plan
        self._tables = _tables(plan)
        self._clock = self._tables.clock
        self._rng = Random(f"{plan.seed}/batch/{number}")  # noqa: S311
        # A batch is a slice of the year: rows lie in the table much as a year of use would have left them.
        slices = self._clock.workdays
        first = number * len(slices) // plan.batch_count
        self._workdays = slices[first : max((number + 1) * len(slices) // plan.batch_count, first + 1)]
        cells = len(slices) * len(self._tables.single_rooms) * len(_SLOTS)
        low = number * cells // plan.batch_count
        self._single_cells = _Deck(low, (number + 1) * cells // plan.batch_count - low, 1)
        cells = len(self._tables.series_rooms) * 5 * len(_SLOTS)
        self._series_cells = _Deck(number, max(0, -(-(cells - number) // plan.batch_count)), plan.batch_count)

    def add(self, rows_left: int) -> None:
        """One event; its overrides too while there are rows left for them."""
        rng, tables = self._rng, self._tables
        place = bisect_left(tables.calendar_sums, rng.random() * tables.calendar_sums[-1])
        calendar = tables.directory.calendars[place]
        draw = rng.random()
        recurs = rng.random() < RECURRING_SHARE
        if draw < 0.06:
            self._add_all_day(calendar, recurs)
        elif recurs:
            self._add_series(calendar, tables.endless_shares[place], rows_left, floating=draw < 0.07)
        else:
            self._add_single(calendar, floating=draw < 0.07)

    def _add_all_day(self, calendar: Calendar, recurs: bool) -> None:
        clock, rng = self._clock, self._rng
        day = rng.choice(self._workdays) + rng.choice((0, 0, 0, 1, 2))
        start = day * _DAY
        if recurs:
            name = rng.choice(self._tables.directory.people).name
            made = _Made(self, calendar, start, start + _DAY, f"{name}: birthday", -1, all_day=True, is_private=False)
            made.write(span_end="infinity", rrule="FREQ=YEARLY", transparency="TRANSPARENT")
            return
        end = start + _DAY * rng.choice((1, 1, 1, 2, 3, 5))
        made = _Made(self, calendar, start, end, rng.choice(ALL_DAY), -1, all_day=True, is_private=False)
        made.write(span_end=clock.text(end), transparency=rng.choice(("OPAQUE", "TRANSPARENT")))

    def _add_single(self, calendar: Calendar, *, floating: bool) -> None:
        clock, rng = self._clock, self._rng
        cell = self._single_cells.draw() if not floating and rng.random() < ROOM_SHARE else None
        room: Room | None = None
        if cell is not None:
            per_day = len(self._tables.single_rooms) * len(_SLOTS)
            room = self._tables.single_rooms[cell % per_day // len(_SLOTS)]
            day = clock.workdays[cell // per_day]
            zone = room.zone
            wall, duration = self._within_slot(room, _SLOTS[cell % len(_SLOTS)])
        else:
            zone = -1 if floating else calendar.zone
            day = rng.choice(self._workdays)
            wall, duration = 480 + 15 * int(rng.random() * 33), rng.choice(_DURATIONS)
        start = clock.utc(zone, day, wall)
        is_private = room is None and rng.random() < 0.08
        title = rng.choice(PRIVATE) if is_private else rng.choice(self._tables.titles[zone])
        made = _Made(self, calendar, start, start + duration, title, zone, is_private=is_private)
        status = rng.random()
        made.write(
            span_end=clock.text(start + duration),
            location=room.name if room else None,
            status="CONFIRMED" if room or status < 0.92 else "TENTATIVE" if status < 0.97 else "CANCELLED",
        )
        made.write_guests()
        if room is not None:
            assert cell is not None
            self._reserve(room, 1 + cell % room.units, made, start, start + duration, None)

    def _add_series(self, calendar: Calendar, endless_share: float, rows_left: int, *, floating: bool) -> None:
        clock, rng = self._clock, self._rng
        draw = rng.random()
        kind = (
            "WEEKLY" if draw < 0.4 else "DAILY" if draw < 0.6 else "WORKDAYS" if draw < 0.8
            else "FORTNIGHTLY" if draw < 0.9 else "MONTHLY"
        )  # fmt: skip
        count = None if rng.random() < endless_share else rng.randint(*_COUNTS[kind])
        series = _Series(kind, count)
        cell = (
            self._series_cells.draw()
            if kind == "WEEKLY" and not floating and rng.random() < SERIES_ROOM_SHARE
            else None
        )
        room: Room | None = None
        day = rng.choice(self._workdays)
        if cell is not None:
            room = self._tables.series_rooms[cell // (5 * len(_SLOTS))]
            day += (cell // len(_SLOTS) % 5 - clock.weekdays[day]) % 7
            zone = room.zone
            wall, duration = self._within_slot(room, _SLOTS[cell % len(_SLOTS)])
        else:
            zone = -1 if floating else calendar.zone
            wall, duration = 480 + 15 * int(rng.random() * 33), rng.choice(_DURATIONS)
        while kind == "MONTHLY" and clock.dates[day].day > 28:
            day -= 7
        start = clock.utc(zone, day, wall)
        last = None if count is None else clock.utc(zone, series.day(clock, day, count - 1), wall)
        rrule = self._rule(series, day, last, floating)
        excluded = ""
        if room is None and (count is None or count > 4) and rng.random() < 0.06:
            excluded = f'"{clock.text(clock.utc(zone, series.day(clock, day, 3), wall))}"'
        made = _Made(
            self, calendar, start, start + duration, rng.choice(ROUTINES), zone, is_private=rng.random() < 0.04
        )
        made.write(
            span_end="infinity" if last is None else clock.text(last + duration),
            rrule=rrule,
            exdates=excluded,
            location=room.name if room else None,
        )
        made.write_guests()
        if room is not None:
            horizon = (clock.today + ROOM_HORIZON_DAYS) * _DAY
            for k in range(count if count is not None else 200):
                instance = clock.utc(zone, series.day(clock, day, k), wall)
                if count is None and instance > horizon:
                    break
                self._reserve(room, 1, made, instance, instance + duration, instance)
        elif rows_left > 1 and (count is None or count > 3) and rng.random() < OVERRIDDEN_SHARE:
            k = rng.randint(1, 2)
            self._override(made, series, k, day, wall, duration, zone)

    def _override(
        self, master: "_Made", series: _Series, k: int, day: int, wall: int, duration: int, zone: int
    ) -> None:
        """Instance k moved by an hour, cancelled, or moved with all that follow it."""
        clock = self._clock
        how = self._rng.random()
        replaced_day = series.day(clock, day, k)
        replaced = clock.utc(zone, replaced_day, wall)
        is_cancelled, with_rest = how < 0.15, how > 0.9
        start = replaced if is_cancelled else clock.utc(zone, replaced_day, wall + 60)
        span_end = clock.text(start + duration)
        if with_rest:
            last = None if series.times is None else series.day(clock, day, series.times - 1)
            span_end = "infinity" if last is None else clock.text(clock.utc(zone, last, wall + 60) + duration)
        made = _Made(
            self,
            master.calendar,
            start,
            start + duration,
            master.title,
            zone,
            is_private=master.is_private,
            master=master,
        )
        made.write(
            span_end=span_end,
            recurrence_id=clock.text(replaced),
            this_and_future=with_rest,
            status="CANCELLED" if is_cancelled else "CONFIRMED",
        )
        made.write_guests()

    def _within_slot(self, room: Room, slot: int) -> tuple[int, int]:
        """A start by the room's clock and a length, so that set-up and tear-down stay in the slot as well."""
        room_for = _SLOT_MINUTES - room.setup_minutes - room.teardown_minutes
        duration = min(self._rng.choice(_DURATIONS), room_for)
        spare = (room_for - duration) // 15
        return slot + room.setup_minutes + 15 * self._rng.randint(0, min(spare, 2)), duration

    def _rule(self, series: _Series, day: int, last: int | None, floating: bool) -> str:
        """In the canonical order of parts; half of those that end say so by COUNT, half by UNTIL."""
        clock = self._clock
        weekday = _WEEKDAYS[clock.weekdays[day]]
        end = ""
        if last is not None:
            by_count = self._rng.random() < 0.5
            end = f";COUNT={series.times}" if by_count else f";UNTIL={clock.until(last, False, floating)}"
        if series.kind == "DAILY":
            return f"FREQ=DAILY{end}"
        if series.kind == "WORKDAYS":
            return f"FREQ=WEEKLY{end};BYDAY=MO,TU,WE,TH,FR"
        if series.kind == "MONTHLY":
            return f"FREQ=MONTHLY{end};BYDAY={(clock.dates[day].day - 1) // 7 + 1}{weekday}"
        return f"FREQ=WEEKLY{end}{';INTERVAL=2' if series.kind == 'FORTNIGHTLY' else ''};BYDAY={weekday}"

    def _reserve(self, room: Room, unit: int, made: "_Made", start: int, end: int, recurrence: int | None) -> None:
        text = self._clock.text
        blocked = f'["{text(start - room.setup_minutes)}","{text(end + room.teardown_minutes)}")'
        self.reservations.append(
            f"{uuid7_hex(made.created_ms, self._rng.getrandbits(74))}\t{room.id}\t{unit}\t{made.id}\t"
            f"{_NULL if recurrence is None else text(recurrence)}\t{text(start)}\t{text(end)}\t"
            f"{blocked}\t{made.created}\n"
        )


_COUNTS: Final = {"WEEKLY": (4, 13), "DAILY": (3, 5), "WORKDAYS": (5, 10), "FORTNIGHTLY": (3, 8), "MONTHLY": (3, 12)}


class _Made:
    """One event, and what its guests and rooms need to know of it."""

    def __init__(
        self,
        making: _Making,
        calendar: Calendar,
        start: int,
        end: int,
        title: str,
        zone: int,
        *,
        is_private: bool,
        all_day: bool = False,
        master: "_Made | None" = None,
    ) -> None:
        rng, clock = making._rng, making._clock
        self._making = making
        self._end = end
        self._zone = zone
        self._all_day = all_day
        self._master = master
        self.calendar = calendar
        self.start = start
        self.title = title
        self.is_private = is_private
        if master is None:
            # Made some working days ahead, about N(6, 4) of them, but never later than the day of the plan.
            lead = int(max(rng.gauss(6, 4), 0.1) * 1.4 * _DAY)
            made_at = max(min(start - lead, clock.today * _DAY + int(rng.random() * 600)), _DAY)
            writers = calendar.writers
            self.organizer = writers[int(rng.random() * len(writers))] if len(writers) > 1 else writers[0]
        else:
            made_at = min(master.created_minute + 60, clock.today * _DAY + 700)
            self.organizer = master.organizer
        self.created_minute: int = made_at
        self.created = clock.text(made_at)
        self.created_ms = clock.epoch_ms + made_at * 60_000
        self.id = uuid7_hex(self.created_ms, rng.getrandbits(74))
        self.span_end = ""

    def write(
        self,
        *,
        span_end: str,
        rrule: str = _NULL,
        exdates: str = "",
        location: str | None = None,
        recurrence_id: str = _NULL,
        this_and_future: bool = False,
        status: str = "CONFIRMED",
        transparency: str = "OPAQUE",
    ) -> None:
        making, rng, text = self._making, self._making._rng, self._making._clock.text
        self.span_end = span_end
        master = self._master
        on_wall_clock = self._zone < 0
        draw = rng.random()
        url = f"https://meet.example.org/{self.id[20:]}" if not self._all_day and draw < 0.2 else _NULL
        note = NOTES[int(draw * 1000) % len(NOTES)] if draw > 0.6 else _NULL
        visibility = "PUBLIC" if not self.is_private else "PRIVATE" if draw < 0.8 else "CONFIDENTIAL"
        making.events.append(
            f"{self.id}\t{self.calendar.id}\t{making._tables.directory.people[self.organizer].id}\t"
            f"{(master or self).id}@yotei.example\t{0 if master is None else 1}\t"
            f"{self.title}\t{note}\t{location or _NULL}\t{url}\t"
            f"{text(self.start)}\t{text(self._end)}\t{span_end}\t{_NULL if on_wall_clock else ZONES[self._zone]}\t"
            f"{'t' if self._all_day else 'f'}\t{'t' if on_wall_clock and not self._all_day else 'f'}\t"
            f"{rrule}\t{{{exdates}}}\t"
            f"{_NULL if master is None else master.id}\t{recurrence_id}\t{'t' if this_and_future else 'f'}\t"
            f"{status}\t{transparency}\t{visibility}\t{self.created}\t{self.created}\n"
        )

    def write_guests(self) -> None:
        """The organizer, who comes, and people who stand near in the directory; nobody twice."""
        making = self._making
        tables, rng, text = making._tables, making._rng, making._clock.text
        bits = rng.getrandbits(44)
        count = tables.guest_counts[bits & 8191]
        if count == 0 or self.is_private:
            return
        now = making._clock.today * _DAY
        head = f"{self.id}\t{text(self.start)}\t{self.span_end}\t{self.created}\t"
        first = self.organizer
        people = len(tables.directory.people)
        lines = making.attendees
        lines.append(f"{head}ACCEPTED\t{self.created}\tf{tables.tails[first]}")
        skip = (bits >> 13) % max(min(12, people - count), 1)
        answer_at = bits >> 17
        answers, tails = tables.answers, tables.tails
        for place in range(first + 1 + skip, first + skip + count):
            answer_at += 1
            status, delay = answers[answer_at & 8191]
            answered = self.created_minute + delay
            if status == "NEEDS_ACTION" or answered > now:
                answer = "NEEDS_ACTION\t\\N"
            else:
                answer = f"{status}\t{text(answered)}"
            lines.append(f"{head}{answer}\t{'t' if answer_at % 9 == 0 else 'f'}{tails[place % people]}")
        making.attendee_count += count
        if rng.random() < OUTSIDER_SHARE * count:
            lines.append(f"{head}NEEDS_ACTION\t\\N\tf{tables.outsiders[(bits >> 30) % len(tables.outsiders)]}")
            making.attendee_count += 1


class _Deck:
    """Numbers `first + n * step` for n below `size`, each once, in an order that looks like none."""

    def __init__(self, first: int, size: int, step: int) -> None:
        self._first, self._size, self._step = first, size, step
        self._stride = (
            next(n for n in range(max(size * 5 // 8, 1), size * 2 + 2) if math.gcd(n, size) == 1) if size else 1
        )
        self._drawn = 0

    def draw(self) -> int | None:
        """None when all are drawn."""
        if self._drawn == self._size:
            return None
        self._drawn += 1
        return self._first + self._drawn * self._stride % self._size * self._step
