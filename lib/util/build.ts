/** What a built program knows of itself. */
export interface Build {
  /** Commit of the sources, with `-changed` behind it where they had changes. */
  commit: string;
  /** The machine that it is for, such as `linux-x64-musl`. */
  target: string;
}

/** Replaced by its value in `bun run build`. */
declare const FDS_BUILD: Build | undefined;

/** The build that runs; null where the programs are started from their sources. */
export const BUILD: Build | null = typeof FDS_BUILD === "undefined" ? null : FDS_BUILD;

/** How a person starts one of the programs here, for help texts and messages. */
export function howToRun(program: "fds" | "client" | "server"): string {
  if (BUILD === null) return `bun run ${program}`;
  return program === "fds" ? "fds" : `fds ${program}`;
}

/** A line of help on services, which only the built program installs. */
export function serviceNote(program: "client" | "server"): string {
  if (BUILD === null) return "";
  const name = `fds ${program}`;
  return `
As a service of this machine: ${name} install, ${name} status, ${name} uninstall, each with --help.
`;
}

/** A line of help of a doctor: what it examines without flags. */
export function installedNote(program: "client" | "server"): string {
  if (BUILD === null) return "";
  return `
Without flags it looks at the ${program} that "fds ${program} install" put here: sudo fds ${program} doctor
`;
}

/**
 * End of a sentence about the environment in help texts. A built program reads a file only where it is told
 * to.
 */
export const ENVIRONMENT_NOTE = BUILD === null ? ", of which .env is a part" : "";
