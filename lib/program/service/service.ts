/** Where the parts of a service are on a kind of system. */
export interface Places {
  /** The one program, which services share. */
  program: string;
  /** Folder of the settings of all services. */
  settingsFolder: string;
  settings: string;
  /** What the service keeps: keys and records. */
  state: string;
  /** What tells the system of the service. */
  definition: string;
}

/** A program of ours as a service of a system. */
export interface Service {
  program: "client" | "server";
  /** The name of the service, its user and its folder: `fds-client`. */
  name: string;
  /** One line for people. */
  description: string;
}

/** A service as it is to be installed. */
export interface Installation extends Service {
  places: Places;
  /** Text of the file of settings. */
  settings: string;
  /** What a client enrols with; null: it is enrolled, or needs nothing. */
  enrolToken: string | null;
  /** Where a client looks for that. */
  enrolTokenFile: string;
  /** Folders that the service reads. */
  readable: string[];
  /** Folders beside the state folder that it writes in. */
  writable: string[];
  /** It listens where only the system's own programs may. */
  hasLowPort: boolean;
}

/** A file or folder that is to be as this says. */
export interface FileStep {
  kind: "file";
  path: string;
  /** Permissions, such as 0o600. */
  mode: number;
  /** User whose it is; null: of whoever installs. */
  owner: string | null;
  /** What it is, for people. */
  about: string;
  /** Text of the file, the file that it is a copy of, or that it is a folder. */
  content: { text: string | Uint8Array } | { copyOf: string } | "folder";
  /** A folder that is there already stays as it is. */
  onlyIfMissing?: true;
}

/** A command of the system. */
export interface CommandStep {
  kind: "command";
  argv: string[];
  /** It fails where there is nothing to do. */
  mayFail?: true;
}

/** A file, or a folder with all in it, that is to be gone. */
export interface RemoveStep {
  kind: "remove";
  path: string;
  about: string;
}

export type Step = FileStep | CommandStep | RemoveStep;

/** Whether a service runs: null where the system does not say, and its process has to. */
export type Running = "running" | "stopped" | "not installed" | null;

/** What keeps services running on a kind of system. */
export interface ServiceManager {
  places(service: Service): Places;
  /** All that there is to do, in order. What is done already changes nothing. */
  install(installation: Installation): Step[];
  /** Ends the service, and removes what tells the system of it. */
  uninstall(service: Service, places: Places): Step[];
  /** Removes what a service whose files are gone leaves behind. */
  purge(service: Service): Step[];
  /** Where a person sees what the service says. */
  logs(service: Service): string;
  /** Asks whether the service runs. */
  running(service: Service): string[];
  /** Reads the answer of that command. */
  readRunning(exitCode: number, stdout: string): Running;
}

/** Steps that are the same on each system. */
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
