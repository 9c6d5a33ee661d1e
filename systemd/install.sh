#!/bin/sh
# Installs, upgrades, rolls back or removes campus-agent on a Debian machine with systemd.
set -eu
# What the caller's Python sees must not be taken for what is installed here.
unset PYTHONPATH PYTHONHOME

HOME_DIR=/opt/campus-agent
SETTINGS=/etc/campus-agent
STATE=/var/lib/campus-agent
COMMAND=/usr/local/bin/campus-agent
UNIT=/etc/systemd/system/campus-agent.service
PANEL=/etc/systemd/system/campus-agent-panel.service
UDEV=/etc/udev/rules.d/70-campus-agent.rules
MODULES=/etc/modules-load.d/campus-agent.conf
SYSUSERS=/etc/sysusers.d/campus-agent.conf
HERE=$(cd "$(dirname "$0")" && pwd)

case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in zh*) CHINESE=yes ;; *) CHINESE= ;; esac

say() { # ENGLISH CHINESE
    if [ "$CHINESE" ]; then echo "$2"; else echo "$1"; fi
}

stop() { # ENGLISH CHINESE
    say "$1" "$2" >&2
    exit 1
}

usage() {
    say "usage: sudo $0 [--wheel FILE] [--wheels DIRECTORY] | --rollback | --uninstall [--purge]

  (nothing)            install or upgrade from this checkout
  --wheel FILE         ... from this wheel
  --wheels DIRECTORY   ... without the internet, from a directory of wheels (\`make wheels\`)
  --rollback           go back to the version before
  --uninstall          remove the program; settings and records stay
  --purge              ... and settings, passwords and records too" \
        "用法：sudo $0 [--wheel 文件] [--wheels 目录] | --rollback | --uninstall [--purge]

  （不带参数）         从当前源码目录安装或升级
  --wheel 文件         从指定的 wheel 安装
  --wheels 目录        不连互联网，从 wheel 目录安装（由 make wheels 生成）
  --rollback           退回上一个版本
  --uninstall          卸载程序，保留设置和记录
  --purge              连同设置、密码和记录一并删除"
}

needs() {
    [ "$(id -u)" = 0 ] || stop "This needs root: run it with sudo." "需要 root 权限：请用 sudo 运行。"
    command -v systemctl >/dev/null ||
        stop "This machine has no systemd; campus-agent is run by it." "本机没有 systemd，无法运行 campus-agent。"
    exec 9>/run/campus-agent-install.lock
    flock -n 9 || stop "Another installation is running; wait for it to end." "另一个安装正在进行，请等它结束。"
}

needs_python() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        stop "Python 3.11 or newer is missing: apt-get install python3." "缺少 Python 3.11 或更新版本：apt-get install python3。"
    python3 -c 'import ensurepip, venv' 2>/dev/null ||
        stop "Python's venv is missing: apt-get install python3-venv." "缺少 Python 的 venv：apt-get install python3-venv。"
}

# pip with the source that was asked for; constrained to the versions that were tested.
pip_of() { # PYTHON ARGUMENTS...
    python=$1
    shift
    "$python" -m pip --quiet --disable-pip-version-check --no-input "$@" \
        ${WHEELS:+--no-index --find-links "$WHEELS"} ||
        stop "The packages could not be installed; the version that runs is untouched. The reason is above." \
            "软件包安装失败，正在运行的版本没有改动。原因见上。"
}

find_wheel() {
    if [ "$WHEEL" ]; then
        [ -f "$WHEEL" ] || stop "$WHEEL: no such file." "$WHEEL：没有这个文件。"
    elif [ "$WHEELS" ]; then
        WHEEL=$(ls -t "$WHEELS"/campus_agent-*.whl 2>/dev/null | head -n 1)
        [ "$WHEEL" ] || stop "$WHEELS holds no campus_agent wheel." "$WHEELS 中没有 campus_agent 的 wheel。"
    else
        [ -f "$HERE/../pyproject.toml" ] ||
            stop "This is no checkout: say --wheel or --wheels." "这里不是源码目录：请用 --wheel 或 --wheels。"
        python3 -m venv "$WORK/build"
        # A copy: building writes into its source, which belongs to whoever checked it out.
        mkdir "$WORK/source"
        tar -C "$HERE/.." -cf - pyproject.toml README.md LICENSE agent drivers | tar -C "$WORK/source" -xf -
        pip_of "$WORK/build/bin/python" wheel --no-deps --wheel-dir "$WORK" "$WORK/source"
        WHEEL=$(ls "$WORK"/campus_agent-*.whl)
    fi
}

# A directory a version; a rebuilt wheel of the same version gets one of its own.
choose_directory() {
    version=$(basename "$WHEEL" | cut -d- -f2)
    digest=$(sha256sum "$WHEEL" | cut -c1-12)
    TARGET=$HOME_DIR/$version
    if [ -e "$TARGET/.complete" ] && [ "$(cat "$TARGET/.complete")" != "$digest" ]; then
        TARGET=$HOME_DIR/$version+$digest
    fi
}

build_version() {
    [ -e "$TARGET/.complete" ] && return
    rm -rf "$TARGET"
    mkdir -p "$HOME_DIR"
    python3 -m venv "$TARGET"
    LOCK=
    for one in "$HERE/../requirements.lock" "${WHEELS:-/nonexistent}/requirements.lock"; do
        [ -f "$one" ] && LOCK=$one
    done
    pip_of "$TARGET/bin/python" install ${LOCK:+--constraint "$LOCK"} "$WHEEL"
    "$TARGET/bin/python" -m compileall -q "$TARGET/lib" >/dev/null 2>&1 || true
    mkdir "$TARGET/systemd"
    for one in campus-agent.service campus-agent-panel.service campus-agent.sysusers \
        campus-agent.modules 70-campus-agent.rules; do
        install -m 644 "$HERE/$one" "$TARGET/systemd/"
    done
    "$TARGET/bin/campus-agent" --version >/dev/null ||
        stop "The new version does not run on this machine; the one that runs is untouched." \
            "新版本无法在本机运行，正在运行的版本没有改动。"
    echo "$digest" >"$TARGET/.complete"
}

link_to() { # LINK TARGET: replaced in one step, so that there is always a whole version behind it
    ln -sfn "$2" "$1.new"
    mv -T "$1.new" "$1"
}

put_system_files() { # VERSION DIRECTORY
    install -D -m 644 "$1/systemd/campus-agent.service" "$UNIT"
    [ ! -f "$1/systemd/campus-agent-panel.service" ] ||
        install -D -m 644 "$1/systemd/campus-agent-panel.service" "$PANEL"
    install -D -m 644 "$1/systemd/70-campus-agent.rules" "$UDEV"
    install -D -m 644 "$1/systemd/campus-agent.modules" "$MODULES"
    install -D -m 644 "$1/systemd/campus-agent.sysusers" "$SYSUSERS"
    systemd-sysusers "$SYSUSERS"
    install -d -m 750 -o root -g campus-agent "$SETTINGS"
    install -d -m 750 -o root -g root "$SETTINGS/credentials"
    systemctl daemon-reload
    if command -v udevadm >/dev/null; then
        udevadm control --reload 2>/dev/null || true
        udevadm trigger --subsystem-match=tty 2>/dev/null || true
    fi
    for module in $(grep -v '^#' "$MODULES"); do
        modprobe --quiet "$module" 2>/dev/null || true
    done
}

# Whatever else wants the ports; said, never changed: it is not ours.
warn_of_rivals() {
    for rival in ModemManager brltty; do
        if systemctl is-active --quiet "$rival" 2>/dev/null; then
            say "Note: $rival runs and may take serial ports away: systemctl disable --now $rival" \
                "注意：$rival 正在运行，可能抢占串口：systemctl disable --now $rival"
        fi
    done
}

# True when the service runs, or has nothing to run with yet.
restarted() {
    systemctl --quiet enable campus-agent 2>/dev/null
    [ -f "$SETTINGS/site.toml" ] || return 0
    systemctl try-restart campus-agent-panel 2>/dev/null || true
    systemctl restart campus-agent
}

install_version() {
    needs_python
    WORK=$(mktemp -d)
    trap 'rm -rf "$WORK"' EXIT
    find_wheel
    choose_directory
    before=$(readlink "$HOME_DIR/current" 2>/dev/null || true)
    build_version
    if [ -f "$SETTINGS/site.toml" ]; then
        "$TARGET/bin/campus-agent" config check "$SETTINGS/site.toml" ||
            say "Note: the new version finds fault with the settings; it runs what it can." \
                "注意：新版本认为设置有问题，会运行其中可用的部分。"
    fi
    put_system_files "$TARGET"
    link_to "$HOME_DIR/current" "$TARGET"
    link_to "$COMMAND" "$HOME_DIR/current/bin/campus-agent"
    [ -f "$HERE/../config/site.example.toml" ] &&
        install -m 644 "$HERE/../config/site.example.toml" "$SETTINGS/site.example.toml"
    if ! restarted; then
        if [ "$before" ] && [ "$before" != "$TARGET" ]; then
            put_system_files "$before"
            link_to "$HOME_DIR/current" "$before"
            restarted || true
            stop "$(basename "$TARGET") does not start; $(basename "$before") runs again. See: journalctl -u campus-agent" \
                "$(basename "$TARGET") 无法启动，已恢复 $(basename "$before")。请看：journalctl -u campus-agent"
        fi
        stop "campus-agent is installed and does not start. See: journalctl -u campus-agent" \
            "campus-agent 已安装但无法启动。请看：journalctl -u campus-agent"
    fi
    if [ "$before" ] && [ "$before" != "$TARGET" ]; then
        link_to "$HOME_DIR/previous" "$before"
    fi
    remove_old_versions
    warn_of_rivals
    say "campus-agent $(basename "$TARGET") is installed." "campus-agent $(basename "$TARGET") 已安装。"
    if [ ! -f "$SETTINGS/site.toml" ]; then
        say "Next: write $SETTINGS/site.toml (see site.example.toml there), then: systemctl start campus-agent" \
            "下一步：编写 $SETTINGS/site.toml（参考同目录的 site.example.toml），然后：systemctl start campus-agent"
    fi
}

remove_old_versions() {
    for one in "$HOME_DIR"/*/; do
        one=${one%/}
        [ -L "$one" ] && continue
        [ "$one" = "$(readlink "$HOME_DIR/current")" ] && continue
        [ "$one" = "$(readlink "$HOME_DIR/previous" 2>/dev/null)" ] && continue
        rm -rf "$one"
    done
}

roll_back() {
    before=$(readlink "$HOME_DIR/previous" 2>/dev/null || true)
    [ "$before" ] && [ -e "$before/.complete" ] ||
        stop "There is no version to go back to." "没有可以退回的版本。"
    now=$(readlink "$HOME_DIR/current")
    put_system_files "$before"
    link_to "$HOME_DIR/current" "$before"
    link_to "$HOME_DIR/previous" "$now"
    restarted || stop "$(basename "$before") does not start. See: journalctl -u campus-agent" \
        "$(basename "$before") 无法启动。请看：journalctl -u campus-agent"
    say "campus-agent $(basename "$before") runs again; settings and records were kept." \
        "已退回 campus-agent $(basename "$before")，设置和记录都保留。"
}

uninstall() {
    systemctl --quiet disable --now campus-agent-panel campus-agent 2>/dev/null || true
    rm -f "$UNIT" "$PANEL" "$UDEV" "$MODULES" "$COMMAND"
    rm -rf "$HOME_DIR"
    systemctl daemon-reload
    if [ "$PURGE" ]; then
        rm -rf "$SETTINGS" "$STATE" "$SYSUSERS" /etc/systemd/system/campus-agent.service.d
        userdel campus-agent 2>/dev/null || true
        groupdel campus-agent 2>/dev/null || true
        say "campus-agent, its settings and its records are removed." "campus-agent 及其设置和记录均已删除。"
    else
        say "campus-agent is removed; $SETTINGS and $STATE stay (--purge removes them too)." \
            "campus-agent 已卸载；$SETTINGS 和 $STATE 保留（加 --purge 可一并删除）。"
    fi
}

WHEEL= WHEELS= PURGE= ACTION=install_version
while [ $# -gt 0 ]; do
    case "$1" in
    --wheel | --wheels)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        if [ "$1" = --wheel ]; then WHEEL=$(readlink -f "$2"); else WHEELS=$(readlink -f "$2"); fi
        shift
        ;;
    --rollback) ACTION=roll_back ;;
    --uninstall) ACTION=uninstall ;;
    --purge) PURGE=yes ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
[ -z "$PURGE" ] || [ "$ACTION" = uninstall ] || { usage >&2; exit 2; }
needs
$ACTION
