"""Who may book a resource, and who looks after it.

    booking     EVERYONE   MEMBERS                    NOBODY
    books       anybody    members, administrators    nobody

A MANAGER changes the resource and its members, as administrators do; a BOOKER only books.
"""

from yotei.users.user import Viewer


def may_manage(role: str | None, viewer: Viewer) -> bool:
    """Whether the viewer, of this role in the resource, changes it and its members."""
    return viewer.is_admin or role == "MANAGER"


def may_book(booking: str, role: str | None, viewer: Viewer) -> bool:
    """`booking` of the resource, and the viewer's role in it."""
    return booking == "EVERYONE" or (booking == "MEMBERS" and (role is not None or viewer.is_admin))
