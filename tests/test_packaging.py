"""The wheel holds everything, and runs where nothing but its dependencies is installed."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Run inside the new environment: what is not a dependency, or a dependency's dependency, can't be imported.
IMPORT_EVERYTHING = """
import importlib, pkgutil, re, sys
from importlib import metadata
from importlib.machinery import PathFinder

def needed(name, seen):
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in seen:
        return
    try:
        requires = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return
    seen.add(key)
    for line in requires:
        if "extra ==" not in line:
            needed(re.match(r"[A-Za-z0-9._-]+", line)[0], seen)

allowed = set()
needed("muybridge", allowed)
owners = metadata.packages_distributions()

class OnlyDependencies(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        # As if it were not there: PyTorch asks for scikit-learn without wanting to import it.
        top = name.partition(".")[0]
        dists = {re.sub(r"[-_.]+", "-", d).lower() for d in owners.get(top, [])}
        if dists and not dists & allowed:
            return None
        return super().find_spec(name, path, target)

sys.meta_path = [OnlyDependencies if finder is PathFinder else finder for finder in sys.meta_path]
distribution = metadata.distribution

def only_dependencies(name):
    # Some of them ask what is installed before they import it.
    if re.sub(r"[-_.]+", "-", name).lower() not in allowed:
        raise metadata.PackageNotFoundError(name)
    return distribution(name)

metadata.distribution = only_dependencies
import muybridge
assert "site-packages" in muybridge.__file__, muybridge.__file__
names = [m.name for m in pkgutil.walk_packages(muybridge.__path__, "muybridge.") if m.name != "muybridge.__main__"]
for name in names:
    importlib.import_module(name)
for name in muybridge.__all__:
    getattr(muybridge, name)
from muybridge.recipe import list_recipes, load_recipe
assert {"scratch", "finetune", "demo"} <= set(list_recipes())
muybridge.create_model("tiny3d", num_classes=2)
print(len(names))
"""


@pytest.mark.slow
def test_the_wheel_runs_with_nothing_but_its_dependencies(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    source = {p.relative_to(ROOT / "src").as_posix() for p in (ROOT / "src").rglob("*") if p.is_file()}
    wanted = {name for name in source if "__pycache__" not in name}
    assert wanted <= set(zipfile.ZipFile(wheel).namelist())

    home = tmp_path / "environment"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    # A path file of the new environment shows it the dependencies that are installed here; the path files among them,
    # such as that of this checkout, are not followed.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--no-deps",
        "--no-index",
        str(wheel),
    ]
    subprocess.run([*install, "--ignore-installed"], check=True, capture_output=True)
    done = subprocess.run(
        [str(python), "-W", "error::DeprecationWarning:muybridge", "-c", IMPORT_EVERYTHING],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 40
