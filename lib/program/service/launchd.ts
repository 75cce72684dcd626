import { commandStep, fileSteps, type ServiceManager } from "./service.ts";

/**
 * The user that the service runs as. macOS has this user, which has few rights. A user for this service alone
 * would have to be created by hand.
 */
const USER = "daemon";

/** Returns the manager of launchd services on macOS. @param thisProgram path of the program to install */
export function launchd(thisProgram: string): ServiceManager {
  return {
    paths: ({ program, name }) => ({
      program: "/usr/local/bin/fds",
      settingsFolder: "/etc/fds",
      settings: `/etc/fds/${program}.conf`,
      state: `/var/db/${name}`,
      definition: `/Library/LaunchDaemons/${name}.plist`,
    }),
    whyUnsupported: () => null,
    install(installation) {
      const { name, paths } = installation;
      const files = fileSteps(installation, thisProgram);
      return [
        ...files.map((step) => ({ ...step, owner: step.owner === null ? null : USER })),
        {
          kind: "file",
          path: paths.definition,
          isTouched: true,
          mode: 0o644,
          owner: null,
          about: "the service",
          content: { text: plistOf(installation) },
        },
        { ...commandStep("launchctl", "bootout", `system/${name}`), mayFail: true },
        commandStep("launchctl", "enable", `system/${name}`),
        commandStep("launchctl", "bootstrap", "system", paths.definition),
      ];
    },
    uninstall: ({ name }, paths) => [
      { ...commandStep("launchctl", "bootout", `system/${name}`), mayFail: true },
      { kind: "remove", path: paths.definition, about: "the service" },
      { kind: "remove", path: logOf(name), about: "its log" },
    ],
    purge: () => [],
    logHint: ({ name }) => `tail ${logOf(name)}`,
    statusCommand: ({ name }) => ["launchctl", "print", `system/${name}`],
    parseRunState(exitCode, stdout) {
      if (exitCode !== 0) return "not installed";
      return /^\s*state = running$/m.test(stdout) ? "running" : "stopped";
    },
  };
}

function logOf(name: string): string {
  return `/var/log/${name}.log`;
}

function plistOf({ name, program, paths }: Parameters<ServiceManager["install"]>[0]): string {
  const words = [paths.program, program, "--config", paths.settings];
  const list = words.map((word) => `    <string>${escapeXml(word)}</string>`).join("\n");
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${name}</string>
  <key>ProgramArguments</key>
  <array>
${list}
  </array>
  <key>UserName</key>
  <string>${USER}</string>
  <key>WorkingDirectory</key>
  <string>${paths.state}</string>
  <key>EnvironmentVariables</key>
  <dict>
    <key>MIMALLOC_PURGE_DELAY</key>
    <string>5000</string>
  </dict>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <key>ThrottleInterval</key>
  <integer>5</integer>
  <key>Umask</key>
  <integer>23</integer>
  <key>StandardErrorPath</key>
  <string>${logOf(name)}</string>
</dict>
</plist>
`;
}

/** Escapes a text for the content of an XML element. */
export function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
