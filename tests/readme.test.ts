import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { endpoints } from "../lib/api/endpoints.ts";
import { CLIENT_HELP } from "../lib/client/config.ts";
import { SERVER_HELP } from "../lib/server/config.ts";
import packageJson from "../package.json";
import { codeBlocks, codeSpans, section, tableRows } from "./support/markdown.ts";
import { spawnSync } from "./support/spawn.ts";

/* README.md names what is there, and all of it. tests/e2e/readme.test.ts does what it says. */

const TOP = join(import.meta.dir, "..");
const README = readFileSync(join(TOP, "README.md"), "utf8");

function helpOf(...command: string[]): string {
  const argv = [process.execPath, "--no-env-file", ...command, "--help"];
  return spawnSync(argv, { cwd: TOP }).stdout.toString();
}

const all = (pattern: RegExp, text: string) =>
  [...text.matchAll(pattern)].map((found) => found[1]!);
const unique = (names: string[]) => [...new Set(names)].toSorted();
const plain = (cell: string) => cell.replaceAll("`", "");

test("README.md's services have the allocator that package.json's server has", () => {
  const [setting] = /MIMALLOC_PURGE_DELAY=\d+/.exec(packageJson.scripts.server)!;
  const units = codeBlocks(README, "ini");
  expect(units).toHaveLength(2);
  for (const unit of units) expect(unit).toContain(`\nEnvironment=${setting}\n`);
});

describe("README.md names", () => {
  test("every script of package.json, and no other", () => {
    const named = all(/\bbun(?:@\S+)? run (\w+)/g, README);
    expect(unique(named)).toEqual(Object.keys(packageJson.scripts).toSorted());
  });

  test("the version of Bun that is asked for", () => {
    expect(unique(all(/\bbun@(\S+) run/gi, README))).toEqual([
      packageJson.engines.bun.replace(">=", ""),
    ]);
  });

  test("every command of fds, and no other", () => {
    const known = all(
      /^ {2}(\w+)\b.*$/gm,
      /Commands:\n([^]*?)\n\n/.exec(helpOf("lib/cli/fds.ts"))![1]!,
    );
    const inTable = tableRows(section(README, "The command line")).map(([cell]) => cell!);
    expect(unique(all(/\bfds (\w+)/g, inTable.join(" ")))).toEqual(known.toSorted());
    const elsewhere = all(
      /\bfds (\w+)/g,
      [...codeSpans(README), ...codeBlocks(README, "sh")].join("\n"),
    );
    expect(known).toEqual(expect.arrayContaining(elsewhere));
  });

  test("flags that there are", () => {
    const files = ["server.ts", "client.ts", "setup.ts", "lib/cli/demo.ts", "tests/bench/bench.ts"];
    const programs = files.map((file) => [file]);
    const commands = ["pull", "downloads", "verify", "token", "enroll"].map((name) => [
      "lib/cli/fds.ts",
      name,
    ]);
    const known = [...programs, ...commands].map((command) => helpOf(...command)).join("\n");
    const foreign = new Set(["--yes", "--build"]);
    for (const flag of unique(all(/(?<![\w-])(--[a-z]+(?:-[a-z]+)*)/g, README))) {
      if (!foreign.has(flag)) expect(known).toMatch(new RegExp(`${flag}\\b`));
    }
  });

  test.each([
    ["Server", SERVER_HELP],
    ["Client", CLIENT_HELP],
  ])("every setting, with its flag and its default: %s", (heading, help) => {
    expect(settingsInReadme(heading)).toEqual(settingsInHelp(help));
  });

  test("every call of the API, and no other", () => {
    const rows = tableRows(section(README, "The API")).map((cells) => cells.join(" "));
    const named = codeSpans(rows.join("\n")).filter((span) => /^[A-Z]+ \//.test(span));
    const known = Object.values(endpoints)
      .filter(({ path, method }) => path !== "/api/session" || method === "POST")
      .map(
        ({ method, path }) =>
          `${method} ${path.replace(":download_id", "ID").replace(":client_id", "CLIENT").replace(":name", "NAME")}`,
      );
    // The page is no call of the API.
    expect(unique(named)).toEqual([...known, "GET /"].toSorted());
    const elsewhere = codeSpans(README).filter((span) => /^[A-Z]+ \//.test(span));
    expect(named).toEqual(
      expect.arrayContaining(elsewhere.map((call) => call.replace(/\?.*/, ""))),
    );
  });

  test("files and folders that there are", () => {
    const [, tree = ""] = codeBlocks(section(README, "How it works"), "");
    const named = [
      ...all(/^([\w/.]+, .*?) {2}/gm, tree)
        .join()
        .split(/, /),
      ...all(/^(\w+\/\S*)/gm, tree),
    ];
    expect(named).toEqual(expect.arrayContaining(["server.ts", "lib/protocol/", "tests/"]));
    expect(named.filter((path) => !existsSync(join(TOP, path)))).toEqual([]);
  });
});

describe("every page of documentation", () => {
  const pages = [...new Bun.Glob("{*.md,lib/**/*.md,tests/**/*.md}").scanSync(TOP)];

  test.each(pages)("%s links to what is there", (page) => {
    const text = readFileSync(join(TOP, page), "utf8").replaceAll(/^```[^]*?^```$/gm, "");
    const links = all(/\]\((?!https?:)([^)\s]+)\)/g, text);
    const broken = links.filter((link) => {
      const [path = "", heading] = link.split("#");
      const target = join(TOP, path === "" ? page : join(dirname(page), path));
      return !existsSync(target) || (heading && !headingsOf(target).includes(heading));
    });
    expect(broken).toEqual([]);
  });

  test("lib/README.md names every folder of lib, and every file beside them", () => {
    const named = all(/^ *(\S+) {2,}/gm, codeBlocks(readText("lib/README.md"), "").join("\n"));
    const entries = (folder: string) =>
      readdirSync(join(TOP, folder), { withFileTypes: true })
        .filter(({ name }) => !/\.(?:md|json)$/.test(name))
        .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name));
    const known = [...entries("lib"), ...entries("lib/server")];
    expect(named).toEqual(expect.arrayContaining(known));
  });
});

/** The anchors of a page's headings, as GitHub makes them. */
function headingsOf(file: string): string[] {
  return all(/^#+ (.+)$/gm, readFileSync(file, "utf8")).map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
}

function readText(path: string): string {
  return readFileSync(join(TOP, path), "utf8");
}

describe("docker-compose.yml passes on", () => {
  const { services } = Bun.YAML.parse(readFileSync(join(TOP, "docker-compose.yml"), "utf8")) as {
    services: Record<string, { environment: Record<string, string | null> }>;
  };

  // What a container has of its own: its name, its folders, its network, and files that it cannot see.
  const OWN =
    /^(?:SERVER_HOST|SERVER_PORT|DATABASE_URL|CLIENT_ID|CLIENT_ROOTS|TLS_.*|.*_DIR|.*_PROXY)$/;

  test.each([
    ["server", SERVER_HELP],
    ["client-restaurant-001", CLIENT_HELP],
  ])("every setting that .env may hold: %s", (service, help) => {
    const wanted = Object.keys(settingsInHelp(help)).filter((name) => !OWN.test(name));
    expect(Object.keys(services[service]!.environment)).toEqual(expect.arrayContaining(wanted));
  });
});

test("lib/SECURITY.md names settings and commands that there are", () => {
  const spans = codeSpans(readFileSync(join(TOP, "lib/SECURITY.md"), "utf8"));
  const settings = spans.filter((span) => /^[A-Z][A-Z_]+$/.test(span));
  expect(settings).toContain("TRUSTED_PROXIES");
  for (const name of settings)
    expect(SERVER_HELP + CLIENT_HELP).toMatch(new RegExp(`\\b${name}\\b`));
  const commands = spans.flatMap((span) => /^fds (\w+)/.exec(span)?.[1] ?? []);
  expect(commands).toContain("revoke");
  for (const name of commands)
    expect(helpOf("lib/cli/fds.ts")).toMatch(new RegExp(`^ {2}${name}\\b`, "m"));
});

interface SettingTexts {
  flag: string;
  default: string;
}

/** The settings as `--help` has them: two lines for each. */
function settingsInHelp(help: string): Record<string, SettingTexts> {
  const found = [...help.matchAll(/^ {2}(?:(--\S+(?: \(repeatable\))?), )?([A-Z_]+)\n {6}(.+)$/gm)];
  return Object.fromEntries(
    found.map(([, flag = "", name, text]) => [
      name!,
      { flag, default: /\(default: (.+)\)$/.exec(text!)?.[1] ?? "" },
    ]),
  );
}

/** The same from a table; a row may be about several settings. */
function settingsInReadme(heading: string): Record<string, SettingTexts> {
  return Object.fromEntries(
    tableRows(section(README, heading)).flatMap(([names = "", flag = "", text = ""]) =>
      codeSpans(names).map((name) => [
        name,
        { flag: plain(flag).replace(", repeatable", " (repeatable)"), default: plain(text) },
      ]),
    ),
  );
}
