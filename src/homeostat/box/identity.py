"""What makes a plane its own: a certificate authority, the API server's certificate, the key of its service accounts, and random tokens.

Made once, at the first start, and kept until a reset: a kubeconfig handed out stays good. A plane accepts no client certificates, so that
the authority's key signs one certificate and is then forgotten.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
import os
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from homeostat.box.files import Files

USERS = {
    "admin": "homeostat-box-admin",
    "kube-controller-manager": "system:kube-controller-manager",
    "kube-scheduler": "system:kube-scheduler",
    "kwok": "system:kwok",
}
"""Who signs in with a token of their own: the human and each component. All may do everything: what a component does in someone's name it is
trusted to do anyway, and RBAC is there for what is tried on the plane."""

_VALID = dt.timedelta(days=3650)
"""A box is for trying: nobody wants to renew its certificate."""


def make(files: Files) -> None:
    """Makes the certificates, keys and tokens of a plane that has none. What is written is readable by its user alone."""
    for folder in (files.root, files.key("ca").parent, files.component_kubeconfig("kwok").parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if files.tokens.exists():
        return
    authority = ec.generate_private_key(ec.SECP256R1())
    server = ec.generate_private_key(ec.SECP256R1())
    authority_certificate = _authority(authority, f"homeostat box {files.root.name}")
    write(files.certificate("ca"), _pem(authority_certificate))
    write(files.certificate("kube-apiserver"), _pem(_server(server, authority, authority_certificate)))
    write(files.key("kube-apiserver"), _key_pem(server))
    write(files.key("service-accounts"), _key_pem(ec.generate_private_key(ec.SECP256R1())))
    rows = (f'{secrets.token_urlsafe(32)},{user},{user},"system:masters"\n' for user in USERS.values())
    write(files.tokens, "".join(rows))  # last: it says that the rest is there


def token(files: Files, who: str) -> str:
    """The token of one of :data:`USERS`."""
    for row in files.tokens.read_text().splitlines():
        secret, user, *_ = row.split(",")
        if user == USERS[who]:
            return secret
    raise LookupError(who)


def write_kubeconfigs(files: Files, port: int) -> None:
    """Writes the kubeconfig of the human and of each component for an API server on ``port``."""
    name = f"homeostat-{files.root.name}"
    for who in USERS:
        path = files.kubeconfig if who == "admin" else files.component_kubeconfig(who)
        # JSON is YAML: no client minds, and nothing needs quoting rules.
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [
                {
                    "name": name,
                    "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": _base64(files.certificate("ca"))},
                },
            ],
            "users": [{"name": f"{name}-{who}", "user": {"token": token(files, who)}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": f"{name}-{who}"}}],
        }
        write(path, json.dumps(content, indent=2) + "\n")


def write(path: Path, content: str) -> None:
    """Writes a file that only its user can read, whole or not at all."""
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    scratch.replace(path)


def _authority(key: ec.EllipticCurvePrivateKey, name: str) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = _usage(signs_certificates=True)
    return (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _server(key: ec.EllipticCurvePrivateKey, authority: ec.EllipticCurvePrivateKey, issuer: x509.Certificate) -> x509.Certificate:
    names = [x509.DNSName(name) for name in ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")]
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "10.0.0.1")]
    return (
        _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")]), issuer.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
        .sign(authority, hashes.SHA256())
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + _VALID)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
