import { beforeEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Roots } from "../../../lib/client/owner-rules/roots.ts";
import { UsageError } from "../../../lib/util/flags.ts";
import {
  base,
  contentOf,
  openRoots,
  problemOf,
  SECRET,
  useRootsSite,
} from "../../support/roots-site.ts";

useRootsSite();

/* Which files the roots give access to while links and folders change. */

test("a root that was removed serves nothing", async () => {
  const folder = join(base, "gone");
  await mkdir(folder);
  const roots = await Roots.open([folder]);
  await rm(folder, { recursive: true });
  expect((await problemOf(roots, "a.txt")).code).toBe("file_not_found");
  await symlink(join(base, "outside"), folder);
  expect((await problemOf(roots, "secret.txt")).code).toBe("access_denied");
});

describe("a root given as a link is where the link leads", () => {
  let place: string;

  beforeEach(async () => {
    place = await mkdtemp(join(base, "moved-"));
    for (const version of ["v1", "v2"]) {
      await mkdir(join(place, version, "data"), { recursive: true });
      await writeFile(join(place, version, "data/file"), version);
    }
    await symlink("v1", join(place, "current"));
  });

  async function move(path: string, target: string): Promise<void> {
    await symlink(target, `${path}.new`);
    await rename(`${path}.new`, path);
  }

  test.each([
    ["the root itself", "current", "data/file"],
    ["a folder above the root", "current/data", "file"],
  ])("after it moved: %s", async (_, root, filePath) => {
    const roots = await Roots.open([join(place, root)]);
    expect(await contentOf(roots, filePath)).toBe("v1");
    await move(join(place, "current"), "v2");
    expect(await contentOf(roots, filePath)).toBe("v2");
    expect(await contentOf(roots, join(place, root, filePath))).toBe("v2");
    const former = join(place, root.replace("current", "v1"), filePath);
    expect((await problemOf(roots, former)).code).toBe("access_denied");
  });

  test("after another link that it leads to moved", async () => {
    await symlink("current", join(place, "chain"));
    const roots = await Roots.open([join(place, "chain")]);
    await move(join(place, "current"), join(place, "v2"));
    expect(await contentOf(roots, "data/file")).toBe("v2");
  });

  test("and nothing is served while it leads nowhere", async () => {
    const roots = await Roots.open([join(place, "current")]);
    await rm(join(place, "current"));
    expect((await problemOf(roots, "data/file")).code).toBe("file_not_found");
    await symlink("none", join(place, "current"));
    expect((await problemOf(roots, "data/file")).code).toBe("file_not_found");
    await move(join(place, "current"), "v2");
    expect(await contentOf(roots, "data/file")).toBe("v2");
  });

  test("also when a folder takes its place", async () => {
    const roots = await Roots.open([join(place, "current")]);
    await rm(join(place, "current"));
    await rename(join(place, "v2"), join(place, "current"));
    expect(await contentOf(roots, "data/file")).toBe("v2");
  });

  test("but a folder that became a link is not followed", async () => {
    const roots = await Roots.open([join(place, "current/data")]);
    await rm(join(place, "v1/data"), { recursive: true });
    await symlink(join(base, "outside"), join(place, "v1/data"));
    expect((await problemOf(roots, "secret.txt")).code).toBe("access_denied");
  });

  test.each([
    ["itself", "v2/current", "v2/current"],
    ["by way of another", "v2/current", "way"],
  ])("but stays where it was if it lies in another root, %s", async (_, inner, root) => {
    await symlink("../v1", join(place, inner));
    await symlink(inner, join(place, "way"));
    const roots = await Roots.open([join(place, root), join(place, "v2")]);
    await move(join(place, inner), join(base, "outside"));
    expect((await problemOf(roots, "secret.txt")).code).toBe("file_not_found");
    expect(await contentOf(roots, "data/file")).toBe("v1");
  });

  test("and so is a withheld folder, which also stays away where it was", async () => {
    const site = join(place, "v1");
    const roots = await Roots.open([site]);
    await mkdir(join(site, "state"));
    await writeFile(join(site, "state/key"), SECRET);
    await symlink("v1/state", join(place, "state"));
    await roots.withhold(join(place, "state"));
    await move(join(place, "state"), "v1/data");
    for (const filePath of ["state/key", "data/file"]) {
      expect((await problemOf(roots, filePath)).code).toBe("access_denied");
    }
  });
});

test.each([
  ["none at all", [], "--root"],
  ["one that is not there", ["none"], '"none"'],
  ["a file", ["package.json"], '"package.json"'],
  ["a bad one among good ones", [tmpdir(), "none"], '"none"'],
])("roots are refused: %s", async (_, paths, named) => {
  const error = await Roots.open(paths).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toContain(named);
  expect(String(error)).toContain("--root");
});

test("what is withheld stays, by whatever way, and however it is allowed", async () => {
  const roots = await openRoots();
  await roots.withhold(join(base, "link/folder"));
  for (const path of ["folder/b.txt", "folder/none", "stays", join(base, "site/folder/b.txt")]) {
    expect((await problemOf(roots, path)).code).toBe("access_denied");
  }
  expect(await contentOf(roots, "a.txt")).toBe("site a");
  await expect(roots.withhold(join(base, "none"))).rejects.toThrow("ENOENT");
});
