"""What each role may do in a calendar.

    role        see times   see details   see members   write events   share, rename, delete
    OWNER       yes         yes           yes           yes            yes
    WRITER      yes         yes           yes           yes            no
    READER      yes         yes           yes           no             no
    FREE_BUSY   yes         no            owners only   no             no

Who is shown which members is said by `queries.sql: list_members`, which details of an event by `events.access`.
Administrators have no rights in calendars of others.
"""

from yotei.calendars.calendar import Role


def may_manage(role: Role) -> bool:
    return role is Role.OWNER
