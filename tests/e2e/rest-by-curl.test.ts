import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { endpoints } from "../../lib/api/endpoints.ts";
import { DownloadAccepted } from "../../lib/api/schemas.ts";
import { FreshCopy } from "../support/fresh-copy.ts";
import { codeBlocks } from "../support/markdown.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Runs every curl command of lib/api/README.md in a shell, in the order of the page. */

const PAGE = readFileSync(join(import.meta.dir, "../../lib/api/README.md"), "utf8");
const [LOGIN = "", ...BLOCKS] = codeBlocks(PAGE, "sh");

const missing = ["sh", "curl", "grep", "cut"].filter((tool) => !Bun.which(tool));
const needs = missing.length > 0 ? ` (needs ${missing.join(", ")}: install them)` : "";

/** Returns the method and path of a curl command, with the parameter names of endpoints.ts. */
function callOf(line: string): string {
  const [, path = ""] = /\$SERVER(\/[^\s"?]*)/.exec(line) ?? [];
  const [, method = line.includes(" -d ") && !line.includes(" -G ") ? "POST" : "GET"] =
    / -X (\w+)/.exec(line) ?? [];
  const template = path
    .replace("$ID", ":download_id")
    .replace("$JOB", ":job_id")
    .replace("restaurant-001", ":client_id")
    .replace("$ATTEMPT", ":attempt_id")
    .replace(/(tokens|enrolment-keys|schedules|webhooks)\/(?!preview$)[^/]+/, "$1/:name");
  return `${method} ${template}`;
}

const callsOf = (block: string) =>
  block
    .replaceAll("\\\n", "")
    .split("\n")
    .filter((line) => line.startsWith("curl "))
    .map(callOf);

test("lib/api/README.md shows every call by curl, and no other", () => {
  const known = Object.values(endpoints).map(({ method, path }) => `${method} ${path}`);
  expect([...new Set(BLOCKS.flatMap(callsOf))].toSorted()).toEqual(known.toSorted());
});

describe.skipIf(needs !== "")(`lib/api/README.md shows what works${needs}`, () => {
  let copy: FreshCopy;
  let url = "";
  /** Id of the newest download. */
  let id = "";
  /** Id of the newest job. */
  let job = "";
  /** Id of the newest delivery attempt of a webhook. */
  let attempt = "";

  beforeAll(async () => {
    copy = await FreshCopy.create();
    // The test file is large enough that its download can be slowed down and cancelled before its end.
    await copy.run("bun install && bun run setup --size 16MiB");
    copy.set({ SERVER_PORT: "0", MIN_FREE_DISK: "1MiB" });
    const { line } = await copy.start("bun run server", /listening on/);
    url = /http:[\w/.:]+/.exec(line)![0];
    copy.set({ SERVER_URL: url });
    await copy.start("bun run client --id restaurant-001", /registered as restaurant-001/);
    await Bun.write(join(copy.folder, ".curlrc"), 'silent\nwrite-out = "\\n%{http_code}\\n"\n');
  });
  afterAll(async () => {
    await copy?.[Symbol.asyncDispose]();
  });

  const script = (block: string) =>
    (LOGIN + block)
      .replace("http://localhost:8080", url)
      .replace(/^ID=\S+/m, `ID=${id}`)
      .replaceAll("$JOB", job)
      .replaceAll("$ATTEMPT", attempt);

  test.each(BLOCKS.map((block) => [callsOf(block).join(", "), block]))(
    "%s",
    async (calls, block) => {
      if (calls === "GET /api/events") {
        await copy.start(
          `sh -c '${script(block).replace("curl", "exec curl")}'`,
          /^event: client$/m,
        );
        return;
      }
      const answers = [...(await copy.run(script(block))).matchAll(/^(.*)\n(\d{3})$/gm)];
      const good = callsOf(block).map(() => expect.stringMatching(/^2\d\d$/));
      expect(answers.map(([, , status]) => status)).toEqual(good);
      const [made] = answers.flatMap(
        ([, body]) => /"job_id":"([^"]+)","status"/.exec(body!)?.[1] ?? [],
      );
      job = made ?? job;
      attempt = /"attempt_id":"([^"]+)"/.exec(answers.join())?.[1] ?? attempt;
      if (calls !== "POST /api/download") return;
      ({ download_id: id } = DownloadAccepted.parse(JSON.parse(answers[0]![1]!)));
    },
  );
});
