import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { runProgram } from "../support/operator.ts";
import { Receiver } from "../support/receiver.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Webhooks on the command line, as an admin's scripts use them. */

let system: System;
let receiver: Receiver;
beforeAll(async () => {
  system = await System.start({ WEBHOOK_ALLOW: "127.0.0.1" });
  receiver = new Receiver();
});
afterAll(async () => {
  receiver?.stop();
  await system?.[Symbol.asyncDispose]();
});

const fds = (...args: string[]) => runProgram(system, ["fds", ...args]);
const done = { exitCode: 0, stderr: "" };

async function json<T>(...args: string[]): Promise<T> {
  const { stdout, ...outcome } = await fds(...args, "--json");
  expect(outcome).toMatchObject(done);
  return JSON.parse(stdout) as T;
}

test("a webhook is made, tried, looked at, changed and removed", async () => {
  const events = ["--event", "download.*", "--event", "job.failed"];
  const made = await fds("webhook", "create", "ops", "--url", receiver.url, ...events);
  expect(made).toMatchObject(done);
  const secret = made.stdout.trim();
  expect(secret).toMatch(/^whsec_\S{44}$/);

  expect(await fds("webhook", "test", "ops")).toMatchObject(done);
  Receiver.verify(receiver.messages[0]!, secret);
  receiver.answer = () => new Response("no", { status: 500 });
  const failed = await fds("webhook", "test", "ops");
  expect(failed).toMatchObject({ exitCode: 1 });
  expect(failed.stderr).toBe("error: not delivered: the receiver answered 500\n");
  expect(failed.stdout).toContain("\trefused 500\twebhook.test\t");

  const list = (await fds("webhook", "attempts", "ops")).stdout.trim().split("\n");
  expect(list.map((line) => line.split("\t").slice(1, 3))).toEqual([
    ["refused 500", "webhook.test"],
    ["delivered 200", "webhook.test"],
  ]);
  receiver.answer = () => new Response("thanks");
  const [id = ""] = list[0]!.split("\t");
  expect(await fds("webhook", "replay", "ops", id)).toMatchObject(done);
  expect(receiver.messages.at(-1)!.id).toBe(receiver.messages.at(-2)!.id);
  const unknown = await fds("webhook", "replay", "ops", "ffff");
  expect(unknown).toMatchObject({ exitCode: 1, stdout: "" });
  expect(unknown.stderr).toStartWith('error: list them with "bun run fds webhook attempts ops": ');

  const { stdout: shown } = await fds("webhooks");
  expect(shown).toStartWith(`ops\tactive\t0\t${receiver.url}\tdownload.completed download.failed`);
  expect(shown + (await fds("webhook", "show", "ops")).stdout).not.toContain(secret);
  const rotated = (await fds("webhook", "rotate", "ops")).stdout.trim();
  expect(rotated).toMatch(/^whsec_/);
  expect(rotated).not.toBe(secret);

  expect(await fds("webhook", "change", "ops", "--event", "storage.low")).toMatchObject(done);
  expect(await fds("webhook", "disable", "ops")).toMatchObject(done);
  const changed = { events: ["storage.low"], status: "disabled", disabled_because: "asked" };
  expect(await json<object>("webhook", "show", "ops")).toMatchObject(changed);
  expect(await json<object>("webhook", "enable", "ops")).toMatchObject({ status: "active" });
  expect(await fds("webhook", "delete", "ops")).toMatchObject(done);
  expect(await json<object>("webhooks")).toEqual({ webhooks: [] });
  const gone = await fds("webhook", "show", "ops");
  expect(gone).toMatchObject({ exitCode: 1, stderr: "error: There is no webhook of this name\n" });
});

test("what leads to a private address is refused in one line", async () => {
  const url = ["--url", "http://10.0.0.1/", "--event", "job.failed"];
  const { exitCode, stderr } = await fds("webhook", "create", "bad", ...url);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^error: "url": 10\.0\.0\.1 is no address of the internet.+\n$/);
});

test.each([
  [["webhook"], "ACTION"],
  [["webhook", "make", "x"], '"make"'],
  [["webhook", "show", "A B"], '"A B"'],
  [["webhook", "create", "x"], "--url"],
  [["webhook", "create", "x", "--url", "nonsense"], '"nonsense"'],
  [["webhook", "create", "x", "--url", "https://a.example/"], "--event"],
  [["webhook", "create", "x", "--url", "https://a.example/", "--event", "jobs"], '"jobs"'],
  [["webhook", "change", "x"], "--url"],
  [["webhook", "replay", "x"], "ATTEMPT"],
  [["webhook", "test", "x", "y"], '"y"'],
  [["webhook", "delete", "x", "--url", "https://a.example/"], "--url is no flag of"],
  [["schedule", "x", "delete", "--client", "a"], "--client is no flag of"],
  [["schedule", "x", "preview", "--due", "3h"], "--due is no flag of"],
  [["schedule", "x", "--count", "3"], "--count is no flag of"],
  [["token", "revoke", "x", "--role", "viewer"], "--role is no flag of"],
  [["enroll", "list", "--uses", "2"], "--uses is no flag of"],
])("%j: exit 2 and one line that names what is wrong", async (args, named) => {
  const { exitCode, stdout, stderr } = await fds(...args);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
  expect(stderr).toMatch(/^error: .+\n$/);
  expect(stderr).toContain(named);
});
