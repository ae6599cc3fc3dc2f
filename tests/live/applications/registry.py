"""Which programs there are, and how each is run."""

from dataclasses import dataclass, field
from typing import Callable

#: In the order in which the table has them.
APPLICATIONS = []

#: Who is on Braid, by the name of a pairing: (client's stack, server's stack).
PAIRINGS = {
    "client": ("braid", "kernel"),
    "server": ("kernel", "braid"),
    "both": ("braid", "braid"),
}


class Explained(Exception):
    """It does not work, that is known, and this says why."""


@dataclass
class Application:
    name: str
    program: str
    what: str                      # what is run, for the table
    version: list                  # a command whose output has the version
    run: Callable
    roles: tuple                   # of PAIRINGS: where the program itself is on Braid
    quick: bool = False            # runs in scripts/test, with what scripts/setup installs
    needs: list = field(default_factory=list)  # programs that must be there


def application(name, *, version, roles=("client", "server", "both"), program=None, quick=False, needs=()):
    """Of a function that is given a Stage and drives the program; its documentation says what is run."""
    def register(function):
        what = " ".join(function.__doc__.split())
        APPLICATIONS.append(Application(name, program or name, what, version, function, roles, quick, list(needs)))
        return function
    return register
