/** What a built program knows of itself. */
export interface Build {
  /** Commit of the sources, with `-changed` behind it where they had changes. */
  commit: string;
  /** The machine that it is for, such as `linux-x64-musl`. */
  target: string;
}

/** Put in by `bun run build`. */
declare const FDS_BUILD: Build | undefined;

/** The build that runs; null where the programs are started from their sources. */
export const BUILD: Build | null = typeof FDS_BUILD === "undefined" ? null : FDS_BUILD;

/** How a person here starts one of the programs: help and messages say it so. */
export function howToRun(program: "fds" | "client" | "server"): string {
  if (BUILD === null) return `bun run ${program}`;
  return program === "fds" ? "fds" : `fds ${program}`;
}

/** Ends a sentence of help about the environment. A built program reads no file that it is not told of. */
export const ENVIRONMENT_NOTE = BUILD === null ? ", of which .env is a part" : "";
