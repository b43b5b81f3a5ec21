"""What a file carries: its manifest, whether file and manifest are still what was signed, and who signed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import c2pa

from g4g.errors import ConfigError, MediaError
from g4g.media.decode import check_input
from g4g.media.mark import EMBEDDED, sidecar_of
from g4g.media.other_streams import read_comment
from g4g.media.read import read_frames
from g4g.provenance.manifest import ASSERTION, SOURCE_TYPE
from g4g.provenance.settings import make_context
from g4g.provenance.signer import read_own_authority

INTACT, CHANGED, NONE, UNREADABLE = "intact", "changed", "no manifest", "cannot be read"
"""States of a file: as it was signed; changed since, or the manifest is; nothing to tell by; one of them damaged."""
TRUSTED, OWN, UNKNOWN = "trusted", "own", "unknown"
"""Signers: an authority that the caller trusts vouches for it; this user's self-made certificate; nobody knows."""

_TRUST_WORDS = {
    TRUSTED: "trusted: an authority that you named vouches for this signer",
    OWN: "self-made on this computer: it proves that you signed it here, and nothing to others",
    UNKNOWN: "not trusted: nobody vouches for this signer; `trust` takes certificates of authorities that you trust",
}
_LOOKED_AT = 50
"""Frames in which the watermark is looked for."""
_ACTIONS = ("c2pa.actions.v2", "c2pa.actions")
_MACHINE_MADE = (SOURCE_TYPE, "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia")
"""Also said by other programs that make pictures."""
_TRUST_CODE, _UNTRUSTED_CODE = "signingCredential.trusted", "signingCredential.untrusted"


@dataclass(frozen=True)
class Inspection:
    """What a file was found to carry.

    Attributes:
        file: the file.
        state: INTACT, CHANGED, NONE or UNREADABLE.
        manifest: where the manifest stands, the file itself or its sidecar; None: nowhere.
        signer: the name in the certificate; empty: none that can be read.
        trust: TRUSTED, OWN or UNKNOWN; None where the state is not INTACT: then a name proves nothing.
        machine_made: an action in it says that a trained network made parts of the picture.
        dub: our own statement, as `DubFacts.to_json` wrote it; empty: g4g did not sign it.
        problems: why it is not INTACT, a sentence each.
        comment: the plain metadata tag, which anybody can change.
        watermark: whether the picture itself carries our mark; None: nobody looked.
    """

    file: Path
    state: str
    manifest: Path | None = None
    signer: str = ""
    trust: str | None = None
    machine_made: bool = False
    dub: dict | None = None
    problems: tuple[str, ...] = ()
    comment: str = ""
    watermark: bool | None = None

    def __str__(self) -> str:
        lines = [f"{self.file}: {self.state}"]
        if self.manifest is not None:
            where = "in the file" if self.manifest == self.file else f"in {self.manifest}"
            lines.append(f"manifest: {where}, signed by {self.signer or 'nobody who can be read'}")
        lines += [f"signer: {_TRUST_WORDS[self.trust]}"] if self.trust else []
        lines += [f"problem: {problem}" for problem in self.problems]
        lines += ["says: parts of the picture were made by a trained network"] if self.machine_made else []
        lines += _describe_dub(self.dub) if self.dub else []
        lines += [f"metadata tag: {line}" for line in self.comment.splitlines()]
        lines += [] if self.watermark is None else [f"watermark in the picture: {'yes' if self.watermark else 'none'}"]
        # whoever made the file chose these words: none may steer the terminal
        return "\n  ".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)

    def to_json(self) -> str:
        """Return all fields as JSON text."""
        return json.dumps(asdict(self), default=str, indent=2, ensure_ascii=False)


def inspect(file: str | Path, trust: Iterable[str | Path] = (), *, watermark: bool = False) -> Inspection:
    """Tell what a video says of its making, whether it is intact, and who signed it; nothing is fetched.

    Args:
        file: a video; its manifest may stand beside it under the same name with the ending .c2pa.
        trust: PEM files with the certificates of authorities whose signers are trusted.
        watermark: also look for our mark in the picture's first frames.
    Returns:
        Inspection.
    Raises:
        MediaError: no such file. ConfigError: a file of `trust` holds no certificates.
    """
    found = _inspect_manifest(check_input(file), trust)
    return replace(found, watermark=_has_watermark(found.file)) if watermark else found


def _has_watermark(file: Path) -> bool:
    """Look for the mark; what cannot be read as pictures carries none."""
    from g4g.provenance.watermark import LEAST_SCORE, score_watermark  # OpenCV, which all else here can do without

    try:
        frames = read_frames(file, on_fault=lambda told: None)
        return score_watermark(item.frame for item in islice(frames, _LOOKED_AT)) >= LEAST_SCORE
    except MediaError:
        return False


def _inspect_manifest(file: Path, trust: Iterable[str | Path]) -> Inspection:
    anchors = "\n".join(_read_anchors(Path(path)) for path in trust)
    sidecar, comment = sidecar_of(file), _read_comment(file)
    if sidecar is not None and not sidecar.is_file():
        sidecar = None
    place = sidecar or file
    try:
        table = _read_manifest(file, sidecar, make_context(anchors, read_own_authority()))
    except c2pa.C2paError as error:
        if isinstance(error, c2pa.C2paError.ManifestNotFound | c2pa.C2paError.NotSupported):
            return Inspection(file, NONE, comment=comment, problems=(f"no C2PA manifest in {file.name} or beside it",))
        problem = f"{place.name} cannot be read: {' '.join(str(error).split())}"
        return Inspection(file, UNREADABLE, problems=(problem,), comment=comment)
    return _judge(file, place, table, comment)


def _read_manifest(file: Path, sidecar: Path | None, context: c2pa.Context) -> dict:
    """Read a manifest and hold the file to it."""
    with ExitStack() as stack:
        stream = stack.enter_context(open(file, "rb"))
        if sidecar is None:
            media_type = EMBEDDED.get(file.suffix.lower(), file.suffix.lstrip(".").lower())
            reader = c2pa.Reader(media_type, stream, context=context)
        else:
            reader = c2pa.Reader("application/octet-stream", stream, sidecar.read_bytes(), context=context)
        with reader:
            return json.loads(reader.json())


def _judge(file: Path, place: Path, table: dict, comment: str) -> Inspection:
    """Turn the library's findings into ours."""
    active = table["manifests"][table["active_manifest"]]
    results = table["validation_results"]["activeManifest"]
    faults = [found for found in results["failure"] if found["code"] != _UNTRUSTED_CODE]
    is_intact = not faults and table["validation_state"] in ("Valid", "Trusted")
    data = {found["label"]: found["data"] for found in active.get("assertions", [])}
    actions = [action for label in _ACTIONS for action in data.get(label, {}).get("actions", [])]
    names = active.get("signature_info", {})
    return Inspection(
        file, INTACT if is_intact else CHANGED, place,
        signer=", ".join(filter(None, (names.get("common_name"), names.get("issuer")))),
        trust=_tell_trust(results["success"]) if is_intact else None,
        machine_made=any(action.get("digitalSourceType") in _MACHINE_MADE for action in actions),
        dub=data.get(ASSERTION),
        problems=tuple(f"{found['explanation']} ({found['code']})" for found in faults),
        comment=comment,
    )  # fmt: skip


def _tell_trust(successes: list[dict]) -> str:
    """Tell by which list of authorities a signer was found good."""
    for found in successes:
        if found["code"] == _TRUST_CODE:
            return OWN if "user_anchors" in found["explanation"] else TRUSTED
    return UNKNOWN


def _read_anchors(path: Path) -> str:
    """Read certificates that are trusted."""
    try:
        content = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"`trust` takes PEM files of certificates, cannot read {path}: {error}") from error
    if "-----BEGIN CERTIFICATE-----" not in content:
        raise ConfigError(f"{path} holds no certificate in PEM; give the certificate of an authority that you trust")
    return content


def _read_comment(file: Path) -> str:
    """Read the metadata tag; a file that is no media file has none."""
    try:
        return read_comment(file)
    except MediaError:
        return ""


def _describe_dub(dub: dict) -> list[str]:
    """Say in lines what a dub states; anybody can sign a statement under this name, in any form."""
    try:
        return _list_statements(dub)
    except (KeyError, TypeError, ValueError):
        return [f"says: {ASSERTION}, in a form that this g4g does not read"]


def _list_statements(dub: dict) -> list[str]:
    software, weights = dub["software"], dub["weights"]
    spans = ", ".join(f"{span['start_s']:.2f}-{span['end_s']:.2f} s" for span in dub["spans"]) or "no frame"
    faces = ", ".join(str(face["number"]) for face in dub["faces"])
    return [
        f"dubbed by: {software['name']} {software['version']}, weights {weights['name']}",
        f"weights' sha256: {weights['sha256'] or 'not from a file'}",
        f"dubbed: {spans}, face {faces}",
        *(
            f"face {learnt['face']}: networks learnt from this person, sha256 {learnt['sha256']}"
            for learnt in dub.get("learnt", ())
        ),
        f"source's sha256: {dub['source']['sha256']}",
        *(f"sound's sha256: {sound['sha256']}" for sound in dub["sounds"]),
    ]
