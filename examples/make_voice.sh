#!/bin/sh
# How voice.wav was made: a synthetic voice (espeak-ng, no person's recording), 16 kHz mono, about 4.5 s.
# Needs espeak-ng and ffmpeg on the PATH; run it only to make the voice anew.
set -eu
cd "$(dirname "$0")"
TEXT="Hello! My lips were moved by a small program. Maybe."
SPOKEN=$(mktemp)
trap 'rm -f "$SPOKEN"' EXIT
espeak-ng -v en-us -s 150 -w "$SPOKEN" "$TEXT"
ffmpeg -hide_banner -loglevel error -y -f wav -i "$SPOKEN" -ar 16000 -ac 1 -c:a pcm_s16le -map_metadata -1 \
    -bitexact -f wav voice.wav
