/** Paths of a service's parts on a kind of system. */
export interface Places {
  /** The program, shared by all services. */
  program: string;
  /** Folder with the settings of all services. */
  settingsFolder: string;
  settings: string;
  /** The service's own files: keys and records. */
  state: string;
  /** The file that defines the service for the system. */
  definition: string;
}

/** One of our programs as a service of a system. */
export interface Service {
  program: "client" | "server";
  /** Name of the service, its user and its folder: `fds-client`. */
  name: string;
  /** One line for people. */
  description: string;
}

/** A service to be installed. */
export interface Installation extends Service {
  places: Places;
  /** Text of the file of settings. */
  settings: string;
  /** A client's enrolment token; null: it is enrolled, or needs none. */
  enrolToken: string | null;
  /** The file in which a client looks for it. */
  enrolTokenFile: string;
  /** Folders that the service reads. */
  readable: string[];
  /** Folders that it writes to, besides the state folder. */
  writable: string[];
  /** Whether it listens on a port reserved for the system. */
  hasLowPort: boolean;
}

/** A file or folder to be created or changed. */
export interface FileStep {
  kind: "file";
  path: string;
  /** Permissions, such as 0o600. */
  mode: number;
  /** Owner; null: the user who installs. */
  owner: string | null;
  /** Its purpose, for people. */
  about: string;
  /** Text of the file; or the file that it is a copy of; or a folder. */
  content: { text: string | Uint8Array } | { copyOf: string } | "folder";
  /** True: an existing one stays as it is. */
  onlyIfMissing?: true;
  /** True: its time of change is that of the last installation. */
  isTouched?: true;
  /** A file that is touched: settings newer than that were edited, and the service has not read them. */
  installedWith?: string;
}

/** A system command. */
export interface CommandStep {
  kind: "command";
  argv: string[];
  /** True: it fails where there is nothing to do. */
  mayFail?: true;
}

/** A file, or a folder with its contents, to be removed. */
export interface RemoveStep {
  kind: "remove";
  path: string;
  about: string;
}

export type Step = FileStep | CommandStep | RemoveStep;

/** Whether a service runs. null: the system does not tell, so its process has to be looked for. */
export type Running = "running" | "stopped" | "not installed" | null;

/** What manages services on a kind of system. */
export interface ServiceManager {
  places(service: Service): Places;
  /** Why this machine cannot run the service, and what to do instead; null: it can. */
  flaw(service: Service): string | null;
  /** All steps of an installation, in order. Steps already done change nothing. */
  install(installation: Installation): Step[];
  /** Stops the service, and removes its definition. */
  uninstall(service: Service, places: Places): Step[];
  /** Removes what remains of a service after its files. */
  purge(service: Service): Step[];
  /** Where a person finds the service's log. */
  logs(service: Service): string;
  /** The command that asks whether the service runs. */
  running(service: Service): string[];
  /** Parses the answer of that command. */
  readRunning(exitCode: number, stdout: string): Running;
}

/** Steps that are the same on all systems. */
export function fileSteps(installation: Installation, copyOf: string): FileStep[] {
  const { places, name, settings, enrolToken, enrolTokenFile, writable } = installation;
  const folder = { kind: "file", content: "folder" } as const;
  return [
    {
      kind: "file",
      path: places.program,
      mode: 0o755,
      owner: null,
      about: "the program",
      content: { copyOf },
    },
    { ...folder, path: places.settingsFolder, mode: 0o755, owner: null, about: "settings" },
    {
      kind: "file",
      path: places.settings,
      mode: 0o600,
      owner: name,
      about: "the settings",
      content: { text: settings },
      installedWith: places.definition,
    },
    { ...folder, path: places.state, mode: 0o700, owner: name, about: "what the service keeps" },
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

export function command(...argv: string[]): CommandStep {
  return { kind: "command", argv };
}
