#!/bin/sh
# What this service adds to its image: system packages, certificates, fonts. The Dockerfile runs this
# script as root. For example:
#   apt-get update
#   apt-get install --yes --no-install-recommends libmagic1
#   rm -rf /var/lib/apt/lists/*
set -eu

case "$1" in
    build) ;; # before dependencies are installed: compilers, headers
    run) ;; # in the image that is deployed: shared libraries, tools
esac
