"""Programs that nobody modified, each a small module's function that drives it over two paths and checks every byte.
`scripts/applications` runs them and writes docs/applications.md; the live tests run the quick ones."""

from applications.registry import APPLICATIONS, Application, Explained  # noqa: F401
from applications import web, proxies, languages, tools, databases, remote, untouched  # noqa: F401, E402
