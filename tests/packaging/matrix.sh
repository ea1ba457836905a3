#!/bin/bash
# Run the agents under each interpreter, with the oldest and with today's libraries. Usage: matrix.sh [LEG...]
#
# A leg is named like 3.9-oldest. Its interpreter runs the tests of `unit`. The others run in the virtual environment of the
# tools, each worker (WORKERS, 4) in a sandbox of its own; AGENT_PYTHON names the interpreter that runs the agents. Needs
# root, as these tests do.
set -u
cd "$(dirname "$0")/../.."

# RHEL 9; Debian 12 and SLES 15; Debian 13 and SLES 16.
interpreters="3.9 3.11 3.13"
declare -A libraries=(
    # Debian 12's.
    [oldest]="boto3==1.26.* pyroute2==0.7.2"
    # Those of EPEL 9.
    [rhel9]="boto3==1.28.62 pyroute2==0.5.14"
    # The last that pip finds for the interpreter.
    [newest]="boto3 pyroute2"
)
tests="tests/process tests/faults"
built=build/matrix
tools=$PWD/.venv/bin/python
workers="${WORKERS:-4}*popen//python=$tools $PWD/tests/vpclab/sandbox.py $tools"

interpreter() {
    local path
    for path in "$(command -v "python$1")" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python3; do
        # A shim of pyenv's may stand for an interpreter that is not chosen.
        if "$path" -c "" 2>/dev/null; then
            echo "$path"
            return
        fi
    done
    return 1
}

run() {
    local leg=$1 version=${1%-*} age=${1#*-} venv=$built/$1 python units outcome status without=""
    if ! python=$(interpreter "$version"); then
        echo "skipped: no python$version on this machine"
        return
    fi
    [ -x "$venv/bin/pip" ] || "$python" -m venv "$venv" || return
    # shellcheck disable=SC2086 # a list of words
    "$venv/bin/pip" install --quiet --disable-pip-version-check --upgrade ${libraries[$age]} pytest hypothesis 2>"$built/$leg.log" || {
        echo "failed: no libraries, see $built/$leg.log"
        return 1
    }
    "$venv/bin/python" -m pytest -p no:cacheprovider tests/unit >"$built/$leg.log" 2>&1 || {
        echo "failed: tests/unit, see $built/$leg.log"
        return 1
    }
    units=$(tail -n 1 "$built/$leg.log" | sed 's/[^0-9]*\([0-9]*\) passed.*/\1/')
    # Pyenv's interpreters are root's alone where they are under /root.
    setpriv --reuid=65534 --regid=65534 --clear-groups "$venv/bin/python" -c "" 2>/dev/null ||
        without="test_meta_data_needs_neither_root_nor_libraries"
    "$python" -m compileall -q lib
    # shellcheck disable=SC2086 # a list of words
    AGENT_PYTHON=$PWD/$venv/bin/python "$tools" -m pytest -p no:cacheprovider \
        --dist worksteal --no-loadscope-reorder --tx "$workers" ${without:+-k "not $without"} $tests \
        >>"$built/$leg.log" 2>&1
    status=$?
    outcome=$(tail -n 1 "$built/$leg.log" | tr -d =)
    "$venv/bin/python" -c "
import sys
from importlib.metadata import version
print('Python', sys.version.split()[0] + ', boto3', version('boto3') + ', pyroute2', version('pyroute2') + ':', $units, 'units,', end='')"
    echo "$outcome${without:+(without $without: only root can run this interpreter)}"
    return $status
}

legs=$*
if [ -z "$legs" ]; then
    legs=3.9-rhel9
    for version in $interpreters; do legs="$legs $version-oldest $version-newest"; done
fi
mkdir -p $built
failed=0
for leg in $legs; do
    printf '%-12s' "$leg"
    run "$leg" || failed=1
done
exit $failed
