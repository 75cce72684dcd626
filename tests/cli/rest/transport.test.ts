import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ApiCallError, UnreachableError } from "../../../lib/cli/rest/api-errors.ts";
import { errorOf } from "../../support/errors.ts";
import { downloadRecord } from "../../support/records.ts";
import { json, scriptedRest } from "../../support/scripted-rest.ts";
import { spawn } from "../../support/spawn.ts";

const ID = downloadRecord().download_id;

test("an id cannot lead to another path", async () => {
  await using server = scriptedRest(json(downloadRecord()));
  await server.api.download("../clients?x=1#");
  expect(server.requests[0]?.path).toBe("/api/downloads/..%2Fclients%3Fx%3D1%23");
});

describe("an error", () => {
  test("of the server keeps its status, its code and its sentence", async () => {
    const body = { error: "no\x1b[2J such\nclient", code: "client_not_found" };
    await using server = scriptedRest(json(body, 404));
    const error = await errorOf(server.api.startDownload({ client_id: "a" }));
    expect(error).toBeInstanceOf(ApiCallError);
    expect(error).toMatchObject({
      status: 404,
      code: "client_not_found",
      message: "no suchclient",
    });
  });

  test.each([
    ["a page", () => new Response("<html>")],
    ["another shape", json({ status: "fine" })],
    ["an error of another shape", json({ message: "no" }, 400)],
  ])("is what answers with %s", async (_, answer) => {
    await using server = scriptedRest(answer);
    expect(await errorOf(server.api.health())).toMatchObject({
      name: "ApiCallError",
      code: "unexpected_answer",
      message: expect.stringContaining(`check the address "http://127.0.0.1:${server.port}"`),
    });
  });

  test("tells in one line how to get a server where there is none", async () => {
    const server = scriptedRest(json({}));
    await server[Symbol.asyncDispose]();
    const error = await errorOf(server.api.health());
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error).toMatchObject({
      message: `no server answers at "http://127.0.0.1:${server.port}", start it with "bun run server"`,
    });
  });

  test("is the reason of the signal where somebody has enough", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    await using server = scriptedRest(() => {
      controller.abort(reason);
      return new Promise<Response>(() => {});
    });
    expect(await errorOf(server.api.download(ID, controller.signal))).toBe(reason);
  });
});

test.each(["localhost", "127.0.0.1"])(
  "a call to %s is shown to no proxy that the environment names",
  async (host) => {
    await using proxy = scriptedRest(() => new Response(null, { status: 502 }));
    await using server = scriptedRest(json({ clients: [] }));
    const program = `
      const { ApiClient } = await import(${JSON.stringify(join(process.cwd(), "lib/cli/rest/api-client.ts"))});
      const api = new ApiClient({ server: "http://${host}:${server.port}", token: "secret" });
      console.log((await api.clients()).length);`;
    const names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"];
    const env = Object.fromEntries(names.map((name) => [name, `http://127.0.0.1:${proxy.port}`]));
    const child = spawn([process.execPath, "-e", program], { env, stderr: "inherit" });
    expect(await new Response(child.stdout).text()).toBe("0\n");
    expect(proxy.requests).toEqual([]);
  },
);

test("a redirection is not followed, and is told", async () => {
  const location = "https://elsewhere.example/api/clients\u001b[2J";
  await using server = scriptedRest(() => Response.redirect(location, 301));
  const error = await errorOf(server.api.clients());
  expect(error).toMatchObject({ status: 301, code: "unexpected_answer" });
  expect(error).toMatchObject({
    message: expect.stringMatching(/it leads to "https:\/\/elsewhere/),
  });
  expect(server.requests).toHaveLength(1);
});
