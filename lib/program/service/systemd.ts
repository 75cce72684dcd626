import { existsSync } from "node:fs";
import {
  commandStep,
  type FileStep,
  fileSteps,
  type Installation,
  type ServiceManager,
} from "./service.ts";

/** Returns the manager of systemd services on Linux. @param thisProgram path of the program to install */
export function systemd(thisProgram: string): ServiceManager {
  return {
    paths: ({ program, name }) => ({
      program: "/usr/local/bin/fds",
      settingsFolder: "/etc/fds",
      settings: `/etc/fds/${program}.conf`,
      state: `/var/lib/${name}`,
      definition: `/etc/systemd/system/${name}.service`,
    }),
    whyUnsupported({ program }) {
      // The folder exists if systemd runs this machine, see sd_booted(3).
      if (existsSync("/run/systemd/system")) return null;
      return `systemd does not run this machine: write the files alone with --destdir /, and let what starts programs here start "fds ${program} --config /etc/fds/${program}.conf"`;
    },
    install(installation) {
      const { name, paths } = installation;
      const [program, ...otherSteps] = fileSteps(installation, thisProgram);
      if (!program) throw new Error("a service has a program");
      const user = userFile(installation);
      return [
        program,
        user,
        commandStep("systemd-sysusers", user.path),
        ...otherSteps,
        {
          kind: "file",
          path: paths.definition,
          isTouched: true,
          mode: 0o644,
          owner: null,
          about: "the service",
          content: { text: unitOf(installation) },
        },
        commandStep("systemctl", "daemon-reload"),
        commandStep("systemctl", "enable", "--quiet", `${name}.service`),
        commandStep("systemctl", "restart", `${name}.service`),
      ];
    },
    uninstall: ({ name }, paths) => [
      {
        ...commandStep("systemctl", "disable", "--quiet", "--now", `${name}.service`),
        mayFail: true,
      },
      { kind: "remove", path: paths.definition, about: "the service" },
      { kind: "remove", path: userPath(name), about: "what names its user" },
      // On a machine without systemd, these commands fail, and there is nothing to reload.
      { ...commandStep("systemctl", "daemon-reload"), mayFail: true },
      { ...commandStep("systemctl", "reset-failed", `${name}.service`), mayFail: true },
    ],
    purge: ({ name }) => [{ ...commandStep("userdel", name), mayFail: true }],
    logHint: ({ name }) => `journalctl -u ${name}`,
    statusCommand: ({ name }) => ["systemctl", "show", "--property=LoadState,ActiveState", name],
    parseRunState(exitCode, stdout) {
      if (exitCode !== 0) return null;
      if (/^LoadState=not-found$/m.test(stdout)) return "not installed";
      return /^ActiveState=(?:active|reloading)$/m.test(stdout) ? "running" : "stopped";
    },
  };
}

function userPath(name: string): string {
  return `/etc/sysusers.d/${name}.conf`;
}

/** Returns the sysusers.d file of the service's own user. Owners of files can grant this user read access. */
function userFile({ name, description, paths }: Installation): FileStep {
  return {
    kind: "file",
    path: userPath(name),
    mode: 0o644,
    owner: null,
    about: `the user ${name}`,
    content: { text: `u ${name} - "${description}" ${paths.state}\n` },
  };
}

/**
 * Returns the systemd unit of a service. The unit restricts the service to the files and rights that it
 * needs.
 */
function unitOf({ name, program, description, paths, ...needs }: Installation): string {
  const { readable, writable, hasLowPort } = needs;
  const lines = [
    ...writable.map((path) => `ReadWritePaths=${quote(path)}\n`),
    // The unit hides /tmp and /var/tmp from the service, so folders in there have to be mounted.
    ...readable.filter(isTemporary).map((path) => `BindReadOnlyPaths=${quote(path)}\n`),
  ].join("");
  const capability = hasLowPort ? "CAP_NET_BIND_SERVICE" : "";
  return `[Unit]
Description=${description}
After=network-online.target
Wants=network-online.target

[Service]
User=${name}
ExecStart=${paths.program} ${program} --config ${paths.settings}
${program === "server" ? "ExecReload=/bin/kill -HUP $MAINPID\n" : ""}WorkingDirectory=${paths.state}
# Freed memory is kept for the next chunks: returning it to the system takes time.
Environment=MIMALLOC_PURGE_DELAY=5000
Restart=always
# By systemd's default, five failed starts in ten seconds would be the last.
RestartSec=5
TimeoutStopSec=15
LimitNOFILE=524288
StateDirectory=${name}
StateDirectoryMode=0700
${lines}UMask=0027
NoNewPrivileges=true
AmbientCapabilities=${capability}
CapabilityBoundingSet=${capability}
LockPersonality=true
PrivateDevices=true
PrivateTmp=true
ProcSubset=pid
ProtectClock=true
ProtectControlGroups=true
# Files in a home may be read, where their owner lets this user.
ProtectHome=read-only
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged

[Install]
WantedBy=multi-user.target
`;
}

function isTemporary(path: string): boolean {
  return /^(?:\/var)?\/tmp(?:\/|$)/.test(path);
}

/** Quotes a path as one word of a systemd unit. A % is doubled, as it would begin a specifier. */
function quote(path: string): string {
  return `"${path.replaceAll(/["\\]/g, String.raw`\$&`).replaceAll("%", "%%")}"`;
}
