"""Avatar: all that a dub knows of a video before it hears the new sound; made once, kept on disk."""

from g4g.avatar.learnt import Learnt
from g4g.avatar.library import MouthLibrary
from g4g.avatar.person import HeadTrack, Person
from g4g.avatar.prepare import Avatar, AvatarMaker, make_avatar
from g4g.avatar.retrieve import REFERENCES, Wanted, find_references

__all__ = [
    "REFERENCES", "Avatar", "AvatarMaker", "HeadTrack", "Learnt", "MouthLibrary", "Person", "Wanted", "find_references",
    "make_avatar",
]  # fmt: skip
