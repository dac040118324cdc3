"""Sets Marrowloop up beside the code, with nothing but the Python that runs this: ./run and ./test call it.

Makes `.venv` with the packages of requirements.txt (by uv), `node_modules` from package-lock.json (node comes by
pip), and bundles the browser's side into static/dist. Each step is skipped while what it was made from is the same,
so a second call takes a tenth of a second. Only the standard library, and no newer syntax than Python 3.6 has, so
that an old Python can still say that it is too old.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(REPOSITORY, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
UV = os.path.join(VENV, "bin", "uv")
# uv itself: any newer one does as well.
UV_REQUIREMENT = "uv>=0.8"


class SetUpProblem(Exception):
    """What keeps Marrowloop from being set up; the message is one clear sentence."""


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def fingerprint(paths: "list[str]") -> str:
    """A hash over these files: their paths inside the repository and their bytes."""
    sha256 = hashlib.sha256()
    for path in sorted(paths):
        sha256.update(os.path.relpath(path, REPOSITORY).encode() + b"\0")
        with open(path, "rb") as file:
            sha256.update(file.read() + b"\0")
    return sha256.hexdigest()


def is_done(stamp: str, wanted: str) -> bool:
    """Whether the stamp file says that the step was done from exactly this."""
    try:
        with open(stamp) as file:
            return file.read() == wanted
    except OSError:
        return False


def mark_done(stamp: str, wanted: str) -> None:
    with open(stamp, "w") as file:
        file.write(wanted)


def call(command: "list[str]", purpose: str, environment: "dict[str, str] | None" = None) -> None:
    """Runs a command with its output on stderr; raises SetUpProblem where it fails."""
    try:
        status = subprocess.call(command, cwd=REPOSITORY, stdout=sys.stderr, env=environment)
    except OSError as error:
        raise SetUpProblem(f"{command[0]} could not be run: {error.strerror}.") from None
    if status:
        free = shutil.disk_usage(REPOSITORY).free
        reason = "the disk is full" if free < 50000000 else "see the lines above"
        raise SetUpProblem(f"{purpose} failed: {reason}.")


def check_python() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 (this file is what older ones meet)
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise SetUpProblem(f"Marrowloop needs Python 3.11 or newer, and {sys.executable} is {version}.")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        if not os.path.exists(PYTHON):
            raise SetUpProblem(
                "This Python has no venv; on Debian and Ubuntu run `apt-get install python3-venv`."
            ) from None


def make_venv() -> None:
    """Makes .venv, or makes it again where its Python has gone."""
    if os.path.exists(PYTHON):
        works = subprocess.call([PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"])
        if works == 0:
            return
    say("Making the virtual environment .venv …")
    call([sys.executable, "-m", "venv", "--clear", VENV], "Making .venv")


def pip_settings() -> "dict[str, str]":
    """pip's own settings as uv's: a machine with a mirror of the package index has told pip about it."""
    listed = subprocess.run(
        [PYTHON, "-m", "pip", "config", "list"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=REPOSITORY
    ).stdout.decode()
    names = {
        "index-url": "UV_DEFAULT_INDEX",
        "extra-index-url": "UV_INDEX",
        "find-links": "UV_FIND_LINKS",
        "cert": "SSL_CERT_FILE",
        "trusted-host": "UV_INSECURE_HOST",
    }
    environment: dict[str, str] = {}
    for scope, key, value in re.findall(r"^(global|install|:env:)\.([a-z-]+)='(.*)'$", listed, re.MULTILINE):
        if key in names and (scope != "global" or names[key] not in environment):
            environment[names[key]] = " ".join(value.replace("\\n", " ").split())
    if "UV_FIND_LINKS" in environment:
        environment["UV_FIND_LINKS"] = ",".join(environment["UV_FIND_LINKS"].split())
    if "UV_INDEX" in environment:
        # pip takes the best version of all indexes; uv by itself the first index that knows a package.
        environment["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    # What is set for uv itself comes first.
    return {**environment, **os.environ}


def install_packages() -> None:
    requirements = os.path.join(REPOSITORY, "requirements.txt")
    wanted = f"{fingerprint([requirements])} {sys.version_info[0]}.{sys.version_info[1]}"
    stamp = os.path.join(VENV, "installed-requirements")
    if is_done(stamp, wanted):
        return
    say("Installing the Python packages (the first time this takes some minutes) …")
    if not os.path.exists(UV):
        if subprocess.call([PYTHON, "-c", "import pip"], stderr=subprocess.DEVNULL):
            call([PYTHON, "-m", "ensurepip"], "Installing pip")
        call([PYTHON, "-m", "pip", "install", "--quiet", UV_REQUIREMENT], "Installing uv")
    command = [UV, "pip", "install", "--quiet", "--python", PYTHON, "--requirement", requirements]
    call(command, "Installing the Python packages", pip_settings())
    mark_done(stamp, wanted)


def node_environment() -> "dict[str, str]":
    """The environment in which npm finds the node that came by pip."""
    return {**os.environ, "PATH": os.path.join(VENV, "bin") + os.pathsep + os.environ.get("PATH", "")}


def install_node_packages() -> None:
    lock = os.path.join(REPOSITORY, "package-lock.json")
    wanted = fingerprint([lock])
    stamp = os.path.join(REPOSITORY, "node_modules", ".installed-lock")
    if is_done(stamp, wanted):
        return
    say("Installing the browser packages …")
    npm = [os.path.join(VENV, "bin", "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    call(npm, "Installing the browser packages", node_environment())
    mark_done(stamp, wanted)


def bundle() -> None:
    """Bundles static/src into static/dist where a source has changed."""
    sources = [os.path.join(REPOSITORY, "static", "build.mjs"), os.path.join(REPOSITORY, "package-lock.json")]
    for folder, _, files in os.walk(os.path.join(REPOSITORY, "static", "src")):
        sources += [os.path.join(folder, name) for name in files]
    wanted = fingerprint(sources)
    stamp = os.path.join(REPOSITORY, "static", "dist", ".bundled-sources")
    if is_done(stamp, wanted):
        return
    say("Bundling the browser's side …")
    shutil.rmtree(os.path.dirname(stamp), ignore_errors=True)
    build = [os.path.join(VENV, "bin", "node"), os.path.join(REPOSITORY, "static", "build.mjs")]
    call(build, "Bundling the browser's side", node_environment())
    mark_done(stamp, wanted)


def set_up() -> None:
    check_python()
    # Two set-ups at once (./run beside ./test) would trip over each other.
    lock = os.open(REPOSITORY, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_venv()
        install_packages()
        install_node_packages()
        bundle()
    except OSError as error:
        raise SetUpProblem(f"Setting up failed: {error}.") from None
    finally:
        os.close(lock)


if __name__ == "__main__":
    try:
        set_up()
    except SetUpProblem as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)
