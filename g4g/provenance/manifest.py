"""The mark of a dub: a signed C2PA manifest in the file, or beside it where the container cannot hold one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import c2pa

from g4g import __version__
from g4g.errors import MediaError
from g4g.media.mark import EMBEDDED, Mark, sidecar_of
from g4g.provenance.facts import PROGRAM, DubFacts
from g4g.provenance.settings import make_context
from g4g.provenance.signer import Signer

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's word for a picture that was partly made by a trained network."""
ASSERTION = "g4g.dub"
"""Label of the statement in our own form, `DubFacts.to_json`."""
COMMENT = f"The lips in this video were made by a machine ({PROGRAM} {__version__})."
"""The plain metadata tag."""

_INGREDIENT = "source"
_STARTS = (
    (4, b"ftyp", "video/mp4"), (0, b"\x89PNG", "image/png"), (0, b"\xff\xd8\xff", "image/jpeg"),
)  # fmt: skip
"""Files whose manifests go along: where a word stands in their first bytes, the word, the media type."""
_ANY_TYPE = "application/octet-stream"


def make_mark(out: Path, source: Path, signer: Signer, state: Callable[[], DubFacts]) -> Mark:
    """Make the mark that a VideoWriter puts on a dub.

    Args:
        out: the dub.
        source: the video that it was made from; where that carries a manifest, it goes along as C2PA's ingredient.
        signer: who signs.
        state: called once all frames are made; tells what was done.
    """
    media_type = EMBEDDED.get(out.suffix.lower())

    def seal(whole: Path) -> bytes | None:
        manifest = _sign(whole, media_type, source, signer, state())
        return None if media_type else manifest

    return Mark(COMMENT, seal, sidecar_of(out))


def describe_mark(out: Path, signer: Signer) -> str:
    """Say in a sentence how a dub is marked."""
    sidecar = sidecar_of(out)
    place = "in the file" if sidecar is None else f"in {sidecar.name}, since {out.suffix} cannot hold it"
    by = "your own self-made certificate" if signer.is_self_made else signer.name
    return f"C2PA manifest {place}, signed by {by}"


def describe_edit(facts: DubFacts) -> dict:
    """Return the manifest's definition.

    Source:
        C2PA 2.2, section 18.15 (actions) and 18.16 (ingredients); the file name of the source stays unsaid.
    """
    agent = {"name": PROGRAM, "version": __version__}
    edited = {
        "action": "c2pa.edited", "digitalSourceType": SOURCE_TYPE, "softwareAgent": agent,
        "description": "The lips were made anew to say other words.",
        "changes": [
            {"region": [{"type": "temporal", "time": {"type": "npt", "start": f"{start}", "end": f"{stop}"}}]}
            for start, stop in facts.spans_s
        ],
    }  # fmt: skip
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": [_INGREDIENT]}}
    return {
        "claim_generator_info": [agent],
        "title": "dubbed video",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [opened, edited]}},
            {"label": ASSERTION, "data": facts.to_json()},
        ],
    }


def _sign(whole: Path, media_type: str | None, source: Path, signer: Signer, facts: DubFacts) -> bytes:
    """Sign a finished file in place and return the manifest's bytes; without a media type the file stays as it is."""
    sealed = whole.with_name("sealed")
    try:
        wanted, parent = describe_edit(facts), {"title": "source video", "relationship": "parentOf"}
        parent["label"] = _INGREDIENT
        kind = _tell_kind(source) if source.is_file() else None
        has_own = kind is not None and _carries_manifest(source, kind)
        builder = c2pa.Builder(wanted if has_own else {**wanted, "ingredients": [parent]}, context=make_context())
        if has_own:
            with open(source, "rb") as stream:
                builder.add_ingredient(parent, kind, stream)
        if media_type is None:
            builder.set_no_embed()
        with open(whole, "rb") as plain, open(sealed, "w+b") as signed:
            manifest = builder.sign(signer.open(), media_type or _ANY_TYPE, plain, signed)
    except (c2pa.C2paError, OSError) as error:
        raise MediaError(f"the dub cannot be signed, so nothing was written: {error}") from error
    if media_type:
        os.replace(sealed, whole)
    else:
        sealed.unlink()
    return manifest


def _tell_kind(source: Path) -> str | None:
    """Tell the media type of a file by its first bytes, since names may lie; None: not one that carries manifests."""
    with open(source, "rb") as file:
        start = file.read(12)
    return next((kind for place, word, kind in _STARTS if start[place:].startswith(word)), None)


def _carries_manifest(source: Path, kind: str) -> bool:
    """Tell whether a file holds a manifest that can be read, good or not."""
    try:
        with open(source, "rb") as stream:
            reader = c2pa.Reader.try_create(kind, stream, context=make_context())
    except c2pa.C2paError:  # damaged: it has nothing that could go along
        return False
    if reader is None:
        return False
    reader.close()
    return True
