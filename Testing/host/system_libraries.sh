#!/bin/sh
# What PySide6 needs of a Linux system even without a screen. `make test` calls this with the
# environment's Python. Where it may (root, apt-get), what is missing is installed; elsewhere one line
# says how, and the tests don't start.
set -eu
python=${1:-python3}

# Direct needs of QtGui and its offscreen platform (ldd), and a font, without which pictures of the
# panel hold no letters.
missing=$("$python" - <<'EOF'
import ctypes
import sys
from pathlib import Path

LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libzstd.so.1": "libzstd1",
}
FONTS = ("/usr/share/fonts", "/usr/local/share/fonts", Path.home() / ".fonts")


def loads(name):
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


if sys.platform == "linux":
    packages = [package for name, package in LIBRARIES.items() if not loads(name)]
    if not any(True for folder in FONTS for _ in Path(folder).rglob("*.[to]tf")):
        packages.append("fonts-dejavu-core")
    print(*packages)
EOF
)
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends $missing"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive $install >/dev/null
else
  echo "The panel's tests need system libraries of Qt; install them with: sudo $install" >&2
  exit 1
fi
