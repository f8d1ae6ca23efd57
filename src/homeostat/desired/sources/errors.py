"""What can go wrong between a repository address and its files, split by what the caller can do about it.

    SourceError
    ├── RefusedError                  the address or the revision is not one that is handed to git; edit it
    ├── UnauthorisedError             the server wants other credentials
    ├── IdentityError                 the server's certificate or host key is not trusted
    ├── RepositoryMissingError        the server knows no such repository
    ├── EmptyRepositoryError          the repository has no commit yet
    ├── RevisionMissingError          the repository was read and has no such revision
    │   ├── RevisionDeletedError      … any more: an earlier fetch had it
    │   └── CommitMissingError        … the commit is on no branch or tag, and the server does not hand it out (rewritten history)
    ├── ArchiveError                  an archive that is broken, or that no harmless program has made
    ├── LyingError                    what the server sent is not what it, or the lock, said that it would be
    ├── DependencyError               the dependencies of a chart cannot be told; its author mends them
    ├── UnavailableError              try again later; it may work then
    │   ├── UnreachableError          no connection to the server
    │   ├── SlowError                 the server stopped answering, or answers too slowly
    │   └── FetchFailedError          the server or git failed in another way
    └── CacheError                    the copy on disk is damaged; it is cloned again at the next resolve

Messages carry the address without user information, and never a credential: what git prints is redacted in ``failures.py``.
"""

from __future__ import annotations

from homeostat.model.errors import HomeostatError


class SourceError(HomeostatError):
    """A repository, a revision or its files cannot be had."""


class RefusedError(SourceError):
    """An address or a revision that is never handed to git: an unknown transport, an option in disguise, control characters."""


class UnauthorisedError(SourceError):
    """The server answered 401 or 403, or refused the key."""


class IdentityError(SourceError):
    """The server is not who it should be: its certificate or host key is unknown or wrong."""


class RepositoryMissingError(SourceError):
    """The server knows no repository at this address, or hides it from these credentials."""


class EmptyRepositoryError(SourceError):
    """The repository has no commit."""


class RevisionMissingError(SourceError):
    """No branch, tag, commit or version range of this name."""


class RevisionDeletedError(RevisionMissingError):
    """The branch or tag was there at an earlier fetch of this process."""


class CommitMissingError(RevisionMissingError):
    """A commit that no branch or tag leads to, and that the server does not hand out by its id."""


class ArchiveError(SourceError):
    """An archive that cannot be read, leaves itself, or is out of proportion."""


class LyingError(SourceError):
    """A digest or a length is another one than announced."""


class DependencyError(SourceError):
    """A chart whose lock is out of sync, or that depends on what nobody has."""


class UnavailableError(SourceError):
    """Nothing is wrong with the request; the server may answer later."""


class UnreachableError(UnavailableError):
    """No connection: the name does not resolve, the port is closed, the network is down."""


class SlowError(UnavailableError):
    """The server accepted the connection and then was silent or too slow."""


class FetchFailedError(UnavailableError):
    """git failed for a reason that has no class of its own; the message ends in what git said."""


class CacheError(SourceError):
    """An object that must be in the cache cannot be read. The cache is thrown away and cloned again by the next resolve."""
