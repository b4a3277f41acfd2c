#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Make an image for the local cloud from packages of another Debian release: `bash tools/rootfs.sh DIR trixie 11.8`
# makes DIR/mariadb-11.8, an image of that id whose servers run that release's MariaDB. DIR is the local cloud's
# [local_cloud] machine_images. Needs no root. What is there already is left alone.
#
# The image has the packages' files in root/, and in bin/ and sbin/ a script a program, which starts it with the loader,
# the libraries and the files of its own release: nothing of it is installed here, and no namespace is needed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PACKAGES=(mariadb-server-core mariadb-client-core mariadb-client mariadb-backup)
# What MariaDB's own programs are called without.
NOT_NEEDED='perl|perl-base|perl-modules.*|libperl.*|libconfig-inifiles-perl|libdb5.*|libgdbm.*|debianutils'
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# Everything apt keeps is in $1: this machine's own lists and packages are not touched.
write_apt_conf() {
    local place=$1 suite=$2
    mkdir -p "$place"/{lists,archives}/partial "$place/state"
    : >"$place/status"
    cat >"$place/sources.sources" <<END
Types: deb
URIs: $(mirror Debian)
Suites: $suite
Components: main
Signed-By: $KEYRING

Types: deb
URIs: $(mirror Debian-Security)
Suites: $suite-security
Components: main
Signed-By: $KEYRING
END
    cat >"$place/apt.conf" <<END
Dir::State "$place/state";
Dir::State::status "$place/status";
Dir::State::lists "$place/lists";
Dir::Cache "$place";
Dir::Cache::archives "$place/archives";
Dir::Etc::sourcelist "$place/sources.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Debug::NoLocking "true";
END
}

download() {
    local place=$1
    export APT_CONFIG=$place/apt.conf
    apt-get -q update
    apt-get -q -y --download-only install "${PACKAGES[@]}"
    unset APT_CONFIG
}

unpack() {
    local place=$1 root=$2 package
    for package in "$place"/archives/*.deb; do
        [[ $(dpkg-deb -f "$package" Package) =~ ^($NOT_NEEDED)$ ]] || dpkg-deb -x "$package" "$root"
    done
    rm -rf "$root"/usr/share/{doc,man,lintian,bug}
}

# Scripts and links find everything from where they are, so that an image can be moved.
write_programs() {
    local image=$1 root=$1/root loader libraries program name directory start
    loader=$(compgen -G "$root/usr/lib*/ld-linux*.so.*" | head -n 1)
    libraries=$(dirname "$root"/usr/lib/*/libc.so.6)
    loader=${loader#"$root/"} libraries=${libraries#"$root/"}
    mkdir -p "$image"/{bin,sbin,ld} "$root/usr/lib/mysql/plugin"
    ln -s root/usr/share "$image/share"
    ln -s root/usr/lib "$image/lib"
    for program in "$root"/usr/{bin,sbin}/*; do
        [[ -L $program ]] && continue
        name=${program##*/}
        directory=$(basename "$(dirname "$program")")
        if [[ $(head -c 4 "$program") == $'\177ELF' ]]; then
            # A program bears the name of what is started: the loader by that name.
            ln -s "../root/$loader" "$image/ld/$name"
            start="exec \"\$image/ld/$name\" --argv0 \"\$image/bin/$name\""
            start+=" --library-path \"\$image/root/$libraries\" \"\$image/root/usr/$directory/$name\" \"\$@\""
        elif [[ $name == mariadb-install-db ]]; then
            start="exec /bin/sh \"\$image/root/usr/bin/$name\" \"\$@\" --basedir=\"\$image\""
        else
            continue
        fi
        if [[ $name == mariadbd ]]; then
            start+=" --basedir=\"\$image/root/usr\" --lc-messages-dir=\"\$image/share/mariadb\""
            start+=" --character-sets-dir=\"\$image/share/mariadb/charsets\" --plugin-dir=\"\$image/lib/mysql/plugin\""
        fi
        printf '#!/bin/sh\nimage=${0%%/*}/..\n%s\n' "$start" >"$image/$directory/$name"
        chmod 755 "$image/$directory/$name"
    done
    ln -s ../sbin/mariadbd "$image/bin/mariadbd"
}

# The number that its server tells, such as 11.8.6.
number() { "$1/sbin/mariadbd" --no-defaults --version | sed -nE 's/.* Ver ([0-9.]+)-MariaDB.*/\1/p'; }

work= # where it is made; removed at the end, however that comes

main() {
    (($# == 3)) || die 'usage: bash tools/rootfs.sh DIR SUITE VERSION (such as: images trixie 11.8)'
    local directory=$1 suite=$2 version=$3 image found
    mkdir -p "$directory"
    directory=$(cd "$directory" && pwd)
    image=$directory/mariadb-$version
    exec 8>"$directory/.rootfs.lock"
    flock 8
    [[ -e $image/image.json ]] && return
    [[ -e $KEYRING ]] || die "$KEYRING is missing: install debian-archive-keyring"
    # Beside the image, so that it comes there whole, by a rename; one that was killed has left its own.
    rm -rf "$directory"/.making.*
    work=$(mktemp -d "$directory/.making.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work"
    write_apt_conf "$work/apt" "$suite"
    if ! download "$work/apt" >"$directory/rootfs.log" 2>&1 </dev/null; then
        tail -n 20 "$directory/rootfs.log" >&2
        die "apt-get failed; all of its output is in $directory/rootfs.log"
    fi
    mkdir "$work/image"
    unpack "$work/apt" "$work/image/root"
    write_programs "$work/image"
    found=$(number "$work/image")
    [[ $found == "$version".* ]] || die "$suite has MariaDB ${found:-(none that runs here)}, not $version"
    printf '{"name": "MariaDB %s of Debian %s", "tags": ["mariadb", "%s"]}\n' "$found" "$suite" "$version" \
        >"$work/image/image.json"
    rm -rf "$image"
    mv "$work/image" "$image"
    say "$image: MariaDB $found"
}

main "$@"
