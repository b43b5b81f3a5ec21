"""Who signs dubs: a certificate that the user names, or one of our own making, kept for this user."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from filelock import FileLock

from g4g.errors import ConfigError
from g4g.provenance.own_certificate import make_certificates
from g4g.provenance.settings import make_context

CONFIG_VARIABLE = "G4G_CONFIG"
"""Environment variable: the folder to use instead of g4g in the user's configuration folder."""
SIGNER_NAME, AUTHORITY_NAME = "signer.pem", "authority.pem"
"""Our own key with its certificates (for the owner only), and the certificate that others may be given."""

_CURVES = {256: "es256", 384: "es384", 521: "es512"}
_SMALLEST_RSA_BITS = 2048


@dataclass(frozen=True)
class Signer:
    """A certificate and its key: `chain` (PEM, the signer's own first), `key` (PEM), `algorithm` as C2PA names it."""

    chain: bytes
    key: bytes = field(repr=False)
    algorithm: str
    is_self_made: bool

    @property
    def name(self) -> str:
        """The certificate's owner in its own words."""
        return x509.load_pem_x509_certificate(self.chain).subject.rfc4514_string()

    def open(self) -> c2pa.Signer:
        """Make the library's signer; it asks no time-stamp server, since that would need the network."""
        return c2pa.Signer.from_info(c2pa.C2paSignerInfo(self.algorithm, self.chain, self.key, None))


def config_folder() -> Path:
    """Find the user's configuration folder: CONFIG_VARIABLE, else ~/.config/g4g (or $XDG_CONFIG_HOME/g4g)."""
    named = os.environ.get(CONFIG_VARIABLE)
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(named) if named else Path(home) / "g4g"


def read_own_authority() -> str:
    """Return the certificate of our own authority (PEM); empty: nothing was signed here yet."""
    file = config_folder() / AUTHORITY_NAME
    return file.read_text(encoding="ascii") if file.is_file() else ""


def choose_signer(pair: tuple[str | Path, str | Path] | None) -> Signer:
    """Load the signer that the user names, else our own; raises as `read_signer` and `own_signer`."""
    return read_signer(*pair) if pair else own_signer()


def own_signer() -> Signer:
    """Load the self-made certificate; make it at the first use.

    Raises:
        ConfigError: the configuration folder cannot be used, or others can read the key.
    """
    folder = config_folder()
    file = folder / SIGNER_NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(folder / (SIGNER_NAME + ".lock"), mode=0o600):  # two first dubs side by side share one
            if not file.exists():
                key, chain, authority = make_certificates()
                _write_new(folder / AUTHORITY_NAME, authority, 0o644)
                _write_new(file, key + chain, 0o600)
        content = file.read_bytes()
        if os.name == "posix" and file.stat().st_mode & 0o077:
            raise ConfigError(f"others can read the signing key {file}; run chmod 600 on it")
    except OSError as error:
        raise ConfigError(
            f"the signing certificate cannot be kept in {folder}: {error.strerror or error}; set {CONFIG_VARIABLE} to "
            "a folder of your own, or name a certificate with `sign`"
        ) from error
    start = content.find(b"-----BEGIN CERTIFICATE")
    return _check(Signer(content[start:], content[:start], "es256", True), f"{file}; delete it, and a new one is made")


def read_signer(certificate: str | Path, key: str | Path) -> Signer:
    """Load a certificate that the user names, and try it.

    Args:
        certificate: PEM file, the signer's certificate first, then those that signed it.
        key: PEM file with its private key, without a password.
    Raises:
        ConfigError: a file cannot be read, the two do not belong together, or C2PA does not let them sign.
    """
    content = {}
    for file in (certificate, key):
        try:
            content[file] = Path(file).read_bytes()
        except OSError as error:
            raise ConfigError(f"`sign` takes two PEM files, cannot read {file}: {error.strerror}") from error
    try:
        leaf = x509.load_pem_x509_certificate(content[certificate])
    except ValueError as error:
        raise ConfigError(f"{certificate} holds no certificate in PEM; give the signer's, then its issuers'") from error
    try:
        private = load_pem_private_key(content[key], None)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{key} holds no private key in PEM without a password ({error})") from error
    kind = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*kind) != leaf.public_key().public_bytes(*kind):
        raise ConfigError(f"{key} is not the key of the first certificate in {certificate}; give the two of one signer")
    plain = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return _check(Signer(content[certificate], plain, _name_algorithm(private), False), f"{certificate}")


def _name_algorithm(key) -> str:
    """Name what C2PA signs with a key of this kind."""
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size in _CURVES:
        return _CURVES[key.curve.key_size]
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _SMALLEST_RSA_BITS:
        return "ps256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    raise ConfigError("C2PA signs with keys of P-256, P-384, P-521, Ed25519 or RSA from 2048 bits; give one of these")


def _check(signer: Signer, what: str) -> Signer:
    """Sign a few bytes, so that a certificate that C2PA refuses is told before the work."""
    created = {"action": "c2pa.created", "digitalSourceType": "http://c2pa.org/digitalsourcetype/empty"}
    wanted = {
        "claim_generator_info": [{"name": "g4g"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}],
    }
    try:
        builder = c2pa.Builder(wanted, context=make_context())
        builder.set_no_embed()
        builder.sign(signer.open(), "application/octet-stream", io.BytesIO(b"g4g"), io.BytesIO())
    except c2pa.C2paError as error:
        raise ConfigError(
            f"C2PA does not let this certificate sign ({' '.join(str(error).split())}): {what}; docs/provenance.md "
            "says what it must hold"
        ) from error
    return signer


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that nobody else can read meanwhile, whole or not at all."""
    beside = path.with_name(path.name + ".part")
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    os.replace(beside, path)
