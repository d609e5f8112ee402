"""Started by its path in the Python that packages are meant for; prints what that Python is."""

import importlib
import json
import sys
import sysconfig


def describe():
    """Return version, search path, folder of packages, pip, wheel tags and markers."""
    search_path = sys.path[1:]  # the first is where this file lies
    sys.path[:] = search_path
    try:
        pip = importlib.import_module("pip").__version__
    except ImportError:
        pip = ""
    try:
        tags = importlib.import_module("packaging.tags")
        markers = importlib.import_module("packaging.markers")
    except ImportError:
        tags = importlib.import_module("pip._vendor.packaging.tags")
        markers = importlib.import_module("pip._vendor.packaging.markers")
    return {
        "version": sys.version.split()[0],
        "search_path": [path for path in search_path if path],
        "packages": sysconfig.get_path("platlib"),
        "pip": pip,
        "tags": [str(tag) for tag in tags.sys_tags()],
        "markers": dict(markers.default_environment()),
    }


if __name__ == "__main__":
    print(json.dumps(describe()))
