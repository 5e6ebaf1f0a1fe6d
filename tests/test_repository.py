"""The repository's address comes from one place, in a stated order, and in one form."""

import subprocess
from pathlib import Path

import pytest

from bookproof.course import CourseError
from bookproof.repository import Repository, address, normalise

FORMS = [
    ("https://github.com/owner/name", "https://github.com/owner/name"),
    ("https://github.com/owner/name.git", "https://github.com/owner/name"),
    ("https://github.com/owner/name/", "https://github.com/owner/name"),
    ("https://user:secret@github.com/owner/name.git", "https://github.com/owner/name"),
    ("git@github.com:owner/name.git", "https://github.com/owner/name"),
    ("github.com:owner/name", "https://github.com/owner/name"),
    ("ssh://git@example.org:2222/owner/name.git", "https://example.org/owner/name"),
    ("https://example.org:8443/group/sub/name", "https://example.org:8443/group/sub/name"),
    ("http://localhost:3000/owner/name", "http://localhost:3000/owner/name"),
    ("git://example.org/owner/name", "https://example.org/owner/name"),
    ("/srv/git/name.git", None),
    ("../name", None),
    ("file:///srv/git/name.git", None),
    ("C:\\repos\\name", None),
    ("https://github.com/owner", None),
    ("", None),
]


@pytest.mark.parametrize(("given", "web"), FORMS)
def test_every_form_of_an_address_becomes_the_web_address(given: str, web: str | None) -> None:
    assert normalise(given) == web


def _course(root: Path, url: str) -> None:
    (root / "book").mkdir()
    text = f'[repository]\nurl = "{url}"\nbranch = "trunk"\n'
    (root / "book" / "course.toml").write_text(text, encoding="utf-8")


def _origin(root: Path, url: str) -> None:
    for command in (["init", "-q"], ["remote", "add", "origin", url]):
        subprocess.run(["git", "-C", str(root), *command], check=True)


def test_the_file_comes_before_the_environment_and_that_before_git(tmp_path: Path) -> None:
    environment = {"GITHUB_REPOSITORY": "env/name"}
    assert address(tmp_path, {}) is None
    _origin(tmp_path, "git@gitlab.com:git/name.git")
    assert address(tmp_path, {}) == Repository("https://gitlab.com/git/name")
    assert address(tmp_path, environment) == Repository("https://github.com/env/name")
    server = environment | {"GITHUB_SERVER_URL": "https://github.example.org/"}
    assert address(tmp_path, server) == Repository("https://github.example.org/env/name")
    _course(tmp_path, "https://example.org/file/name")
    assert address(tmp_path, server) == Repository("https://example.org/file/name", "trunk")


def test_a_remote_on_this_machine_is_no_address(tmp_path: Path) -> None:
    _origin(tmp_path, str(tmp_path / "elsewhere"))
    assert address(tmp_path, {}) is None


def test_an_address_without_a_name_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    _course(tmp_path, "https://example.org/name")
    with pytest.raises(CourseError, match="links need host, owner and name"):
        address(tmp_path, {})


@pytest.mark.parametrize(
    ("url", "provider", "pages"),
    [
        ("https://github.com/Owner/name", "github", "https://owner.github.io/name/"),
        ("https://github.com/owner/owner.github.io", "github", "https://owner.github.io/"),
        ("https://gitlab.com/owner/name", "gitlab", "https://owner.gitlab.io/name/"),
        ("https://gitlab.com/group/sub/name", "gitlab", ""),
        ("https://bitbucket.org/owner/name", "bitbucket", ""),
        ("https://example.org/owner/name", "github", ""),
    ],
)
def test_what_follows_from_an_address(url: str, provider: str, pages: str) -> None:
    repository = Repository(url)
    assert (repository.provider, repository.pages) == (provider, pages)
    assert f"https://{repository.host}/{repository.owner}/{repository.name}" == url


def test_a_repository_variable_that_is_no_owner_and_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="owner/name"):
        address(tmp_path, {"GITHUB_REPOSITORY": "https://github.com/me/book"})
