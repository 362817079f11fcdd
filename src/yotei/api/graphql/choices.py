"""Enums: the domains' own words. A test holds each against the Literal that it stands for."""

from enum import Enum

import strawberry

from yotei.api.graphql.fields import value


@strawberry.enum(description="How much of an event the caller sees.")
class Access(Enum):
    FULL = value("full", "All of it.")
    BUSY = value("busy", "Its time only; every field that could tell more is null.")


@strawberry.enum(description="Whether an event takes place (RFC 5545 3.8.1.11).")
class EventStatus(Enum):
    CONFIRMED = value("CONFIRMED", "It takes place.")
    TENTATIVE = value("TENTATIVE", "It may take place.")
    CANCELLED = value("CANCELLED", "It does not take place.")


@strawberry.enum(description="Whether an event takes up time (RFC 5545 3.8.2.7).")
class Transparency(Enum):
    OPAQUE = value("OPAQUE", "It makes those who attend busy.")
    TRANSPARENT = value("TRANSPARENT", "It leaves them free.")


@strawberry.enum(description="Who sees more than the time of an event (RFC 5545 3.8.1.3).")
class Visibility(Enum):
    PUBLIC = value("PUBLIC", "All who may read its calendar.")
    PRIVATE = value("PRIVATE", "Owners and writers of its calendar.")
    CONFIDENTIAL = value("CONFIDENTIAL", "Owners of its calendar.")


@strawberry.enum(description="An attendee's answer to an invitation (RFC 5545 3.2.12).")
class ResponseStatus(Enum):
    NEEDS_ACTION = value("NEEDS_ACTION", "There is no answer yet.")
    ACCEPTED = value("ACCEPTED", "They come.")
    DECLINED = value("DECLINED", "They do not come.")
    TENTATIVE = value("TENTATIVE", "They may come.")


@strawberry.enum(description="What a member may do with a calendar.")
class Role(Enum):
    OWNER = value("OWNER", "Everything, sharing included.")
    WRITER = value("WRITER", "Read and change its events.")
    READER = value("READER", "Read its events.")
    FREE_BUSY = value("FREE_BUSY", "See when it is busy, and nothing else.")


@strawberry.enum(description="What kind of thing can be booked.")
class ResourceKind(Enum):
    ROOM = value("ROOM", "A room.")
    EQUIPMENT = value("EQUIPMENT", "A piece of equipment.")


@strawberry.enum(description="How series are told.")
class Expand(Enum):
    INSTANCES = value("instances", "As their instances within the window.")
    MASTERS = value("masters", "Each once, with its rule.")


@strawberry.enum(description="The order of events: by start, then id.")
class Order(Enum):
    ASC = value("asc", "Earliest first.")
    DESC = value("desc", "Latest first.")


@strawberry.enum(description="A day of the week.")
class Weekday(Enum):
    MON = value("mon", "Monday.")
    TUE = value("tue", "Tuesday.")
    WED = value("wed", "Wednesday.")
    THU = value("thu", "Thursday.")
    FRI = value("fri", "Friday.")
    SAT = value("sat", "Saturday.")
    SUN = value("sun", "Sunday.")


@strawberry.enum(description="How far an edit of a series goes from one of its instances.")
class Scope(Enum):
    THIS = value("this", "That instance alone, which becomes an exception of the series.")
    FOLLOWING = value("following", "That instance and all after it, which become a series of their own.")
    ALL = value("all", "The whole series.")


@strawberry.enum(description="What is done about an instance whose room cannot be had.")
class BookingPolicy(Enum):
    ALL = value("ALL", "The write is refused.")
    PARTIAL = value("PARTIAL", "The write is done, and `missed` lists the instances without their room.")


@strawberry.enum(description="Who may book a resource.")
class WhoMayBook(Enum):
    EVERYONE = value("EVERYONE", "Everybody.")
    MEMBERS = value("MEMBERS", "Its members, and administrators.")
    NOBODY = value("NOBODY", "Nobody; what is booked already stays.")


@strawberry.enum(description="What somebody is in a resource.")
class ResourceRole(Enum):
    MANAGER = value("MANAGER", "They change it and say who books it.")
    BOOKER = value("BOOKER", "They book it where its `booking` is MEMBERS.")


@strawberry.enum(description="Whom a token speaks for.")
class TokenKind(Enum):
    USER = value("USER", "A person.")
    SERVICE = value("SERVICE", "A program, which may act on behalf of people.")


@strawberry.enum(description="What a token is good for.")
class TokenScope(Enum):
    READ = value("read", "To read.")
    WRITE = value("write", "To write.")
    ADMIN = value("admin", "For what administrators may do, if its person is one.")


@strawberry.enum(description="How somebody, or a resource, is taken (FBTYPE, RFC 5545 3.2.9).")
class BusyKind(Enum):
    BUSY = value("BUSY", "Taken.")
    TENTATIVE = value("TENTATIVE", "Perhaps taken: the event is tentative, or the answer to it is.")
    UNAVAILABLE = value("UNAVAILABLE", "A resource that is closed.")


@strawberry.enum(description="What working hours mean to a meeting that is looked for.")
class HoursPolicy(Enum):
    PREFER = value("PREFER", "They only rank.")
    REQUIRE = value("REQUIRE", "Nobody comes outside of theirs.")


@strawberry.enum(description="Of what an entry of a history tells.")
class HistoryKind(Enum):
    EVENT = value("event", "The event itself.")
    ATTENDEE = value("attendee", "Somebody who is invited.")
    RESOURCE = value("resource", "A room or a piece of equipment that it holds.")


@strawberry.enum(description="What became of it.")
class HistoryAction(Enum):
    CREATED = value("created", "The event was made.")
    CHANGED = value("changed", "Fields of it were changed; of a resource, it was booked anew.")
    MOVED = value("moved", "The event was put into another calendar.")
    DELETED = value("deleted", "The event was deleted.")
    RESTORED = value("restored", "The event was restored.")
    ADDED = value("added", "Somebody was invited, a resource booked.")
    REMOVED = value("removed", "Somebody was uninvited, a resource given up.")


@strawberry.enum(description="What has changed.")
class ChangeKind(Enum):
    EVENT = value("event", "An event, with its attendees and rooms.")
    CALENDAR = value("calendar", "The calendar itself.")
    MEMBER = value("member", "Who shares the calendar, and how.")


@strawberry.enum(description="What to do with a copy.")
class ChangeOp(Enum):
    UPSERT = value("upsert", "Put what there is now in its place.")
    REMOVE = value("remove", "Take it out: it is deleted, elsewhere, or not the caller's to know.")
