#!/usr/bin/env bash
# Purpose: lets the steps of a provisioning script announce themselves; each script sources it.
#
# `step NAME` ends the previous step and begins NAME. It prints both events and appends each to /var/log/provision.log
# as one line of JSON, so that a report can name the step that is responsible for a failed check.
set -Eeuo pipefail

STEP=

announce() { # EVENT STATUS
  printf '::step %s %s %s %d\n' "$SCRIPT" "$STEP" "$1" "$2"
  printf '{"time":"%s","script":"%s","step":"%s","event":"%s","status":%d}\n' \
    "$(date --utc +%FT%T.%3NZ)" "$SCRIPT" "$STEP" "$1" "$2" >> /var/log/provision.log
}

finish() { # STATUS
  if [ -n "$STEP" ]; then announce end "$1"; fi
}

step() { # NAME
  finish 0
  STEP=$1
  announce start 0
}

failed() { # LINE COMMAND
  printf '::failed %s %s line %d: %s\n' "$SCRIPT" "$STEP" "$1" "${2//$'\n'/ }"
}

trap 'failed "$LINENO" "$BASH_COMMAND"' ERR
trap 'finish $?' EXIT
