"""What each role may do in a calendar: the one place that decides it.

    role        see times   see details   see members   write events   share, rename, delete
    OWNER       yes         yes           yes           yes            yes
    WRITER      yes         yes           yes           yes            no
    READER      yes         yes           yes           no             no
    FREE_BUSY   yes         no            owners only   no             no

Which details of which event is for `events.access`. Administrators have no rights in calendars of others.
"""

from typing import Final

from yotei.calendars.calendar import Role

_RANK: Final = {Role.FREE_BUSY: 0, Role.READER: 1, Role.WRITER: 2, Role.OWNER: 3}


def may_see_details(role: Role) -> bool:
    return _RANK[role] >= _RANK[Role.READER]


def may_see_members(role: Role) -> bool:
    return _RANK[role] >= _RANK[Role.READER]


def may_write(role: Role) -> bool:
    return _RANK[role] >= _RANK[Role.WRITER]


def may_manage(role: Role) -> bool:
    return role is Role.OWNER
