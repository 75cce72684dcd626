import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../package.json";
import {
  chosenBackends,
  cycles,
  foldersOf,
  type Graph,
  importsOf,
  settingsReaders,
  strangePackages,
  wrongDirections,
} from "./support/architecture.ts";

const TOP = join(import.meta.dir, "..");

/** Names that are allowed at the top level, besides files that git ignores. */
const TOP_LEVEL = [
  ".ci",
  ".dockerignore",
  ".git",
  ".gitattributes",
  ".gitignore",
  ".oxlintrc.json",
  "Dockerfile.client",
  "Dockerfile.server",
  "LICENSE",
  "README.md",
  "bun.lock",
  "bunfig.toml",
  "client.ts",
  "docker-compose.yml",
  "lib",
  "package.json",
  "server.ts",
  "setup.ts",
  "tests",
  "tsconfig.json",
];

/** The most lines that a file may have. */
const MAX_LINES = 300;

const FOLDERS = new Set([
  "api",
  "api/endpoints",
  "cli",
  "cli/demo",
  "cli/fds",
  "cli/guide",
  "cli/rest",
  "cli/setup",
  "cli/terminal",
  "cli/verify",
  "client",
  "client/doctor",
  "client/owner-rules",
  "client/sets",
  "dashboard",
  "dashboard/files",
  "dashboard/jobs",
  "dashboard/keep",
  "dashboard/labels",
  "dashboard/schedules",
  "dashboard/styles",
  "dashboard/webhooks",
  "program",
  "program/service",
  "protocol",
  "server",
  "server/access",
  "server/audit",
  "server/clients",
  "server/database",
  "server/database/migrations",
  "server/doctor",
  "server/downloads",
  "server/events",
  "server/http",
  "server/http/calls",
  "server/jobs",
  "server/metrics",
  "server/records",
  "server/retention",
  "server/servers",
  "server/schedules",
  "server/storage",
  "server/storage/s3",
  "server/transfer",
  "server/webhooks",
  "util",
]);

const files = ["*.ts", "lib/**/*.ts"].flatMap((pattern) =>
  [...new Bun.Glob(pattern).scanSync(TOP)].map((file) => file.replaceAll("\\", "/")),
);
const testFiles = [...new Bun.Glob("tests/**/*.ts").scanSync(TOP)].map((file) =>
  file.replaceAll("\\", "/"),
);
const textOf = (file: string) => readFileSync(join(TOP, file), "utf8");
const isLong = (file: string) => textOf(file).trimEnd().split("\n").length > MAX_LINES;
const sources = Object.fromEntries(files.map((file) => [file, textOf(file)]));
const graph: Graph = Object.fromEntries(
  Object.entries(sources).map(([file, source]) => [file, importsOf(file, source)]),
);
/**
 * The entry points: the files that the scripts of package.json start, except those of tests, and the built
 * program.
 */
const programs = Object.values(packageJson.scripts)
  .flatMap((script) => [...script.matchAll(/\bbun (?:--\S+ )*(\S+\.ts)\b/g)])
  .map((match) => match[1]!)
  .filter((file) => !file.startsWith("tests/"))
  .concat("lib/program/main.ts");

describe("the house", () => {
  test("is read whole, or nothing below means anything", () => {
    const known = ["server.ts", "client.ts", "setup.ts", "lib/protocol/frame.ts"];
    expect(files).toEqual(expect.arrayContaining([...known, ...programs]));
    expect(graph["server.ts"]).toContain("lib/server/engine.ts");
    expect(graph["lib/server/engine.ts"]).toContain("lib/server/downloads/downloads.ts");
    expect(programs).toContain("server.ts");
  });

  test("every import goes the right way", () => {
    expect(wrongDirections(graph)).toEqual([]);
  });

  test("no file has over 300 lines", () => {
    // The limit for functions in lib, 60 lines, is a rule of the linter, in .oxlintrc.json.
    expect(files.filter(isLong)).toEqual([]);
  });

  test("no file of tests has over 300 lines", () => {
    expect(testFiles).toContain("tests/architecture.test.ts");
    expect(testFiles.filter(isLong)).toEqual([]);
  });

  test("the core knows interfaces, and server.ts chooses the backends", () => {
    expect(chosenBackends(graph)).toEqual([]);
  });

  test("nothing imports in a circle, types neither", () => {
    expect(cycles(graph)).toEqual([]);
  });

  test("folders stand on each other, none on one that stands on it", () => {
    expect(cycles(foldersOf(graph))).toEqual([]);
  });

  test("only programs read settings", () => {
    expect(settingsReaders(sources, programs)).toEqual([]);
  });

  test("only lib/util/output.ts writes to standard output, and ends a process that wrote", () => {
    const writers = files.filter((file) =>
      /\bprocess\.(?:stdout|stderr|exit)\b/.test(textOf(file)),
    );
    // lib/util/service.ts is found too, because it ends the process of a service that does not stop in time.
    expect(writers.toSorted()).toEqual(["lib/util/output.ts", "lib/util/service.ts"]);
  });

  test("the runtime dependencies are three, and nothing imports another", () => {
    expect(Object.keys(packageJson.dependencies)).toEqual(["@hono/zod-validator", "hono", "zod"]);
    expect(strangePackages(graph)).toEqual([]);
  });

  test("every import of ours is a file that is there", () => {
    const missing = Object.entries(graph).flatMap(([file, targets]) =>
      targets
        .filter((target) => target.endsWith(".ts") && !(target in graph))
        .map((t) => [file, t]),
    );
    expect(missing).toEqual([]);
  });

  test("the image of the server and the built program have the file of each thread", () => {
    const workers = Object.entries(sources).flatMap(([file, source]) =>
      [...source.matchAll(/new URL\("\.\/(.+?)", import\.meta\.url\)/g)].map(([, name]) =>
        join(file, "..", name ?? ""),
      ),
    );
    expect(workers.length).toBeGreaterThan(0);
    const image = readFileSync(join(TOP, "Dockerfile.server"), "utf8");
    for (const worker of workers) {
      expect(image).toContain(worker);
      expect(sources["lib/program/build.ts"]).toContain(`"${worker}"`);
      // The worker's file is copied alone into the image, so it must not import another file of lib.
      expect(graph[worker]?.filter((target) => target.startsWith("lib/"))).toEqual([]);
    }
  });

  test("the top level holds what the contract names", () => {
    const ignored = readFileSync(join(TOP, ".gitignore"), "utf8").split(/[/\r\n]+/);
    const known = new Set([...TOP_LEVEL, ...ignored]);
    expect(readdirSync(TOP).filter((name) => !known.has(name))).toEqual([]);
  });

  test("lib has the folders of the design", () => {
    const folders = readdirSync(join(TOP, "lib"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ parentPath, name }) => join(parentPath, name).slice(join(TOP, "lib/").length))
      .map((folder) => folder.replaceAll("\\", "/"));
    expect(folders.filter((folder) => !FOLDERS.has(folder))).toEqual([]);
  });
});

test("tests start programs by tests/support/spawn.ts, which states their environment", () => {
  const starters = testFiles.filter((file) =>
    /\bBun\.(?:spawn|\$)|["']node:child_process/.test(textOf(file)),
  );
  // The gate's programs start processes without spawn.ts, because these need the gate's own environment.
  const gate = ["bun-test", "check-dependencies", "check"].map((name) => `tests/gate/${name}.ts`);
  expect(starters.filter((file) => file !== "tests/architecture.test.ts").toSorted()).toEqual([
    ...gate,
    "tests/support/spawn.ts",
  ]);
});
