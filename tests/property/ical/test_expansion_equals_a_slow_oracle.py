"""Window expansion against python-dateutil walking the whole range from DTSTART (RFC 5545, section 3.3.10).

Dateutil departs from the RFC in a few places that the generator leaves out, each named where it does.
"""

from calendar import isleap, monthrange
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from yotei.ical import RecurrenceError, Rule, Series, count_until, instances, parse_rule, rule_never_fires, span
from yotei.ical.periods import last_start, never_fires, nth_start, starts_between

WALL_MIN, WALL_MAX = datetime(1990, 1, 1), datetime(2030, 12, 31)  # noqa: DTZ001  wall clocks
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def numbers(low: int, high: int, *, negatives: bool = False) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    if negatives:
        number = number | st.integers(-high, -low)
    return st.lists(number, min_size=1, max_size=4, unique=True).map(lambda items: ",".join(map(str, items)))


@st.composite
def weekdays(draw: st.DrawFn, *, nth_max: int) -> str:
    """Dateutil intersects plain and numbered weekdays where the RFC unites them: never both in one rule."""
    days = draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=4, unique=True))
    if nth_max == 0 or draw(st.booleans()):
        return ",".join(days)
    nth = st.integers(1, nth_max) | st.integers(-nth_max, -1)
    return ",".join(f"{draw(nth)}{day}" for day in days)


@st.composite
def rules(draw: st.DrawFn) -> str:
    freq = draw(st.sampled_from(("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")))
    interval_max = {"YEARLY": 5, "MONTHLY": 14, "WEEKLY": 6, "DAILY": 40}.get(freq, 5_000)
    parts = {"FREQ": freq}
    if draw(st.booleans()):
        parts["INTERVAL"] = str(draw(st.integers(1, interval_max)))
    if draw(st.booleans()):
        parts["WKST"] = draw(st.sampled_from(WEEKDAYS))
    if draw(st.integers(0, 3)) == 0:
        parts["BYMONTH"] = draw(numbers(1, 12))
    if freq != "WEEKLY" and draw(st.integers(0, 3)) == 0:
        parts["BYMONTHDAY"] = draw(numbers(1, 31, negatives=True))
    if freq not in ("MONTHLY", "WEEKLY", "DAILY") and draw(st.integers(0, 4)) == 0:
        parts["BYYEARDAY"] = draw(numbers(1, 366, negatives=True))
    if draw(st.booleans()):
        nth_max = {"MONTHLY": 5, "YEARLY": 5 if "BYMONTH" in parts else 53}.get(freq, 0)
        parts["BYDAY"] = draw(weekdays(nth_max=nth_max))
    if freq == "YEARLY" and "BYYEARDAY" not in parts and draw(st.integers(0, 3)) == 0:
        # Without BYDAY the RFC takes the weekday of DTSTART, dateutil the whole week.
        parts["BYWEEKNO"] = draw(numbers(1, 53))
        parts["BYDAY"] = draw(weekdays(nth_max=0))
    for name, high in (("BYHOUR", 23), ("BYMINUTE", 59), ("BYSECOND", 59)):
        if draw(st.integers(0, 4)) == 0:
            parts[name] = draw(numbers(0, high))
    # In the first week dateutil counts BYSETPOS from DTSTART, the RFC from the start of the week.
    if freq != "WEEKLY" and any(name.startswith("BY") for name in parts) and draw(st.integers(0, 3)) == 0:
        parts["BYSETPOS"] = draw(numbers(1, 5, negatives=True))
    return ";".join(f"{name}={value}" for name, value in parts.items())


offsets = st.tuples(st.integers(-3, 400), st.integers(1, 60))
walls = st.datetimes(WALL_MIN, WALL_MAX).map(lambda at: at.replace(microsecond=0))


def window_after(dtstart: datetime, freq: str, offset: int, length: int) -> tuple[datetime, datetime]:
    unit = {"YEARLY": 366, "MONTHLY": 31, "WEEKLY": 7, "DAILY": 1}.get(freq)
    one = timedelta(days=unit) if unit else timedelta(minutes=40 if freq == "HOURLY" else 1)
    low = dtstart + one * offset
    return low, low + one * length


SUB_DAILY = ("FREQ=HOURLY", "FREQ=MINUTELY", "FREQ=SECONDLY")


@settings(deadline=None, max_examples=400)
@given(rules().filter(lambda text: not text.startswith(SUB_DAILY)), walls, offsets)
def test_a_window_of_a_rule_holds_what_dateutil_finds_walking_from_dtstart(
    text: str, dtstart: datetime, offset_and_length: tuple[int, int]
) -> None:
    rule = parse_rule(text)
    low, high = window_after(dtstart, rule.freq, *offset_and_length)

    found = list(starts_between(rule, dtstart, low, high))

    if never_fires(rule, dtstart):  # dateutil would walk to the year 9999 for nothing
        assert found == []
        return
    oracle = rrulestr(text, dtstart=dtstart)
    assert found == [at for at in takewhile(lambda at: at < high, oracle) if at >= low]


@settings(deadline=None, max_examples=300)
@given(rules().filter(lambda text: text.startswith(SUB_DAILY)), walls, offsets)
def test_a_window_of_hours_minutes_or_seconds_holds_what_stepping_from_dtstart_finds(
    text: str, dtstart: datetime, offset_and_length: tuple[int, int]
) -> None:
    """Dateutil takes minutes over some of these, so the oracle is the definition: step, limit, expand, choose."""
    rule = parse_rule(text)
    low, high = window_after(dtstart, rule.freq, *offset_and_length)

    found = list(starts_between(rule, dtstart, low, high))

    assert found == [at for at in stepped(rule, dtstart, high) if low <= at < high]


def stepped(rule: Rule, dtstart: datetime, high: datetime) -> list[datetime]:
    minute_expands = rule.freq == "HOURLY"
    second_expands = rule.freq in ("HOURLY", "MINUTELY")
    step = {"HOURLY": timedelta(hours=1), "MINUTELY": timedelta(minutes=1), "SECONDLY": timedelta(seconds=1)}[rule.freq]
    unit = dtstart.replace(
        minute=0 if minute_expands else dtstart.minute, second=0 if second_expands else dtstart.second
    )
    found = []
    while unit < high:
        day_of_year = unit.timetuple().tm_yday
        limits: list[tuple[Sequence[int], set[int]]] = [
            (rule.bymonth, {unit.month}),
            (rule.bymonthday, {unit.day, unit.day - monthrange(unit.year, unit.month)[1] - 1}),
            (rule.byyearday, {day_of_year, day_of_year - 366 - isleap(unit.year)}),
            ([weekday for weekday, _ in rule.byday], {unit.weekday()}),
            (rule.byhour, {unit.hour}),
            (() if minute_expands else rule.byminute, {unit.minute}),
            (() if second_expands else rule.bysecond, {unit.second}),
        ]
        if all(not wanted or set(wanted) & actual for wanted, actual in limits):
            minutes = (rule.byminute or (dtstart.minute,)) if minute_expands else (unit.minute,)
            seconds = (rule.bysecond or (dtstart.second,)) if second_expands else (unit.second,)
            inside = [unit.replace(minute=minute, second=second) for minute in minutes for second in seconds]
            if rule.bysetpos:
                places = {position - 1 if position > 0 else position + len(inside) for position in rule.bysetpos}
                inside = [inside[place] for place in sorted(places) if 0 <= place < len(inside)]
            found += [at for at in inside if at >= dtstart]
        unit += step * rule.interval
    return found


@settings(deadline=None, max_examples=150)
@given(rules(), walls, st.integers(1, 60))
def test_the_nth_start_and_the_last_start_agree_with_walking(text: str, dtstart: datetime, count: int) -> None:
    rule = parse_rule(text)
    series = Series(dtstart.replace(tzinfo=UTC), dtstart.replace(tzinfo=UTC), rrule=text)
    assume(not rule_never_fires(series))

    nth = nth_start(rule, dtstart, count)

    assert nth is not None
    walked = list(starts_between(rule, dtstart, dtstart, nth + timedelta(seconds=1)))
    assert len(walked) == count
    assert walked[-1] == nth
    assert last_start(rule, dtstart, nth) == nth


zones = st.sampled_from(
    ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo")
)


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")),
    st.integers(1, 5),
    walls,
    zones,
    st.integers(0, 72),
    st.integers(0, 300),
    st.one_of(st.none(), st.integers(1, 80)),
)
def test_a_series_in_a_zone_keeps_its_wall_clock_and_overlaps_its_window(
    freq: str, interval: int, dtstart: datetime, key: str, hours: int, offset: int, count: int | None
) -> None:
    zone = ZoneInfo(key)
    start = dtstart.replace(tzinfo=zone).astimezone(UTC)
    duration = timedelta(hours=hours)
    text = f"FREQ={freq};INTERVAL={interval}" + (f";COUNT={count}" if count else "")
    series = Series(start, start + duration, tzid=key, rrule=text)
    low = start + timedelta(days=offset)
    high = low + timedelta(days=45)

    found = instances(series, low, high)

    oracle = rrulestr(text, dtstart=start.astimezone(zone).replace(tzinfo=None))
    walked = takewhile(lambda wall: wall < high.replace(tzinfo=None) + timedelta(days=3), oracle)
    starts = {start, *(wall.replace(tzinfo=zone).astimezone(UTC) for wall in walked)}
    if start.astimezone(zone).fold:
        starts.discard(start.astimezone(zone).replace(fold=0).astimezone(UTC))
    expected = sorted(at for at in starts if at < high and (at + duration > low or (not hours and at >= low)))
    assert [instance.start_time for instance in found] == expected
    assert all(instance.end_time - instance.start_time == duration for instance in found)


@settings(deadline=None, max_examples=150)
@given(rules(), walls, zones, st.integers(1, 40), st.integers(0, 40))
def test_a_count_given_as_its_last_start_expands_the_same(
    text: str, dtstart: datetime, key: str, count: int, skipped: int
) -> None:
    start = dtstart.replace(tzinfo=ZoneInfo(key)).astimezone(UTC)
    counted = Series(start, start + timedelta(minutes=30), tzid=key, rrule=f"{text};COUNT={count}")
    assume(not rule_never_fires(counted))
    try:
        last = count_until(counted)
    except RecurrenceError:
        return
    assert last is not None
    hinted = Series(start, counted.end_time, tzid=key, rrule=counted.rrule, count_until=last)
    low = start + (last - start) / 41 * skipped
    high = min(last, low + timedelta(days=400)) + timedelta(days=30)

    found = instances(hinted, low, high)

    assert found == instances(counted, low, high)
    assert len(instances(hinted, start, high)) <= count
    first, end = span(hinted)
    assert first == start
    assert end is not None
    assert all(instance.end_time <= end for instance in found if key in ("Asia/Tokyo", "Europe/Berlin"))
