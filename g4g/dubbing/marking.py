"""How a dub is marked as made by a machine: who signs, and what is stated once its frames are made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from g4g.dubbing.dub import Dub
from g4g.media.mark import Mark, sidecar_of
from g4g.media.write import check_output
from g4g.options import DubOptions
from g4g.provenance import (
    DubFacts,
    Signer,
    choose_signer,
    describe_mark,
    hash_source,
    list_spans,
    make_mark,
)
from g4g.provenance.watermark import add_watermark
from g4g.zoo import Models


class Marker:
    """Marks one dub; everything that can be wrong with its certificate is told when it is made."""

    def __init__(self, out: Path, settings: DubOptions, inputs: Iterable[str | Path]) -> None:
        """Choose the signer. Raises ConfigError where it cannot sign, MediaError where a sidecar is in the way."""
        self._out = out
        self._signer: Signer | None = None
        self._draw = add_watermark if settings.watermark else None
        if not settings.provenance:
            self.words = "none, as asked: nothing in the output says that its lips were made by a machine"
            return
        sidecar = sidecar_of(out)
        if sidecar is not None:
            check_output(sidecar, settings.overwrite, inputs)
        if settings.dry_run:
            self.words = "the output would carry a signed C2PA manifest"
            return
        self._signer = choose_signer(settings.sign)
        self.words = describe_mark(out, self._signer) + (", and a watermark in all pixels" if self._draw else "")

    def make(self, models: Models, dub: Dub, sounds: Iterable[str | Path], passed: list) -> Mark | None:
        """Make the mark for the writer; `passed` is filled by the time that it is put on. None: nothing is marked."""
        if self._signer is None:
            return None
        source, plan = dub.avatar.info.path, dub.plan
        files = list(dict.fromkeys(map(str, sounds)))

        def state() -> DubFacts:
            faces = tuple(face.index for face in dub.faces if face.chosen)
            learnt = ((face, dub.avatar.persons[face].learnt.hash()) for face in faces)
            return DubFacts(
                Path(models.name).name, models.sha256, hash_source(source), tuple(map(hash_source, files)), faces,
                list_spans(passed, plan.times_s, plan.duration_s), tuple(pair for pair in learnt if pair[1]),
            )  # fmt: skip

        return replace(make_mark(self._out, source, self._signer, state), draw=self._draw)
