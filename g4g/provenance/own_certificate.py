"""A certificate of our own making: an authority that signs one certificate and whose key is then forgotten."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_DAYS = 3650
"""No time-stamp server vouches for when a dub was signed, so a signature is good as long as its certificate is."""
ORGANIZATION = "g4g self-made certificate"
"""Owner of every such certificate: nobody has checked who it is."""

_USES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def make_certificates() -> tuple[bytes, bytes, bytes]:
    """Make a key and its certificate, ES256, signed by an authority made for it alone.

    Returns:
        PEM of the private key, of the chain (certificate, authority), and of the authority. The names in them are
        random: neither user nor machine can be told from a dub.
    Source:
        C2PA 2.2, section 14.5: what a signer's certificate must hold.
    """
    number = secrets.token_hex(4)
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name, name = _name(f"authority {number}"), _name(f"signer {number}")
    mark = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = (
        _start(authority_name, authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_allow("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(mark, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    leaf = (
        _start(name, authority_name, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_allow("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(mark), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    top = authority.public_bytes(Encoding.PEM)
    return private, leaf.public_bytes(Encoding.PEM) + top, top


def _name(common: str) -> x509.Name:
    parts = {NameOID.ORGANIZATION_NAME: ORGANIZATION, NameOID.COMMON_NAME: f"g4g {common}"}
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts.items()])


def _start(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # another computer's clock may be behind
        .not_valid_after(now + timedelta(days=VALID_DAYS))
    )


def _allow(*uses: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: use in uses for use in _USES})
