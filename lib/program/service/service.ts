/** The paths of a service's files, which depend on the operating system. */
export interface ServicePaths {
  /** The path of the program, which all services share. */
  program: string;
  /** The folder that contains the settings of all services. */
  settingsFolder: string;
  settings: string;
  /** The folder of the service's own files, such as keys and records. */
  state: string;
  /** The path of the file that defines the service for the operating system. */
  definition: string;
}

/** The client or the server as a service of the operating system. */
export interface Service {
  program: "client" | "server";
  /** The name of the service, of its user and of its folder: `fds-client`. */
  name: string;
  /** A description in one line, shown to users. */
  description: string;
}

/** A service to be installed, with its paths and settings, and the folders and rights that it needs. */
export interface Installation extends Service {
  paths: ServicePaths;
  /** The text of the settings file. */
  settings: string;
  /** The enrolment token for a client; null if the client is enrolled already or needs none. */
  enrolToken: string | null;
  /** The path of the file from which a client reads its enrolment token. */
  enrolTokenFile: string;
  /** Folders that the service reads. */
  readable: string[];
  /** Folders that the service writes to, besides its state folder. */
  writable: string[];
  /** Whether the service listens on a port below 1024, which needs a special right. */
  hasLowPort: boolean;
}

/** A file or folder to be created or changed. */
export interface FileStep {
  kind: "file";
  path: string;
  /** Permission bits, such as 0o600. */
  mode: number;
  /** The name of the user who will own the file; null for the user who installs. */
  owner: string | null;
  /** The purpose of the file or folder, in words for the user. */
  about: string;
  /** The content: a text, the path of a file to copy, or "folder" for a folder. */
  content: { text: string | Uint8Array } | { copyOf: string } | "folder";
  /** Whether a file or folder that exists already stays as it is. */
  onlyIfMissing?: true;
  /** Whether each installation sets the file's modification time to the present. */
  isTouched?: true;
  /**
   * The path of a file that each installation touches. If this step's file is newer than that one, it was
   * edited since the last installation, and the running service has not read the change.
   */
  installedWith?: string;
}

/** A system command to be run. */
export interface CommandStep {
  kind: "command";
  argv: string[];
  /** Whether a failure is ignored, as the command fails where there is nothing to do. */
  mayFail?: true;
}

/** A file, or a folder with its content, to be removed. */
export interface RemoveStep {
  kind: "remove";
  path: string;
  about: string;
}

export type Step = FileStep | CommandStep | RemoveStep;

/** Whether a service runs. null means that the system does not tell, so the process has to be looked for. */
export type RunState = "running" | "stopped" | "not installed" | null;

/** The service manager of an operating system, such as systemd. */
export interface ServiceManager {
  paths(service: Service): ServicePaths;
  /** Returns why this machine cannot run the service, and what to do instead; null where it can. */
  whyUnsupported(service: Service): string | null;
  /** Returns all steps of an installation, in order. A step that is already done changes nothing. */
  install(installation: Installation): Step[];
  /** Returns the steps that stop the service and remove its definition. */
  uninstall(service: Service, paths: ServicePaths): Step[];
  /**
   * Returns the last steps of `uninstall --purge`, which remove what is left of the service besides files,
   * such as its user.
   */
  purge(service: Service): Step[];
  /** Returns a command, or a place, that shows the service's log. */
  logHint(service: Service): string;
  /** Returns the system command that tells whether the service runs. */
  statusCommand(service: Service): string[];
  /** Parses the result of the command that `statusCommand` returns. */
  parseRunState(exitCode: number, stdout: string): RunState;
}

/**
 * Returns the steps of an installation that are the same on all systems.
 * @param copyOf path of the program to install
 */
export function fileSteps(installation: Installation, copyOf: string): FileStep[] {
  const { paths, name, settings, enrolToken, enrolTokenFile, writable } = installation;
  const folder = { kind: "file", content: "folder" } as const;
  return [
    {
      kind: "file",
      path: paths.program,
      mode: 0o755,
      owner: null,
      about: "the program",
      content: { copyOf },
    },
    { ...folder, path: paths.settingsFolder, mode: 0o755, owner: null, about: "settings" },
    {
      kind: "file",
      path: paths.settings,
      mode: 0o600,
      owner: name,
      about: "the settings",
      content: { text: settings },
      installedWith: paths.definition,
    },
    { ...folder, path: paths.state, mode: 0o700, owner: name, about: "what the service keeps" },
    ...writable.map((path) => ({
      ...folder,
      path,
      mode: 0o750,
      owner: name,
      about: "what the service writes",
      onlyIfMissing: true as const,
    })),
    ...(enrolToken === null
      ? []
      : [
          {
            kind: "file" as const,
            path: enrolTokenFile,
            mode: 0o600,
            owner: name,
            about: "the enrolment token, until the client is enrolled",
            content: { text: `${enrolToken}\n` },
          },
        ]),
  ];
}

export function commandStep(...argv: string[]): CommandStep {
  return { kind: "command", argv };
}
