#!/bin/bash
# Everything that tanist's checks, tests, demo and benchmarks need on a Debian 12 machine, as root.
# Asks a registry only for what is missing, so that a second run is quick and works without a network.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "setup: run me as root: the lab makes namespaces, mounts and loop devices" >&2; exit 1; }
mapfile -t wanted < <(sed 's/#.*//' lab/packages.txt | tr -s ' \n' '\n' | sed '/^$/d')
missing=()
for package in "${wanted[@]}"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "setup: installing Debian packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/tmp/tanist-apt.$$ 2>&1 || { cat /tmp/tanist-apt.$$ >&2; exit 1; }
    rm -f /tmp/tanist-apt.$$
fi
if [ ! -x .venv/bin/python ] || ! cmp -s requirements-dev.txt .venv/requirements-dev.txt; then
    echo "setup: making the virtual environment .venv"
    /usr/bin/python3 -m venv .venv
    .venv/bin/pip install -qq --disable-pip-version-check -r requirements-dev.txt
    cp requirements-dev.txt .venv/requirements-dev.txt
fi
# the repo's own packages, importable without an install (src/tanist, lab, bench)
printf '%s\n%s\n' "$PWD/src" "$PWD" > "$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/tanist-dev.pth"
if [ ! -x .venv/bin/promtool ]; then  # for the alert rules; the package, installed, would start a server
    work=$(mktemp -d)
    chmod 755 "$work"
    if (cd "$work" && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } && dpkg-deb -x prometheus_*.deb .) >"$work/said" 2>&1; then
        cp "$work/usr/bin/promtool" .venv/bin/promtool
    else
        echo "setup: no promtool (Debian's package prometheus can't be had): its test will be skipped" >&2
    fi
    rm -rf "$work"
fi
