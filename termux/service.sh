# shellcheck shell=sh
# What the scripts of all services share; installed as $PREFIX/libexec/farmhand/service.sh. They source it by its absolute path,
# with `name` set to their service folder. Plain sh for dash, and builtins where there is a choice: Android counts processes and
# kills some when there are many (facts/termux.md 4.2).
#
# runit hands on whatever environment its starter happened to have (facts/termux.md 2.3), so all that is needed is set here.

umask 077
PREFIX=/data/data/com.termux/files/usr
PATH=$PREFIX/bin
LANG=en_US.UTF-8
TMPDIR=$PREFIX/tmp
SVDIR=$PREFIX/var/service
LOGDIR=$PREFIX/var/log
PYTHONUNBUFFERED=1
settings=$PREFIX/etc/farmhand/env
: "${name:?is set by whoever sources this file}"

# EX_CONFIG: what starting again cannot mend. The supervisor leaves such a service alone and shows the sentence.
refuse() {
    printf '%s: %s\n' "$name" "$1"
    exit 78
}

# Written by scripts/install: FARMHAND_ROOT, FARMHAND_HOME, FARMHAND_CONFIG, HOME.
read_settings() {
    [ -r "$settings" ] || refuse "$settings is missing. Type in the folder of Farmhand: sh scripts/install"
    unset FARMHAND_ROOT  # for us alone: the adapter takes every FARMHAND_* for a setting of its own
    # shellcheck source=/dev/null
    . "$settings"
    if [ -z "${FARMHAND_ROOT-}" ] || [ -z "${FARMHAND_HOME-}" ] || [ -z "${HOME-}" ]; then
        refuse "$settings lacks FARMHAND_ROOT, FARMHAND_HOME or HOME. Type in the folder of Farmhand: sh scripts/install"
    fi
    export HOME FARMHAND_HOME
    [ -z "${FARMHAND_CONFIG-}" ] || export FARMHAND_CONFIG
}

export PREFIX PATH LANG TMPDIR SVDIR LOGDIR PYTHONUNBUFFERED
case $PWD in
    */log) ;;  # svlogd needs none of them, and must be there to take down what is wrong with them
    *) read_settings ;;
esac

python=${FARMHAND_ROOT-}/.venv/bin/python
exits=${FARMHAND_HOME-}/exits
stamp=$exits/.$name.start

# --- run ---------------------------------------------------------------------------------------------------------

# started SIGNAL: notes when it was; `ended` reckons with it. SIGNAL: what ends a predecessor.
started() {
    [ -d "$exits" ] || mkdir -p "$exits"
    end_orphan "$1"
    printf '%s %s\n' "$$" "$(born "$$")" > "$exits/.$name.pid"  # `exec` keeps both
    date +%s > "$stamp"
}

# Android kills any process, so a runsv too: what it had started runs on, holds its port, and nobody knows of it any more. The
# next runsv starts us, and without this that would go wrong for ever. Who has a runsv for a parent is left alone: then it is we
# who were started by hand.
end_orphan() {
    pid=
    birth=
    [ -r "$exits/.$name.pid" ] && read -r pid birth < "$exits/.$name.pid"
    if [ -z "$birth" ] || [ "$pid" = "$$" ] || [ "$(born "$pid")" != "$birth" ] || is_looked_after "$pid"; then return; fi
    printf '%s: process %s has lost its runsv; ending it, to start anew\n' "$name" "$pid"
    kill -s "$1" "$pid"
    left=10
    while [ "$(born "$pid")" = "$birth" ]; do
        [ "$left" -gt 0 ] || kill -s KILL "$pid"
        sleep 1
        left=$((left - 1))
    done
}

# born PID: when it was started, in clock ticks since the boot: pids are used again. Nothing if it is gone, or dead but not buried (Z).
born() {
    line=
    { read -r line < "/proc/$1/stat"; } 2> /dev/null
    # shellcheck disable=SC2086 # the words after the name, which may hold anything
    set -- ${line##*) }
    [ "${1:-Z}" = Z ] || printf '%s' "${20}"
}

is_looked_after() {
    parent=
    while read -r key parent; do
        [ "$key" != PPid: ] || break
    done < "/proc/$1/status"
    program=
    [ -r "/proc/$parent/comm" ] && read -r program < "/proc/$parent/comm"
    [ "$program" = runsv ]
}

# `python -m` finds our packages in the clone, installed or not.
in_root() {
    cd "$FARMHAND_ROOT" || refuse "$FARMHAND_ROOT is gone. Type in the folder of Farmhand: sh scripts/install"
}

# An upgrade of Termux's Python orphans a virtual environment (facts/termux.md 7.1): it either does not start, or starts as
# a version that finds none of its packages.
need_python() {
    "$python" -I -S -c 'import os, sys
v = sys.version_info
sys.exit(not os.path.isdir(f"{sys.argv[1]}/lib/python{v[0]}.{v[1]}/site-packages"))' "$FARMHAND_ROOT/.venv" ||
        refuse "$python does not start, or is not the version it was set up with. Type: sh $FARMHAND_ROOT/scripts/install"
}

# port_of SERVICE: what the configuration says; one reader for this, for `check` and for the supervisor.
port_of() {
    "$python" -m phone.probe --port "$1"
}

# --- log/run -----------------------------------------------------------------------------------------------------

# 3 MB a service at most: five old files of 500 kB, enough for days, on a phone. N1: on a full disk svlogd deletes old files
# instead of blocking the service that writes. A `config` that is there is the user's.
log_folder() {
    [ -d "$LOGDIR/sv/$name" ] || mkdir -p "$LOGDIR/sv/$name"
    [ -e "$LOGDIR/sv/$name/config" ] || printf 's500000\nn5\nN1\n' > "$LOGDIR/sv/$name/config"
}

# --- finish ------------------------------------------------------------------------------------------------------

# ended CODE SIGNAL: appends `EPOCH CODE SIGNAL AVAILABLE_KB RAN_S` to exits/NAME, `-` for what is not known.
ended() {
    [ -d "$exits" ] || mkdir -p "$exits"
    now=$(date +%s)
    available=$(available_kb)
    ran=$(ran_s "$now")
    : > "$stamp"  # a run that does not get as far as `started` has no time
    quick=$(quick_ends "$ran")
    printf '%s %s %s %s %s\n' "$now" "$1" "$2" "$available" "$ran" >> "$exits/$name"
    how_it_ended "$1" "$2" "$ran"
    pause "$quick"
}

# The functions that print run in a subshell: dash forks, nothing is executed.
available_kb() {
    while read -r key value _; do
        if [ "$key" = MemAvailable: ]; then
            printf '%s' "$value"
            return
        fi
    done < /proc/meminfo
    printf '%s' -
}

ran_s() {
    began=
    [ -r "$stamp" ] && read -r began < "$stamp"
    case $began in
        '' | *[!0-9]*) printf '%s' - ;;
        *) if [ "$1" -ge "$began" ]; then printf '%s' "$(($1 - began))"; else printf '%s' -; fi ;;
    esac
}

is_quick() {
    case $1 in
        - | '') return 0 ;;
        *[!0-9]*) return 1 ;;
        *) [ "$1" -lt 10 ] ;;
    esac
}

# How many ends in a row, this one included, came within 10 s of their start. Moves a record that has grown aside: a reader
# of one that shrank finds the rest in there (phone/runit.py).
quick_ends() {
    lines=0
    row=0
    if [ -r "$exits/$name" ]; then
        while read -r _ _ _ _ before; do
            lines=$((lines + 1))
            if is_quick "$before"; then row=$((row + 1)); else row=0; fi
        done < "$exits/$name"
    fi
    [ "$lines" -lt 200 ] || mv -f "$exits/$name" "$exits/.$name.old"
    if is_quick "$1"; then row=$((row + 1)); else row=0; fi
    printf '%s' "$row"
}

how_it_ended() {
    for_s="after $3 s"
    [ "$3" != - ] || for_s="before it had begun"
    case $1,$2 in
        0,0) printf '%s: ended in order %s\n' "$name" "$for_s" ;;
        -1,9) printf '%s: killed (signal 9) %s, with %s kB of memory available\n' "$name" "$for_s" "$available" ;;
        -1,*) printf '%s: ended by signal %s %s\n' "$name" "$2" "$for_s" ;;
        111,*) printf '%s: runit could not start %s; is it there and executable?\n' "$name" "$SVDIR/$name/run" ;;
        *) printf '%s: ended with code %s %s\n' "$name" "$1" "$for_s" ;;
    esac
}

# runit starts again after a second, for ever (facts/termux.md 2.3). Whoever keeps ending gets up to 5 s more; the rest is
# the supervisor's decision. Not while somebody waits for the end: `want down`, `want exit`.
pause() {
    case $1 in
        0 | 1) left=0 ;;
        2) left=2 ;;
        *) left=5 ;;
    esac
    while [ "$left" -gt 0 ]; do
        state=
        [ -r supervise/stat ] && read -r state < supervise/stat
        case $state in *want*) return ;; esac
        sleep 1
        left=$((left - 1))
    done
}
