# debian-apt.sh, to be sourced: debian_apt CACHE sets the array `apt` to an apt-get for Debian trixie's riscv64 packages.
#
# It has a configuration of its own in CACHE (the machine's architectures, lists and installed packages are not touched) and takes
# the mirror that the machine's own sources name. Needs no root rights.
debian_apt() {
    local suite=trixie keyring=/usr/share/keyrings/debian-archive-keyring.gpg cache mirror
    mkdir -p "$1"/{lists/partial,archives/partial}
    cache=$(cd "$1" && pwd)

    # The archive that this machine installs Debian packages from, whatever the format of its sources.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -E '/debian/?$' | head -n 1 || true)
    if [ -z "$mirror" ]; then
        echo "test inputs: apt's sources name no Debian archive; add one (see sources.list(5)) and try again" >&2
        return 1
    fi
    echo "deb [signed-by=$keyring] $mirror $suite main" >"$cache/sources.list"
    : >"$cache/status"
    apt=(apt-get -qq
        -o Dir::State="$cache" -o Dir::State::status="$cache/status" -o Dir::Cache="$cache"
        -o Dir::Etc::sourcelist="$cache/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o APT::Architecture=riscv64 -o APT::Architectures=riscv64 -o APT::Sandbox::User=root
        -o Acquire::Languages=none -o Acquire::Retries=3)

    if ! "${apt[@]}" update; then
        # An old keyring may not know the suite's key yet.
        echo "test inputs: refreshing debian-archive-keyring"
        apt-get -qq update && apt-get -qq install -y debian-archive-keyring
        "${apt[@]}" update
    fi
}
