# Sourced by ./run and ./test, with $here set: finds a Python that is new enough and sets Marrowloop up with it.
for python in python3 python3.11 python3.12 python3.13 python3.14; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi
    python=
done
# An older one still says itself that it is too old.
if ! command -v "${python:=python3}" >/dev/null; then
    echo "Marrowloop needs Python 3.11 or newer, and there is no python3 here." >&2
    exit 1
fi
"$python" -I "$here/config/set_up.py" || exit 1
