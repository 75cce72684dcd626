import { chmod, chown, mkdir } from "node:fs/promises";

/** User id of `nobody`, who owns none of the test's files. */
const NOBODY = 65_534;

const isRoot = process.getuid?.() === 0;

/**
 * Suffix for the names of tests that are skipped because no program can run with reduced rights; `""` if it
 * can.
 */
export const lacksRights = lacking();

/**
 * Words in front of a command that make it run without root's capabilities. Empty if the tests do not run as
 * root.
 */
export const withLessRights = isRoot ? ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] : [];

/** Makes a folder owned by the user `nobody`. Requires root. */
export async function makeFolderOfNobody(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  await chown(path, NOBODY, NOBODY);
}

/** Suffix for the names of tests that are skipped without root; `""` as root. */
export const lacksRoot = isRoot ? "" : " (needs root)";

/** Makes a folder that a program started by {@link withLessRights} cannot open. */
export async function makeClosedFolder(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  await (isRoot ? chown(path, NOBODY, NOBODY) : chmod(path, 0));
}

function lacking(): string {
  if (process.platform === "win32") return " (needs rights of files)";
  return isRoot && !Bun.which("setpriv") ? " (needs setpriv: apt-get install util-linux)" : "";
}
