"""Provenance: what a dub says of itself (C2PA), who signs it, and what a file is found to carry."""

from g4g.provenance.facts import DubFacts, hash_source, list_spans
from g4g.provenance.inspection import CHANGED, INTACT, NONE, OWN, TRUSTED, UNKNOWN, UNREADABLE, Inspection, inspect
from g4g.provenance.manifest import describe_mark, make_mark
from g4g.provenance.signer import Signer, choose_signer, own_signer, read_signer

__all__ = [
    "CHANGED",
    "INTACT",
    "NONE",
    "OWN",
    "TRUSTED",
    "UNKNOWN",
    "UNREADABLE",
    "DubFacts",
    "Inspection",
    "Signer",
    "choose_signer",
    "describe_mark",
    "hash_source",
    "inspect",
    "list_spans",
    "make_mark",
    "own_signer",
    "read_signer",
]
