"""Imports run one way, import nothing heavy by themselves, and agree with what setup.cfg declares."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LAYERS = (
    ("errors",),
    ("config", "memory", "stamp", "threads"),
    ("settings",),
    ("options",),
    ("engine",),
    ("media", "nn", "checkpoints"),
    ("provenance",),
    ("audio",),
    ("faces",),
    ("aligner", "motion"),
    ("generator",),
    ("fusion",),
    ("zoo",),
    ("networks",),
    ("export",),
    ("painter",),
    ("avatar",),
    ("dubbing", "metrics"),
    ("training", "live"),
    ("adapting",),
    ("jobs", "serve", "integrations"),
    ("cli",),
    ("__main__",),
)
RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}
CARD_PACKAGES = ("torch", "torchvision", "face_alignment", "librosa", "kornia", "numpy", "imageio_ffmpeg")
IMPORT_NAMES = {"face-alignment": "face_alignment", "imageio-ffmpeg": "imageio_ffmpeg", "pillow": "PIL"}
IMPORT_NAMES |= {"lightning-fabric": "lightning_fabric", "scikit-image": "skimage", "dlib-bin": "dlib"}
IMPORT_NAMES |= {"c2pa-python": "c2pa", "opencv-python": "cv2", "espeakng-loader": "espeakng_loader"}
IMPORT_NAMES |= {"livekit-agents": "livekit", "pipecat-ai": "pipecat"}
_EXTRAS = ("demo", "identity", "onnx", "perceptual", "voices", "ray", "serve", "speech", "live", "livekit", "pipecat")
HEAVY = ("torch", "numpy", "kornia", "librosa", "openvino", "av", "matplotlib", "lightning_fabric", "face_alignment")
HEAVY += ("c2pa", "cryptography")


def list_imports(source: str, module: str) -> list[str]:
    """Return all absolute dotted names that a module imports, those inside functions included."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(module.split(".")[: -node.level] if node.level else [])
            base = ".".join(part for part in (base, node.module) if part)
            names += [f"{base}.{alias.name}" for alias in node.names]
    return names


def find_upward_imports(source: str, module: str) -> list[str]:
    """Return the imports of a g4g module that do not run to a lower layer or stay in its own part."""
    own = module.split(".")[1]
    targets = [name for name in list_imports(source, module) if name.startswith("g4g.")]
    parts = {name: name.split(".")[1] for name in targets if name.split(".")[1] in RANK}
    return [name for name, part in parts.items() if part != own and RANK[part] >= RANK[own]]


def read_modules() -> dict[str, str]:
    """Return the source of every module below g4g by its dotted name; a package's is g4g.part.__init__."""
    files = [path for path in sorted((ROOT / "g4g").rglob("*.py")) if path != ROOT / "g4g" / "__init__.py"]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text() for path in files}


def read_setup(section: str, key: str) -> list[str]:
    """Return the lines of one list in setup.cfg."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser[section][key].split("\n")[1:]


def find_third_party() -> set[str]:
    """Return the top names of all imports of g4g that are neither its own nor Python's."""
    tops = {name.split(".")[0] for module, source in read_modules().items() for name in list_imports(source, module)}
    return tops - set(sys.stdlib_module_names) - {"g4g"}


@pytest.mark.parametrize(
    "source",
    ["import g4g.training.loop", "from g4g import cli", "from ..zoo import load", "def f():\n from g4g.faces import x"],
)
def test_the_check_sees_upward_imports(source: str) -> None:
    assert find_upward_imports(source, "g4g.media.probe")


def test_the_check_allows_downward_imports_and_those_of_its_own_part() -> None:
    source = "from g4g.errors import G4GError\nfrom g4g.media.probe import probe\nfrom . import write\nimport g4g"
    assert find_upward_imports(source, "g4g.media.read") == []


def test_imports_run_downwards() -> None:
    upward = {module: find_upward_imports(source, module) for module, source in read_modules().items()}
    assert {module: names for module, names in upward.items() if names} == {}


def test_every_part_has_a_layer() -> None:
    assert {module.split(".")[1] for module in read_modules()} <= set(RANK)


@pytest.mark.parametrize("module", ["g4g", "g4g.checkpoints", "g4g.cli"])
def test_import_is_light(module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_public_names_are_listed_and_a_wrong_one_is_an_attribute_error() -> None:
    import g4g

    assert set(g4g.__all__) == {"__version__", *g4g._HOMES} <= set(dir(g4g))
    source = ast.parse((ROOT / "g4g" / "__init__.py").read_text())
    seen = {  # what type checkers see
        alias.name: node.module
        for block in source.body if isinstance(block, ast.If)
        for node in block.body
        for alias in node.names
    }  # fmt: skip
    assert seen == g4g._HOMES
    assert issubclass(g4g.MediaError, g4g.G4GError)
    with pytest.raises(AttributeError, match="no attribute 'Dubbber'"):
        g4g.Dubbber  # noqa: B018


@pytest.mark.parametrize("package", CARD_PACKAGES)
def test_each_package_of_the_card_is_used(package: str) -> None:
    assert package in find_third_party()


def test_what_is_imported_is_declared() -> None:
    declared = read_setup("options", "install_requires")
    declared += [name for extra in _EXTRAS for name in read_setup("options.extras_require", extra)]
    names = [re.split(r"[<>=!~;\[ ]", line)[0] for line in declared]
    assert find_third_party() <= {IMPORT_NAMES.get(name, name) for name in names}


def test_setup_lists_every_package() -> None:
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "g4g").rglob("*.py")}
    assert set(read_setup("options", "packages")) == folders | {"g4g.weights"}
