import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { endpoints } from "../lib/api/endpoints.ts";
import { CLIENT_HELP } from "../lib/client/config.ts";
import { SERVER_HELP } from "../lib/server/config.ts";
import { DOWNLOAD_ERROR_CODES, ERROR_CODES, meaningOf } from "../lib/protocol/errors.ts";
import { installHelp, statusHelp, uninstallHelp } from "../lib/program/service/help.ts";
import { SERVICES } from "../lib/program/service/services.ts";
import packageJson from "../package.json";
import { codeBlocks, codeSpans, section, tableRows } from "./support/markdown.ts";
import { spawnSync } from "./support/spawn.ts";
import { TEST_LIMIT } from "./support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * The documentation names everything that exists, and nothing else. Its commands are run by
 * tests/e2e/readme.test.ts and tests/e2e/rest-by-curl.test.ts.
 */

const TOP = join(import.meta.dir, "..");
const README = readText("README.md");
const API_PAGE = readText("lib/api/README.md");
const CLI_PAGE = readText("lib/cli/README.md");
const CLIENT_PAGE = readText("lib/client/README.md");
const SERVER_PAGE = readText("lib/server/README.md");
/** The text of all pages for users. */
const MANUAL = [README, API_PAGE, CLI_PAGE, CLIENT_PAGE, SERVER_PAGE].join("\n");
/** The paths of all pages. There are two globs, because Bun 1.4.5 finds no page by a single one. */
const PAGES = ["*.md", "{lib,tests}/**/*.md"].flatMap((glob) => [
  ...new Bun.Glob(glob).scanSync(TOP),
]);

function helpOf(...command: string[]): string {
  const argv = [process.execPath, "--no-env-file", ...command, "--help"];
  return spawnSync(argv, { cwd: TOP }).stdout.toString();
}

const all = (pattern: RegExp, text: string) =>
  [...text.matchAll(pattern)].map((found) => found[1]!);
const unique = (names: string[]) => [...new Set(names)].toSorted();
const plain = (cell: string) => cell.replaceAll("`", "");

test("README.md is short: a way from nothing to a file, and links", () => {
  expect(README.trimEnd().split("\n").length).toBeLessThanOrEqual(170);
  const elsewhere = PAGES.filter((page) => page !== "README.md");
  const linked = all(/\]\(([^)\s#]+)[^)]*\)/g, README);
  expect(linked).toEqual(expect.arrayContaining(elsewhere));
});

describe("the manual names", () => {
  test("every script of package.json, and no other", () => {
    const scripts = Object.keys(packageJson.scripts).toSorted();
    expect(unique(all(/\bbun(?:@\S+)? run (\w+)/g, README))).toEqual(scripts);
    expect(scripts).toEqual(expect.arrayContaining(all(/\bbun(?:@\S+)? run (\w+)/g, MANUAL)));
  });

  test("the version of Bun that is asked for", () => {
    expect(unique(all(/\bbun@(\S+) run/gi, MANUAL))).toEqual([
      packageJson.engines.bun.replace(">=", ""),
    ]);
  });

  test("every command of fds, and no other", () => {
    const known = all(
      /^ {2}(\w+)\b.*$/gm,
      /Commands:\n([^]*?)\n\n/.exec(helpOf("lib/cli/fds.ts"))![1]!,
    );
    const inTable = tableRows(section(CLI_PAGE, "The command line")).map(([cell]) => cell!);
    expect(unique(all(/\bfds (\w+)/g, inTable.join(" ")))).toEqual(known.toSorted());
    const elsewhere = all(
      /\bfds (\w+)/g,
      [...codeSpans(MANUAL), ...codeBlocks(MANUAL, "sh")].join("\n"),
    );
    // The built program has these three besides the commands.
    expect([...known, "client", "server", "doctor"]).toEqual(expect.arrayContaining(elsewhere));
  });

  test("flags that there are", () => {
    const files = [
      "server.ts",
      "client.ts",
      "setup.ts",
      "lib/cli/demo.ts",
      "lib/program/build.ts",
      "tests/bench/bench.ts",
      "tests/gate/run-tests.ts",
    ];
    const programs = files.map((file) => [file]);
    const commands = [
      "clients",
      "pull",
      "downloads",
      "rm",
      "verify",
      "token",
      "enroll",
      "schedule",
      "deliveries",
      "webhook",
      "schedule",
    ].map((name) => ["lib/cli/fds.ts", name]);
    const ofServices = Object.values(SERVICES).flatMap((service) =>
      [installHelp, uninstallHelp, statusHelp].map((help) => help(service)),
    );
    const known = [...programs, ...commands]
      .map((command) => helpOf(...command))
      .concat(ofServices)
      .join("\n");
    const foreign = new Set(["--yes", "--build"]);
    for (const flag of unique(all(/(?<![\w-])(--[a-z]+(?:-[a-z]+)*)/g, MANUAL))) {
      if (!foreign.has(flag)) expect(known).toMatch(new RegExp(`${flag}\\b`));
    }
  });

  test.each([
    ["lib/server/README.md", SERVER_HELP],
    ["lib/client/README.md", CLIENT_HELP],
  ])("every setting, with its flag and its default: %s", (page, help) => {
    const table = settingsInTable(section(readText(page), "Settings"));
    expect(table).toEqual(settingsInHelp(help));
  });

  test("settings in these two tables, and nowhere else", () => {
    const pages = PAGES.filter((page) =>
      tableRows(readText(page)).some(([names = ""]) => /^`[A-Z_]+`(?:, `[A-Z_]+`)*$/.test(names)),
    );
    expect(pages.toSorted()).toEqual(["lib/client/README.md", "lib/server/README.md"]);
    for (const page of [CLIENT_PAGE, SERVER_PAGE]) {
      const names = all(/^\| ((?:`[A-Z_]+`(?:, )?)+) /gm, page).flatMap(codeSpans);
      expect(names.toSorted()).toEqual(unique(names));
    }
  });

  test("every call of the API, and no other", () => {
    const rows = tableRows(section(API_PAGE, "The calls")).map((cells) => cells.join(" "));
    const named = codeSpans(rows.join("\n")).filter((span) => /^[A-Z]+ \//.test(span));
    const known = Object.values(endpoints)
      .filter(({ path, method }) => path !== "/api/session" || method === "POST")
      .map(
        ({ method, path }) =>
          `${method} ${path.replace(":download_id", "ID").replace(":client_id", "CLIENT").replace(":job_id", "JOB").replace(":name", "NAME").replace(":attempt_id", "ATTEMPT")}`,
      );
    // GET / is the dashboard, which is no call of the API.
    expect(unique(named)).toEqual([...known, "GET /"].toSorted());
    const elsewhere = codeSpans(MANUAL).filter((span) => /^[A-Z]+ \//.test(span));
    expect(named).toEqual(
      expect.arrayContaining(elsewhere.map((call) => call.replace(/\?.*/, ""))),
    );
  });
});

describe("every page of documentation", () => {
  test("is found", () => {
    expect(PAGES).toEqual(
      expect.arrayContaining(["README.md", "lib/README.md", "tests/README.md"]),
    );
  });

  test.each(PAGES)("%s links to what is there", (page) => {
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

describe("lib/api/README.md names", () => {
  const [, calls = "", downloads = ""] = section(API_PAGE, "Codes").split(
    /^(?=\| (?:code|error_code) )/m,
  );

  test("every code of a call, with its status", () => {
    const codes = ERROR_CODES.flatMap((code) => {
      const { http } = meaningOf(code);
      return http === undefined ? [] : [[code, String(http)]];
    });
    const inTable = tableRows(calls).map(([code = "", status = ""]) => [plain(code), status]);
    expect(inTable.toSorted()).toEqual(codes.toSorted());
  });

  test("every code of a download, and whether the server tries again", () => {
    const words = {
      never: "never",
      later: "later",
      restart: "from the first byte",
      when_room: "when there is room",
    };
    const codes = DOWNLOAD_ERROR_CODES.map((code) => [
      code,
      words[meaningOf(code).retry ?? "never"],
    ]);
    const inTable = tableRows(downloads).map(([code = "", retry = ""]) => [plain(code), retry]);
    expect(inTable.toSorted()).toEqual(codes.toSorted());
  });
});

test("lib/SECURITY.md names tests for each promise", () => {
  const [, ...promises] = section(readText("lib/SECURITY.md"), "What is promised").split(/^\*\*/m);
  expect(promises.length).toBeGreaterThan(5);
  // Whether the linked files exist is checked above, with all links.
  const unproven = promises.filter(
    (promise) => !/^Tests: \[.+\]\(\.\.\/tests\/.+\.test\.ts\)/m.test(promise),
  );
  expect(unproven).toEqual([]);
});

/** Returns the anchors of a page's headings, as GitHub makes them. */
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

  // Settings that .env cannot change, because docker-compose.yml sets them itself or leaves them out: names,
  // folders, networks, and files outside of the container.
  const OWN = /^(?:SERVER_HOST|SERVER_PORT|CLIENT_ID|CLIENT_ROOTS|TLS_.*|.*_DIR|.*_PROXY)$/;

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

/** Returns the settings in the output of `--help`, where each takes two lines. */
function settingsInHelp(help: string): Record<string, SettingTexts> {
  const found = [
    ...help.matchAll(/^ {2}(?:(--\S+(?: \(repeatable\))?), )?([A-Z0-9_]+)\n {6}(.+)$/gm),
  ];
  return Object.fromEntries(
    found.map(([, flag = "", name, text]) => [
      name!,
      { flag, default: /\(default: (.+)\)$/.exec(text!)?.[1] ?? "" },
    ]),
  );
}

/** Returns the settings in a table of a page. A row may be about several settings. */
function settingsInTable(table: string): Record<string, SettingTexts> {
  return Object.fromEntries(
    tableRows(table).flatMap(([names = "", flag = "", text = ""]) =>
      codeSpans(names).map((name) => [
        name,
        { flag: plain(flag).replace(", repeatable", " (repeatable)"), default: plain(text) },
      ]),
    ),
  );
}
