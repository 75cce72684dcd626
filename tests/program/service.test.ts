import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileStep, Installation, Step } from "../../lib/program/service/service.ts";
import { managerOf, SERVICES } from "../../lib/program/service/services.ts";
import packageJson from "../../package.json";
import { spawnSync } from "../support/spawn.ts";

/* The definition of the service on each operating system, as data. No service is installed here. */

const PLATFORMS = ["linux", "darwin", "win32"] as const;

const managerFor = (platform: NodeJS.Platform) => managerOf(platform, "/tmp/fds", {});

function stepsOf(platform: NodeJS.Platform, change: Partial<Installation> = {}): Step[] {
  const manager = managerFor(platform);
  const service = SERVICES[change.program ?? "client"];
  const paths = manager.paths(service);
  return manager.install({
    ...service,
    paths,
    settings: "CLIENT_ID=till-1\n",
    enrolToken: "a-secret-token",
    enrolTokenFile: `${paths.state}/enroll-token`,
    readable: [],
    writable: [],
    hasLowPort: false,
    ...change,
  });
}

const isFile = (step: Step): step is FileStep => step.kind === "file";

function textOf(platform: NodeJS.Platform, end: string, change?: Partial<Installation>): string {
  const step = stepsOf(platform, change)
    .filter(isFile)
    .find(({ path }) => path.endsWith(end))!;
  const { content } = step;
  if (content === "folder" || !("text" in content)) throw new Error("it is no text");
  const isWide = typeof content.text !== "string";
  return isWide ? Buffer.from(content.text).toString("utf16le") : String(content.text);
}

describe.each(PLATFORMS)("on %s", (platform) => {
  const steps = stepsOf(platform);

  test("secrets are the service's alone, from the first moment", () => {
    const secrets = steps.filter(isFile).filter(({ path }) => /\.conf$|enroll-token$/.test(path));
    const ours = secrets.filter(({ path }) => !path.includes("sysusers"));
    expect(ours.map(({ mode }) => mode)).toEqual([0o600, 0o600]);
  });

  test("no secret is in a command, or in what starts the service", () => {
    const commands = steps.flatMap((step) => (step.kind === "command" ? step.argv : []));
    expect(commands.join(" ")).not.toContain("a-secret-token");
    const holders = steps.filter(isFile).filter(({ content }) => {
      if (content === "folder" || !("text" in content)) return false;
      return Buffer.from(content.text).includes("a-secret-token");
    });
    expect(holders.map(({ path }) => path)).toEqual([expect.stringMatching(/enroll-token$/)]);
  });

  test("what is installed is removed, but for what the service keeps", () => {
    const manager = managerFor(platform);
    const paths = manager.paths(SERVICES.client);
    const removed = manager
      .uninstall(SERVICES.client, paths)
      .flatMap((step) => (step.kind === "remove" ? step.path : []));
    const kept = [paths.program, paths.settings, paths.settingsFolder, paths.state];
    const written = steps.filter(isFile).map(({ path }) => path);
    const known = [...removed, ...kept, `${paths.state}/enroll-token`];
    expect(known).toEqual(expect.arrayContaining(written));
  });

  test("the client and the server share the program, and nothing else", () => {
    const manager = managerFor(platform);
    const { program, settingsFolder, ...own } = manager.paths(SERVICES.client);
    const server = manager.paths(SERVICES.server);
    expect([server.program, server.settingsFolder]).toEqual([program, settingsFolder]);
    for (const [name, path] of Object.entries(own)) {
      expect(Object.entries(server)).not.toContainEqual([name, path]);
    }
  });
});

describe("a unit of systemd", () => {
  const unit = (change?: Partial<Installation>) => textOf("linux", ".service", change);

  test("has the allocator that package.json's server has", () => {
    const [setting] = /MIMALLOC_PURGE_DELAY=\d+/.exec(packageJson.scripts.server)!;
    expect(unit()).toContain(`\nEnvironment=${setting}\n`);
    expect(textOf("darwin", ".plist")).toContain(
      `<key>${setting.replace("=", "</key>\n    <string>")}</string>`,
    );
  });

  test("lets the service write where it has to, and read what lies among temporary files", () => {
    const text = unit({
      readable: ["/srv/exports", "/tmp/till", "/var/tmp/a b"],
      writable: ["/data/100%", '/data/"'],
    });
    expect(text.match(/^(?:ReadWrite|BindReadOnly)Paths=.*$/gm)).toEqual([
      'ReadWritePaths="/data/100%%"',
      String.raw`ReadWritePaths="/data/\""`,
      'BindReadOnlyPaths="/tmp/till"',
      'BindReadOnlyPaths="/var/tmp/a b"',
    ]);
  });

  const lacksSystemd = Bun.which("systemd-analyze")
    ? ""
    : " (needs systemd-analyze: Debian's package systemd)";

  test.skipIf(lacksSystemd !== "").each([
    ["client", {}],
    ["server", { program: "server" as const, name: "fds-server", hasLowPort: true }],
  ])(`leaves the %s few rights${lacksSystemd}`, async (_, change) => {
    const folder = await mkdtemp(join(tmpdir(), "fds-unit-"));
    try {
      const path = join(folder, "fds.service");
      await writeFile(path, unit(change));
      const argv = ["systemd-analyze", "security", "--offline=true", "--no-pager", path];
      const { stdout, stderr } = spawnSync(argv);
      const [, level] = /exposure level for \S+: (\d+\.\d+)/.exec(stdout.toString()) ?? [];
      expect(level, stderr.toString()).toBeString();
      expect(Number(level)).toBeLessThan(2);
      // systemd ignores unknown directives, so a misspelled one would take away no right.
      await writeFile(path, unit(change).replace(/^ExecStart=\S+/m, "ExecStart=/bin/true"));
      const verified = spawnSync(["systemd-analyze", "verify", "--man=no", path]);
      expect(verified.stderr.toString() + verified.stdout.toString()).toBe("");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

test("a task of Windows begins with the machine, and again where it ended", () => {
  const xml = textOf("win32", ".xml");
  expect(xml).toStartWith('\uFEFF<?xml version="1.0" encoding="UTF-16"?>\r\n');
  expect(xml).toContain("<BootTrigger>");
  expect(xml).toContain("<Interval>PT1M</Interval>");
  expect(xml).toContain("<MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>");
  expect(xml).toContain("<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>");
  expect(xml).toContain("<UserId>S-1-5-19</UserId>");
  expect(xml).toContain(
    String.raw`<Arguments>client --config "C:\ProgramData\fds\client.conf"</Arguments>`,
  );
});

test("on Windows only administrators and the service come to the settings and the keys", () => {
  const rights = stepsOf("win32").flatMap((step) =>
    step.kind === "command" && step.argv[0] === "icacls" ? [step.argv] : [],
  );
  expect(rights.map(([, path]) => path)).toEqual([
    String.raw`C:\ProgramData\fds\client.conf`,
    String.raw`C:\ProgramData\fds\fds-client`,
  ]);
  for (const argv of rights) expect(argv).toContain("/inheritance:r");
});

test.each([
  ["linux", 0, "LoadState=loaded\nActiveState=active\n", "running"],
  ["linux", 0, "LoadState=loaded\nActiveState=activating\n", "stopped"],
  ["linux", 0, "LoadState=loaded\nActiveState=failed\n", "stopped"],
  ["linux", 0, "LoadState=not-found\nActiveState=inactive\n", "not installed"],
  ["linux", 1, "", null],
  ["darwin", 0, "system/fds-client = {\n\tstate = running\n", "running"],
  ["darwin", 0, "\tstate = spawn scheduled\n", "stopped"],
  ["darwin", 113, "Could not find service", "not installed"],
  ["win32", 0, "fds-client  N/A  Bereit", null],
  ["win32", 1, "", "not installed"],
] as const)("%s answers %d, %j: %p", (platform, exitCode, stdout, running) => {
  expect(managerFor(platform).parseRunState(exitCode, stdout)).toBe(running);
});

test("a system that keeps no services that we know says so", () => {
  expect(() => managerFor("freebsd")).toThrow(/what starts programs on freebsd/);
});
