"""The enums of the schema are the domains' own words, none missing and none invented."""

from enum import Enum
from typing import Any, get_args, get_type_hints

import pytest

from yotei.api.graphql import choices
from yotei.calendars.calendar import Role
from yotei.events import changes, draft, event, history
from yotei.resources.resource import Kind, ResourceRole, WhoMayBook
from yotei.scheduling import freebusy, meeting
from yotei.users.tokens import NewToken
from yotei.users.user import WEEKDAYS


@pytest.mark.parametrize(
    ("ours", "domain"),
    [
        (choices.Access, [one.value for one in event.Access]),
        (choices.EventStatus, get_args(event.Status)),
        (choices.Transparency, get_args(event.Transparency)),
        (choices.Visibility, get_args(event.Visibility)),
        (choices.ResponseStatus, get_args(event.ResponseStatus)),
        (choices.Role, [one.value for one in Role]),
        (choices.ResourceKind, get_args(Kind)),
        (choices.Weekday, WEEKDAYS),
        (choices.Scope, get_args(draft.Scope)),
        (choices.BookingPolicy, get_args(draft.Policy)),
        (choices.WhoMayBook, get_args(WhoMayBook)),
        (choices.ResourceRole, get_args(ResourceRole)),
        (choices.TokenKind, get_args(get_type_hints(NewToken)["kind"])),
        (choices.TokenScope, ["read", "write", "admin"]),
        (choices.BusyKind, freebusy.KINDS),
        (choices.HoursPolicy, get_args(meeting.OfHours)),
        (choices.HistoryKind, get_args(history.Kind)),
        (choices.HistoryAction, get_args(history.Did)),
        (choices.ChangeKind, get_args(changes.Kind)),
        (choices.ChangeOp, get_args(get_type_hints(changes.Change)["op"])),
    ],
)
def test_an_enum_has_the_words_of_its_domain(ours: type[Enum], domain: Any) -> None:
    assert [one.value for one in ours] == list(domain)
