#!/bin/bash
# make fuzz: MINUTES of hunting with one process, in a mount namespace where only its own memory can be written.
set -euo pipefail
cd "$(dirname "$0")/../.."
minutes=${1:-60}
if ! cmp -s tests/fuzz/requirements.txt .venv-fuzz/requirements.txt; then
    /usr/bin/python3 -m venv .venv-fuzz
    .venv-fuzz/bin/pip install -qq --disable-pip-version-check -r tests/fuzz/requirements.txt
    cp tests/fuzz/requirements.txt .venv-fuzz/requirements.txt
fi
work=$(mktemp -d /dev/shm/tanist-fuzz.XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir "$work/corpus" "$work/found" "$work/host"
[ ! -d tests/fuzz/corpus ] || cp -r tests/fuzz/corpus/. "$work/corpus/"
export PYTHONPATH=$PWD/src:$PWD PYTHONDONTWRITEBYTECODE=1
hunt() {
    unshare --mount --propagation private bash -c '
        set -e
        mount -o remount,bind,ro /
        exec nice -n 19 "$@"' hunt .venv-fuzz/bin/python -m tests.fuzz.hunt "$@"
}
status=0
hunt "$work/host" "$work/corpus" -max_total_time=$((minutes * 60)) -timeout=30 -rss_limit_mb=2048 -max_len=65536 \
    -artifact_prefix="$work/found/" -print_final_stats=1 || status=$?
rm -rf tests/fuzz/corpus && mkdir tests/fuzz/corpus  # what reaches new code, the small ones first, at most 900 KB
size=0
while read -r bytes name; do
    size=$((size + bytes))
    [ "$size" -gt 900000 ] || cp "$work/corpus/$name" tests/fuzz/corpus/
done < <(find "$work/corpus" -type f -printf '%s %f\n' | sort -n)
if [ -n "$(ls "$work/found")" ]; then
    mkdir -p tests/fuzz/found
    cp "$work/found"/* tests/fuzz/found/
    echo "found, in tests/fuzz/found:"; ls tests/fuzz/found
    status=1
fi
exit $status
