/** Facts about a built program, which the build compiles into it. */
export interface Build {
  /** Git commit of the sources, followed by `-changed` if there were uncommitted changes. */
  commit: string;
  /** The kind of machine that the program is built for, such as `linux-x64-musl`. */
  target: string;
}

/** Name that `bun run build` replaces by the values of the build; not defined when the sources are run. */
declare const FDS_BUILD: Build | undefined;

/** Commit and target of the running program; null if it was started from its sources. */
export const BUILD: Build | null = typeof FDS_BUILD === "undefined" ? null : FDS_BUILD;

/** Returns the command that starts a program on this machine, for help texts and messages. */
export function howToRun(program: "fds" | "client" | "server"): string {
  if (BUILD === null) return `bun run ${program}`;
  return program === "fds" ? "fds" : `fds ${program}`;
}

/** Returns a help text about installing the program as a service; empty if it is run from its sources. */
export function serviceNote(program: "client" | "server"): string {
  if (BUILD === null) return "";
  const name = `fds ${program}`;
  return `
As a service of this machine: ${name} install, ${name} status, ${name} uninstall, each with --help.
`;
}

/**
 * Returns a help text on what `doctor` examines without flags; empty if the program is run from its sources.
 */
export function installedNote(program: "client" | "server"): string {
  if (BUILD === null) return "";
  return `
Without flags it looks at the ${program} that "fds ${program} install" put here: sudo fds ${program} doctor
`;
}

/**
 * Text that follows the words "the environment" in help texts. Bun reads `.env` by itself when it runs the
 * sources. A built program does not read this file.
 */
export const ENVIRONMENT_NOTE = BUILD === null ? ", of which .env is a part" : "";
