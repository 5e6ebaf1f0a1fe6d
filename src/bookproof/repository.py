"""Where the course lives on the web: the one place that launch, edit and source links take it from.

The order: `[repository] url` in `book/course.toml`, else the environment of a build service
(`GITHUB_SERVER_URL`, `GITHUB_REPOSITORY`), else the git remote `origin`. A remote that is only a
folder on this machine counts for nothing, since no reader could follow it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bookproof import course

# git@host:owner/name
_OWNER_AND_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_SCP = re.compile(r"^(?:[^@/\s]+@)?(?P<host>[\w.-]+\.[\w-]+):(?!/)(?P<path>\S+)$")
_PROVIDERS = ("github", "gitlab", "bitbucket")


@dataclass(frozen=True)
class Repository:
    """A repository's web address, without a slash or `.git` at its end, and its branch."""

    url: str
    branch: str = "main"

    @property
    def host(self) -> str:
        """The host, `example.org`."""
        return urlsplit(self.url).netloc

    @property
    def owner(self) -> str:
        """The owner (with any groups), `group/owner`."""
        return urlsplit(self.url).path.strip("/").rpartition("/")[0]

    @property
    def name(self) -> str:
        """The repository's own name."""
        return self.url.rpartition("/")[2]

    @property
    def provider(self) -> str:
        """The kind of host, which decides how links look; `github` where the host does not tell."""
        return next((kind for kind in _PROVIDERS if kind in self.host), "github")

    @property
    def pages(self) -> str:
        """The address of the built site where the host's rule is known, else an empty string."""
        home = {"github.com": "github.io", "gitlab.com": "gitlab.io"}.get(self.host)
        if home is None or "/" in self.owner:
            return ""
        site = f"{self.owner.lower()}.{home}"
        return f"https://{site}/" if self.name.lower() == site else f"https://{site}/{self.name}/"


def normalise(address: str) -> str | None:
    """The web address of any form git takes, such as `git@host:owner/name.git`; None if local."""
    text = address.strip()
    match = _SCP.match(text)
    if match:
        text = f"https://{match['host']}/{match['path']}"
    parts = urlsplit(text)
    path = parts.path.strip("/").removesuffix(".git")
    if parts.scheme not in ("https", "http", "ssh", "git") or not parts.hostname or "/" not in path:
        return None
    # A port or a user name belongs to git's way in (ssh), or is a credential: neither goes on a
    # page.
    port = f":{parts.port}" if parts.port and parts.scheme in ("https", "http") else ""
    scheme = "http" if parts.scheme == "http" else "https"
    return f"{scheme}://{parts.hostname}{port}/{path}"


def address(root: Path | str, environ: Mapping[str, str] | None = None) -> Repository | None:
    """The course's repository, or None where nothing tells; `CourseError` for one of no use."""
    root = Path(root)
    environ = os.environ if environ is None else environ
    file = root / course.FILE
    stated = course.load(file).repository if file.is_file() else course.Address()
    if stated.url:
        url = normalise(stated.url)
        if url is None:
            raise course.CourseError(
                f"{file}: [repository] url is {stated.url!r}: links need host, owner and name; "
                'write "https://host/owner/name", or "" to take it from git'
            )
        return Repository(url, stated.branch)
    if environ.get("GITHUB_REPOSITORY"):
        if not _OWNER_AND_NAME.fullmatch(environ["GITHUB_REPOSITORY"]):
            raise course.CourseError(
                f"GITHUB_REPOSITORY is {environ['GITHUB_REPOSITORY']!r}: links are made of the owner and "
                "the name alone; set it to owner/name, or unset it"
            )
        server = environ.get("GITHUB_SERVER_URL", "https://github.com")
        url = normalise(f"{server.rstrip('/')}/{environ['GITHUB_REPOSITORY']}")
    else:
        url = normalise(_origin(root))
    return Repository(url, stated.branch) if url else None


def _origin(root: Path) -> str:
    """The address of the git remote `origin`; empty without git, repository or such a remote."""
    command = ["git", "-C", str(root), "config", "--get", "remote.origin.url"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
