import { afterAll, beforeAll } from "bun:test";
import { readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Roots } from "../../lib/client/owner-rules/roots.ts";
import type { SourceFile } from "../../lib/client/owner-rules/source-file.ts";
import { FdsError } from "../../lib/protocol/errors.ts";

/* A site with two roots, and symbolic links that stay within the roots or lead outside. */

/** Patterns of the served files. Names that begin with a dot are hidden unless a pattern names them. */
export const allow = ["**", "..name"];

/** The content of a file outside the roots. */
export const SECRET = "outside, a secret";

/** The folder that contains the roots and the files outside them. */
export let base: string;

/** Opens both roots. The path of the first is a symbolic link. */
export function openRoots(): Promise<Roots> {
  return Roots.open([join(base, "link"), join(base, "second")], { home: base, allow });
}

/** Opens a file as the client would for a download, and returns its content. */
export async function contentOf(roots: Roots, filePath: string): Promise<string> {
  const file = await roots.openFile(filePath);
  try {
    return readFileSync(file.fd, "utf8");
  } finally {
    await file.close();
  }
}

/** Returns the error with which the roots refuse to open a file. */
export async function problemOf(roots: Roots, filePath: string): Promise<FdsError> {
  const error = await roots.openFile(filePath).then(closeAndFail, (reason: unknown) => reason);
  if (error instanceof FdsError) return error;
  throw error;
}

async function closeAndFail(file: SourceFile): Promise<never> {
  const text = readFileSync(file.fd, "utf8");
  await file.close();
  throw new Error(`opened a file that holds "${text}"`);
}

/** Makes the folders, files and links of the site before the tests of a file. */
export function useRootsSite(): void {
  beforeAll(async () => {
    base = await realpath(await mkdtemp(join(tmpdir(), "fds-roots-")));
    // Makes the folder readable for all users, because one test gives up root's rights.
    await chmod(base, 0o755);
    for (const folder of ["site/folder/deeper", "second/shared", "outside/folder"]) {
      await mkdir(join(base, folder), { recursive: true });
    }
    const files = {
      "site/a.txt": "site a",
      "site/folder/b.txt": "site b",
      "site/..name": "two dots in front",
      "site/~": "a tilde",
      "site/a\\b.txt": "a backslash",
      "site/$USER": "no variable",
      "second/a.txt": "second a",
      "second/only.txt": "only in second",
      "second/leaves": "hidden by the first root's link",
      "outside/secret.txt": SECRET,
    };
    for (const [path, text] of Object.entries(files)) await writeFile(join(base, path), text);
    const links = {
      link: "site",
      "site/stays": "folder/b.txt",
      "site/stays-absolute": join(base, "site/a.txt"),
      "site/stays-given": join(base, "link/a.txt"),
      "site/stays-around": "../site/a.txt",
      "site/stays-second": "../second/only.txt",
      "site/deeper": "folder/deeper",
      "site/stays-dots": "deeper/../b.txt",
      "site/chain": "./stays//",
      "site/dangling": "folder/none",
      "site/loop": "loop",
      "site/leaves": "../outside/secret.txt",
      "site/leaves-missing": "../outside/none",
      "site/leaves-folder": "../outside",
      "site/leaves-absolute": "/etc/passwd",
      "site/leaves-chain": "leaves",
      "site/leaves-base": "..",
      "site/leaves-loop": "../outside/loop",
      "outside/loop": "loop",
      "outside/back": "../site/a.txt",
    };
    for (const [path, target] of Object.entries(links)) await symlink(target, join(base, path));
  });

  afterAll(() => rm(base, { recursive: true, force: true }));
}
