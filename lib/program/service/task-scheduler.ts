import { win32 } from "node:path";
import { escapeXml } from "./launchd.ts";
import {
  commandStep,
  type CommandStep,
  fileSteps,
  type Installation,
  type ServiceManager,
} from "./service.ts";

/** Accounts are named by security identifier (SID), as Windows account names depend on the language. */
const SYSTEM = "*S-1-5-18";
const ADMINISTRATORS = "*S-1-5-32-544";
/** The SID of LOCAL SERVICE, the system account with the fewest rights. */
const LOCAL_SERVICE = "S-1-5-19";

/**
 * Returns the manager that runs services as Windows tasks, which start with the machine. They are no real
 * Windows services, because those have to implement a protocol of Windows' service manager.
 * @param thisProgram path of the program to install
 * @param folders the folder of programs, `%ProgramFiles%`, and the folder of their data, `%ProgramData%`
 */
export function taskScheduler(
  thisProgram: string,
  folders: { programs: string; data: string },
): ServiceManager {
  return {
    paths({ program, name }) {
      const settingsFolder = win32.join(folders.data, "fds");
      return {
        program: win32.join(folders.programs, "fds", "fds.exe"),
        settingsFolder,
        settings: win32.join(settingsFolder, `${program}.conf`),
        state: win32.join(settingsFolder, name),
        definition: win32.join(settingsFolder, `${name}.xml`),
      };
    },
    whyUnsupported: () => null,
    install(installation) {
      const { name, paths, writable } = installation;
      return [
        // The task is ended first, as Windows cannot replace a running program.
        { ...commandStep("schtasks", "/End", "/TN", name), mayFail: true },
        // No owner is set on Windows, as icacls sets the permissions below.
        ...fileSteps(installation, thisProgram).map((step) => ({ ...step, owner: null })),
        {
          kind: "file",
          path: paths.definition,
          isTouched: true,
          mode: 0o644,
          owner: null,
          about: "the task, for the Task Scheduler",
          content: { text: utf16(taskOf(installation)) },
        },
        grantRights(paths.settings, "R"),
        ...[paths.state, ...writable].map((path) => grantRights(path, "(OI)(CI)M")),
        commandStep("schtasks", "/Create", "/F", "/TN", name, "/XML", paths.definition),
        commandStep("schtasks", "/Run", "/TN", name),
      ];
    },
    uninstall: ({ name }, paths) => [
      { ...commandStep("schtasks", "/End", "/TN", name), mayFail: true },
      { ...commandStep("schtasks", "/Delete", "/F", "/TN", name), mayFail: true },
      { kind: "remove", path: paths.definition, about: "the task" },
    ],
    purge: () => [],
    logHint: ({ name, program }) =>
      `fds ${program} status, or the task ${name} in the Task Scheduler`,
    // The output of schtasks depends on the system's language, so only its exit code is used.
    statusCommand: ({ name }) => ["schtasks", "/Query", "/TN", name],
    parseRunState: (exitCode) => (exitCode === 0 ? null : "not installed"),
  };
}

/**
 * Returns a command that restricts a path to the system, administrators and the service.
 * @param serviceRights rights of the service, in the notation of icacls
 */
function grantRights(path: string, serviceRights: string): CommandStep {
  const fullRights = path.endsWith(".conf") ? "F" : "(OI)(CI)F";
  const granted = [
    `${SYSTEM}:${fullRights}`,
    `${ADMINISTRATORS}:${fullRights}`,
    `*${LOCAL_SERVICE}:${serviceRights}`,
  ];
  return commandStep("icacls", path, "/inheritance:r", "/grant:r", ...granted, "/Q");
}

/**
 * Returns the XML of a task that starts with the machine. If the program has ended, the task starts it again
 * within a minute.
 */
function taskOf({ program, description, paths }: Installation): string {
  return `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>${escapeXml(description)}</Description>
  </RegistrationInfo>
  <Triggers>
    <BootTrigger>
      <Enabled>true</Enabled>
    </BootTrigger>
    <TimeTrigger>
      <Repetition>
        <Interval>PT1M</Interval>
        <StopAtDurationEnd>false</StopAtDurationEnd>
      </Repetition>
      <StartBoundary>2020-01-01T00:00:00</StartBoundary>
      <Enabled>true</Enabled>
    </TimeTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>${LOCAL_SERVICE}</UserId>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>
    <Enabled>true</Enabled>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>7</Priority>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>${escapeXml(paths.program)}</Command>
      <Arguments>${escapeXml(`${program} --config "${paths.settings}"`)}</Arguments>
      <WorkingDirectory>${escapeXml(paths.state)}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
`;
}

/** Encodes a text as UTF-16 with a byte order mark, which the Task Scheduler requires. */
function utf16(text: string): Uint8Array {
  return Buffer.from(`\uFEFF${text.replaceAll("\n", "\r\n")}`, "utf16le");
}
