"""What git said when it failed → one error class, with a message that a person can act on and that holds no credential.

git has one exit code for nearly everything, so its English messages (``LC_ALL=C``) and those of curl and ssh are matched. Lines that the *server*
wrote (``remote: …``) are shown but never matched: a server must not choose our error class. What matches nothing is a FetchFailedError.
"""

from __future__ import annotations

import base64
import re
from urllib.parse import quote

from homeostat.desired.sources import errors
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.git_process import Finished
from homeostat.desired.sources.urls import Address

_Pattern = tuple[re.Pattern[str], type[errors.SourceError], str, str]


def _rule(pattern: str, error: type[errors.SourceError], says: str, hint: str = "") -> _Pattern:
    return re.compile(pattern, re.IGNORECASE), error, says, hint


_KEY_HINT = "add the server's key to `argocd-ssh-known-hosts-cm`"
_CA_HINT = "add the authority's certificate to `argocd-tls-certs-cm` under the host's name"
_SIGN_IN_HINT = "check the repository Secret of this address"

# In order: the first that matches decides. The precise ones come first, since ssh's and git's general complaints follow them.
_RULES: tuple[_Pattern, ...] = (
    _rule(r"no space left on device|disk quota exceeded", errors.FetchFailedError, "the disk of the cache is full", "give the cache more room"),
    _rule(r"remote host identification has changed", errors.IdentityError, "the server shows another host key than the known one",
          "if the server really has a new key, put it into `argocd-ssh-known-hosts-cm`"),
    _rule(r"host key verification failed|host key is known|no hostkey alg|unable to negotiate.*host key", errors.IdentityError,
          "the server's host key is not known", _KEY_HINT),
    _rule(r"load key .*(invalid format|libcrypto|incorrect passphrase)|identity_sign.*", errors.UnauthorisedError,
          "the SSH private key cannot be used", "give sshPrivateKey as an unencrypted OpenSSH or PEM key"),
    _rule(r"permission denied|too many authentication failures|no supported authentication methods", errors.UnauthorisedError,
          "the server refused the sign-in", _SIGN_IN_HINT),
    _rule(r"ssl certificate problem|certificate verif|certificate subject name|gnutls_handshake|self.signed certificate|ssl peer cert"
          r"|server certificate|unable to get local issuer|ssl: no alternative", errors.IdentityError,
          "the server's certificate is not trusted", _CA_HINT),
    _rule(r"error setting certificate|unable to (set|load).*(cert|key)|could not load (pem )?client certificate", errors.UnauthorisedError,
          "the certificate files of the repository cannot be read", "check tlsClientCertData, tlsClientCertKey and `argocd-tls-certs-cm`"),
    _rule(r"authentication failed|could not read (username|password)|invalid credentials|returned error: 40[137]|invalid username or",
          errors.UnauthorisedError, "the server refused the sign-in", _SIGN_IN_HINT),
    _rule(r"returned error: 30[12378]|unable to update url base from redirection", errors.RefusedError,
          "the server redirects, and again when it is asked there", "use the address that it redirects to"),
    _rule(r"operation too slow|operation timed out|timed out during|connection timed out|timeout, server|connect.*timeout|timeout was reached",
          errors.SlowError, "the server does not answer in time", "check that the server is up and reachable from here"),
    _rule(r"could not resolve host|couldn't resolve host|name or service not known|temporary failure in name resolution",
          errors.UnreachableError, "the server's name does not resolve", "check the host name in the address"),
    _rule(r"connection refused|failed to connect|couldn't connect|no route to host|network is unreachable|connection reset|empty reply"
          r"|connection closed|broken pipe|recv failure|kex_exchange_identification|could not resolve proxy|unexpected eof"
          r"|connection was terminated", errors.UnreachableError, "there is no connection to the server",
          "check that the server is up and reachable from here"),
    _rule(r"dubious ownership", errors.RefusedError, "the local repository belongs to another user",
          "make it belong to the user that runs Homeostat"),
    _rule(r"returned error: 4(04|10)|repository '.*' not found|repository not found|does not appear to be a git repository|not found: did you",
          errors.RepositoryMissingError, "there is no such repository, or it is hidden from these credentials",
          "check `repoURL` and the repository Secret"),
    _rule(r"returned error: 429", errors.FetchFailedError, "the server asks for fewer requests", "lengthen timeout.reconciliation"),
    _rule(r"returned error: 5\d\d", errors.FetchFailedError, "the server failed"),
)  # fmt: skip

_DAMAGE = re.compile(
    r"bad object|object file .* is empty|is corrupt|not a git repository: |inflate: data stream|does not match index|packfile .* "
    r"cannot be|bad config (line|file)|unable to (read|unpack) |bad pack|invalid index-pack|missing (blob|tree|commit) |unable to find [0-9a-f]{40}"
    r"|did not send all necessary objects|unable to parse object|unresolved deltas|not a valid (ref|object)|broken ref|bad ref|"
    r"could not read [0-9a-f]{40}|failed to read object|your current branch appears to be broken",
    re.IGNORECASE,
)
_GONE = re.compile(r"not our ref|unadvertised object|couldn't find remote ref|no such remote ref|not found in upstream", re.IGNORECASE)


def is_damage(finished: Finished) -> bool:
    """Whether git complains of the copy on this disk rather than of the server."""
    return bool(_DAMAGE.search(_own_lines(finished.error)))


def is_gone(finished: Finished) -> bool:
    """Whether the server does not hand out the commit that was asked for by its id."""
    return bool(_GONE.search(finished.error))


def is_redirect(finished: Finished) -> bool:
    return bool(re.search(r"returned error: 30[12378]|unable to update url base from redirection", _own_lines(finished.error)))


def explain(finished: Finished, address: Address, credentials: Credentials | None) -> errors.SourceError:
    """The error that a failed run means."""
    start = f"The Git repository {address.url} cannot be fetched"
    if finished.stalled:
        return errors.SlowError(f"{start}: the server {finished.stalled}", hint="check that the server is up and reachable from here")
    own = _own_lines(finished.error)
    said = redact(_last_words(finished.error), credentials, address)
    for pattern, error, says, hint in _RULES:
        if pattern.search(own):
            return error(f"{start}: {says} ({said})" if said else f"{start}: {says}", hint=hint)
    return errors.FetchFailedError(f"{start}: {said or f'git ended with code {finished.code}'}")


def redact(text: str, credentials: Credentials | None, address: Address) -> str:
    """``text`` without any credential, in whatever spelling git or curl may print it, and without user information in addresses."""
    hidden = [*(credentials.secrets if credentials else ()), address.password]
    username = (credentials.username if credentials else "") or address.username
    for value in [value for value in hidden if value]:
        pair = base64.b64encode(f"{username or 'git'}:{value}".encode()).decode()
        for spelling in (value, quote(value, safe=""), pair):
            text = text.replace(spelling, "***")
    return re.sub(r"(://)[^/@\s']*@", r"\1", text)


def _own_lines(text: str) -> str:
    lines = re.split(r"[\r\n]+", text)
    return "\n".join(line for line in lines if not line.lstrip().lower().startswith("remote:"))


def _last_words(text: str) -> str:
    """What git said at the end, on one line, without progress and without advice that is meant for someone at a terminal."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
    telling = [
        line for line in lines
        if line and not re.search(r"^\S[\w ]+: +\d+% |^please make sure|^and the repository exists|^@{4}|, done\.$|^hint: ", line, re.IGNORECASE)
    ]  # fmt: skip
    said = "; ".join(telling[-3:])
    return said if len(said) <= 400 else "…" + said[-400:]
