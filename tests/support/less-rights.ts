import { chmod, chown, mkdir } from "node:fs/promises";

/** A user who owns nothing of ours. */
const NOBODY = 65_534;

const isRoot = process.getuid?.() === 0;

/** Why no program can run without all rights here, to stand behind the name of a test; `""` where it can. */
export const lacksRights = lacking();

/** Words before a command, which then may do no more than a user: root loses its rights. */
export const withLessRights = isRoot ? ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] : [];

/** Makes a folder of a user who is not root; only root can. */
export async function makeFolderOfNobody(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  await chown(path, NOBODY, NOBODY);
}

/** Why this is not root, to stand behind the name of a test. */
export const lacksRoot = isRoot ? "" : " (needs root)";

/** Makes a folder that a program {@link withLessRights} may not enter. */
export async function makeClosedFolder(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  await (isRoot ? chown(path, NOBODY, NOBODY) : chmod(path, 0));
}

function lacking(): string {
  if (process.platform === "win32") return " (needs rights of files)";
  return isRoot && !Bun.which("setpriv") ? " (needs setpriv: apt-get install util-linux)" : "";
}
