"""Bytes to content lines and nested components, whatever their state (RFC 5545, sections 3.1 and 3.4 to 3.6).

Owns unfolding, decoding, the nesting of BEGIN and END, line numbers and the bounds on what is read.
The parts of one content line are split by the icalendar library. It does not know what a property means.
"""

import re
from collections.abc import Iterator
from typing import Final

import msgspec
from icalendar.parser import Contentline

BYTES_MAX: Final = 10 * 1024 * 1024
COMPONENTS_MAX: Final = 50_000
LINE_OCTETS_MAX: Final = 256 * 1024
DEPTH_MAX: Final = 8

CONTROL: Final = dict.fromkeys((*range(9), *range(10, 32), 127))
"""For `str.translate`: what may not stand in a content line, all controls but TAB (section 3.1)."""
_BARE: Final = re.compile(r"([A-Za-z0-9-]+):(.*)", re.DOTALL)


class NotICalendar(ValueError):
    """Data that is no iCalendar object at all, or beyond the bounds; `line` is where that showed."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class Finding(msgspec.Struct, frozen=True):
    """Something amiss: the physical line it begins at, the UID of its component if it has one, and why."""

    line: int
    uid: str | None
    reason: str


class Property(msgspec.Struct, frozen=True):
    """One content line in its parts. The value is as written, still escaped; parameter names are upper case."""

    line: int
    name: str
    params: dict[str, tuple[str, ...]]
    value: str
    text: str

    def param(self, name: str) -> str | None:
        """The first value of a parameter."""
        values = self.params.get(name)
        return values[0] if values else None


class Component(msgspec.Struct):
    """A BEGIN ... END block: its own properties, its sub-components, and where it begins."""

    name: str
    line: int
    properties: list[Property]
    children: list["Component"]
    faults: list[Finding]

    def first(self, name: str) -> Property | None:
        return next((prop for prop in self.properties if prop.name == name), None)

    def all(self, name: str) -> list[Property]:
        return [prop for prop in self.properties if prop.name == name]

    def content_lines(self) -> Iterator[str]:
        """The component as unfolded content lines, BEGIN and END included."""
        yield f"BEGIN:{self.name}"
        for prop in self.properties:
            yield prop.text
        for child in self.children:
            yield from child.content_lines()
        yield f"END:{self.name}"


def read_calendars(data: bytes | str) -> tuple[list[Component], list[Finding]]:
    """All VCALENDAR objects of a stream, and what could not be placed in one. Raises `NotICalendar`."""
    octets = data.encode() if isinstance(data, str) else data
    if len(octets) > BYTES_MAX:
        raise NotICalendar(1, f"more than {BYTES_MAX} bytes")
    calendars: list[Component] = []
    findings: list[Finding] = []
    open_components: list[Component] = []
    count = 0
    number = 0
    for number, text in _logical_lines(octets):
        keyword, _, argument = text.partition(":")
        keyword, argument = keyword.strip().upper(), argument.strip().upper()
        if keyword == "BEGIN" and argument:
            if not open_components and argument != "VCALENDAR":
                raise NotICalendar(number, f"BEGIN:{argument[:32]} outside of a VCALENDAR")
            count += 1
            if count > COMPONENTS_MAX:
                raise NotICalendar(number, f"more than {COMPONENTS_MAX} components")
            if len(open_components) >= DEPTH_MAX:
                raise NotICalendar(number, f"components nested deeper than {DEPTH_MAX}")
            open_components.append(Component(argument, number, [], [], []))
        elif keyword == "END" and argument:
            if any(component.name == argument for component in open_components):
                while True:
                    closed = open_components.pop()
                    if closed.name == argument:
                        break
                    findings.append(Finding(closed.line, _uid(closed), f"{closed.name} is never ended"))
                (open_components[-1].children if open_components else calendars).append(closed)
            elif open_components:
                findings.append(Finding(number, None, f"END:{argument[:32]} without its BEGIN"))
        elif not open_components:
            if not calendars:
                raise NotICalendar(number, "does not begin with BEGIN:VCALENDAR")
            findings.append(Finding(number, None, "a line after END:VCALENDAR"))
        else:
            _add_property(open_components[-1], number, text)
    for unended in reversed(open_components):
        if unended.name == "VCALENDAR":
            calendars.append(unended)
        findings.append(Finding(unended.line, _uid(unended), f"{unended.name} is never ended"))
    if not calendars:
        raise NotICalendar(max(number, 1), "holds no VCALENDAR")
    return calendars, findings


def _uid(component: Component) -> str | None:
    prop = component.first("UID")
    return prop.value if prop is not None else None


def _add_property(component: Component, number: int, text: str) -> None:
    if len(text) > LINE_OCTETS_MAX:
        component.faults.append(Finding(number, None, f"a content line longer than {LINE_OCTETS_MAX} octets"))
        return
    bare = _BARE.fullmatch(text)
    if bare is not None:
        component.properties.append(Property(number, bare[1].upper(), {}, bare[2], text))
        return
    try:
        name, params, value = Contentline(text).raw_parts()  # type: ignore[no-untyped-call]
    except ValueError:
        component.faults.append(Finding(number, None, "not a content line"))
        return
    if ":" not in text:
        component.faults.append(Finding(number, None, "not a content line"))
        return
    listed = {
        str(key).upper(): tuple(map(str, item)) if isinstance(item, list) else (str(item),)
        for key, item in params.items()
    }
    component.properties.append(Property(number, str(name).upper(), listed, str(value), text))


def _logical_lines(octets: bytes) -> Iterator[tuple[int, str]]:
    """Unfolded lines with the number of their first physical line. Unfolding comes before
    decoding, as a fold may stand inside one character (section 3.1)."""
    pending: list[bytes] = []
    first = 1
    for number, raw in enumerate(octets.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").split(b"\n"), start=1):
        line = raw.rstrip(b"\r")
        if line[:1] in (b" ", b"\t") and pending:
            pending.append(line[1:])
            continue
        if pending:
            yield first, _decode(b"".join(pending))
        pending = [line] if line.strip() else []
        first = number
    if pending:
        yield first, _decode(b"".join(pending))


def _decode(line: bytes) -> str:
    """UTF-8 (section 3.1.4), or Latin-1 where old files still use it; control characters are left out."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = line.decode("latin-1")
    return text.translate(CONTROL)
