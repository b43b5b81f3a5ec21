"""How the C2PA library is asked to work: no network, and which certificates are good."""

from __future__ import annotations

import c2pa

KEY_USES = "\n".join(("1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1"))
"""Extended key usages of certificates that may sign: e-mail protection, document signing, C2PA claim signing."""
_MEMORY_MB = 1
_PIECE_KB = 1024
"""Files are held in memory up to this size, and their pictures hashed in pieces of this size: without them signing took
twice the file's size of memory."""


def make_context(trusted: str = "", own: str = "") -> c2pa.Context:
    """Make the library's settings: it fetches nothing, draws no thumbnails, and checks what it has signed.

    Args:
        trusted: certificates (PEM) of those whose signatures are trusted.
        own: the certificate (PEM) of this user's own authority; the library reports it apart from the others.
    """
    trust = {"trust_config": KEY_USES}
    trust |= {"trust_anchors": trusted} if trusted else {}
    trust |= {"user_anchors": own} if own else {}
    verify = {
        "remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": True,
        "verify_trust": bool(trusted or own),
    }  # fmt: skip
    settings = {
        "verify": verify, "trust": trust, "builder": {"thumbnail": {"enabled": False}},
        "core": {"backing_store_memory_threshold_in_mb": _MEMORY_MB, "merkle_tree_chunk_size_in_kb": _PIECE_KB},
    }  # fmt: skip
    return c2pa.Context(c2pa.Settings.from_dict(settings))
